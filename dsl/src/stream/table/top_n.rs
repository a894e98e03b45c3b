//! `top_n` of a grouped table, and what came into lists and left them.

use super::{Demand, GroupedTable, Table};
use crate::operator::{ListChanges, TopOfTable};
use crate::processor::{ProcessError, StreamOf, TableOf};
use crate::serde::{Changed, Data, Rank};
use crate::stream::stream_type::Sources;
use crate::stream::top_n::{PlannedTop, written};
use crate::stream::{IntoMaterialized, ListChange, Materialized, Stream};

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> GroupedTable<'b, K, V> {
    /// Ranks the rows of each group: a row with the `n` rows of the greatest rank, the greatest first.
    ///
    /// `rank` gives what rows are compared by: see [`Rank`]; `Reverse` puts the least first, a tuple says what decides between
    /// equals. Where that is equal too, the bytes of the rows decide. A row that changes moves in the list, one that is deleted
    /// leaves it, and the next one takes its place: all rows are kept, in the order of their ranks. A change comes out when the
    /// list changes, and only then; a group without rows has none.
    ///
    /// Stores the list, and besides each row of the table with its rank; name both with [`top_n_with`](Self::top_n_with).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// const BEST: Topic<String, Vec<i64>> = Topic::of("best");
    /// # let builder = StreamsBuilder::new();
    /// // Of all rows whose key begins alike the two greatest.
    /// builder
    ///     .table(&IN)
    ///     .group_by(|key, value| (key[..1].to_owned(), *value))
    ///     .top_n(2, |value| *value)
    ///     .to_stream()
    ///     .to(&BEST);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a1", 5).send("a2", 7).send("a3", 4).send_null("a2");
    /// assert_eq!(driver.output(&BEST).values(), [vec![5], vec![7, 5], vec![5, 4]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn top_n<R: Rank>(&self, n: usize, rank: impl Fn(&V) -> R + Send + Sync + 'static) -> Table<'b, K, Vec<V>> {
        self.top_n_with(Materialized::default(), n, rank)
    }

    /// As [`top_n`](Self::top_n), kept as the options say; a `&Store` names the store of the lists, and that of the entries
    /// after it: `<name>-entries`.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const BEST: Store<String, Vec<i64>> = Store::of("best");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).group_by(|_, value| ("all".to_owned(), *value)).top_n_with(&BEST, 3, |value| *value);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 5).send("b", 7).send("a", 8);
    /// assert_eq!(driver.store(&BEST).get("all"), Some(vec![8, 7]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn top_n_with<R: Rank>(
        &self,
        materialized: impl IntoMaterialized<K, Vec<V>>,
        n: usize,
        rank: impl Fn(&V) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, Vec<V>> {
        self.try_top_n_with(materialized, n, move |row| Ok::<_, ProcessError>(rank(row)))
    }

    /// As [`top_n_with`](Self::top_n_with), with a function that can fail; an error fails the task, naming the record that
    /// changed the row.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const GREATEST: Store<String, Vec<String>> = Store::of("greatest");
    /// # let builder = StreamsBuilder::new();
    /// let all = builder.table(&IN).group_by(|_, value| ("all".to_owned(), value.clone()));
    /// all.try_top_n_with(&GREATEST, 3, |value| value.parse::<i64>());
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "9").send("b", "10");
    /// assert_eq!(driver.store(&GREATEST).get("all"), Some(vec!["10".to_owned(), "9".to_owned()]));
    /// assert!(driver.input(&IN).try_send("c", "no number").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_top_n_with<R: Rank, E: Into<ProcessError>>(
        &self,
        materialized: impl IntoMaterialized<K, Vec<V>>,
        n: usize,
        rank: impl Fn(&V) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, Vec<V>> {
        let mut plan = self.builder.plan();
        let known = self.serdes.borrow().clone();
        let top = PlannedTop::new(&mut plan, "KTABLE-TOPN-STATE-STORE-", materialized.into_materialized(), n, known);
        let (node, kept, serdes) = (plan.names.later(), top.kept, top.serdes());
        let source = self.placed(&mut plan, node, top.store);
        plan.names.number_now(node, "KTABLE-TOPN-");
        let rank = written(rank);
        let step = plan.add(node, &[source], move |plan, builder| {
            top.lower::<StreamOf<K, Changed<V>>, _>((plan, builder), node, source, rank, TopOfTable);
        });
        drop(plan);
        Table::stored(self.builder, step, Sources::one(source), kept).with_serdes(serdes)
    }
}

impl<'b, K: Data<Plain = K>, V: Data<Plain = V> + Clone + PartialEq> Table<'b, K, Vec<V>> {
    /// Every entry that came into a row's list, and every one that left it, as a record of its own: the changes of a ranking.
    ///
    /// Those that left come first, in the order of the old list, then those that came, in that of the new one. An entry that only
    /// moved is not told of. Times and headers are those of the change. Stores nothing.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let best = builder.stream(&IN).group_by_key().top_n(2, |value| *value);
    /// best.list_changes().map_values(|change| format!("{change:?}")).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 5).send("a", 6).send("a", 7);
    /// assert_eq!(driver.output(&OUT).values(), ["Entered(5)", "Entered(6)", "Left(5)", "Entered(7)"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list_changes(&self) -> Stream<'b, K, ListChange<V>> {
        self.want_old(Demand::Force);
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered("KTABLE-LISTCHANGES-"));
        let step = plan.add(name, &[parent], move |plan, builder| {
            let (name, parent) = (plan.name(name), plan.node(parent));
            builder.add_operator::<TableOf<K, Vec<V>>, StreamOf<K, ListChange<V>>>(&name, &[&parent], ListChanges);
        });
        drop(plan);
        Stream::new(self.builder, step, self.sources.clone(), (self.serdes.0.clone(), None))
    }
}
