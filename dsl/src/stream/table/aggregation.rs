//! Verbs of a grouped table: a row per group, folded from the rows that belong to it now.

use super::{GroupedTable, Table};
use crate::operator::FoldGroup;
use crate::processor::{ProcessError, StreamOf, TableOf};
use crate::serde::{Changed, Data};
use crate::stream::stream_type::{Sources, serde_for};
use crate::stream::{IntoMaterialized, Materialized};

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> GroupedTable<'b, K, V> {
    /// Counts the rows of each group.
    ///
    /// A row per group, on disk, with a changelog; it stays at 0 when the last row has left. Its time is the greatest of its
    /// changes. Every update comes out. Name the store with [`count_with`](Self::count_with): a numbered name moves when an
    /// operator is added upstream. For an example see [`group_by`](Table::group_by).
    pub fn count(&self) -> Table<'b, K, i64> {
        self.count_with(Materialized::default())
    }

    /// As [`count`](Self::count), kept as the options say; a `&Store` names the store.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const CITIES: Topic<String, String> = Topic::of("cities");
    /// use tidemill_dsl::state::Store;
    ///
    /// const PEOPLE: Store<String, i64> = Store::of("people");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&CITIES).group_by(|person, city| (city.clone(), person.clone())).count_with(&PEOPLE);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&CITIES).send("ada", "London");
    /// driver.input(&CITIES).send("bob", "London");
    /// driver.input(&CITIES).send_null("ada");
    /// assert_eq!(driver.store(&PEOPLE).get("London"), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_with(&self, materialized: impl IntoMaterialized<K, i64>) -> Table<'b, K, i64> {
        let add = |count: Option<i64>, _: &K, _: &V| Ok(Some(count.unwrap_or(0) + 1));
        let subtract = |count: i64, _: &K, _: &V| Ok(Some(count - 1));
        self.folded("KTABLE-AGGREGATE-", materialized.into_materialized(), add, subtract)
    }

    /// Combines the rows of each group: `add` puts a value in, `subtract` takes one out; the first one is the group's row as
    /// it is. Either may give `None` to delete the row.
    ///
    /// A row per group, on disk, with a changelog; its time is the greatest of its changes. Every update comes out; of a row
    /// that changes within its group only the end is seen.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .table(&IN)
    ///     .group_by(|key, value| (key[..1].to_owned(), *value))
    ///     .reduce(|sum, value| sum + value, |sum, value| sum - value)
    ///     .to_stream()
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a1", 5);
    /// driver.input(&IN).send("a2", 6);
    /// driver.input(&IN).send("a1", 7);
    /// assert_eq!(driver.output(&OUT).values(), [5, 11, 13]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce<R: Into<Option<V>>, S: Into<Option<V>>>(
        &self,
        add: impl Fn(V, &V) -> R + Send + Sync + 'static,
        subtract: impl Fn(V, &V) -> S + Send + Sync + 'static,
    ) -> Table<'b, K, V>
    where
        V: Clone,
    {
        self.reduce_with(Materialized::default(), add, subtract)
    }

    /// As [`reduce`](Self::reduce), kept as the options say; a `&Store` names the store.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const SUMS: Store<String, i64> = Store::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// let grouped = builder.table(&IN).group_by(|_key, value| (if *value < 9 { "low" } else { "high" }.to_owned(), *value));
    /// grouped.reduce_with(&SUMS, |sum, value| sum + value, |sum, value| Some(sum - value).filter(|sum| *sum != 0));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 8);
    /// driver.input(&IN).send("a", 10);
    /// assert_eq!(driver.store(&SUMS).get("low"), None);
    /// assert_eq!(driver.store(&SUMS).get("high"), Some(10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce_with<R: Into<Option<V>>, S: Into<Option<V>>>(
        &self,
        materialized: impl IntoMaterialized<K, V>,
        add: impl Fn(V, &V) -> R + Send + Sync + 'static,
        subtract: impl Fn(V, &V) -> S + Send + Sync + 'static,
    ) -> Table<'b, K, V>
    where
        V: Clone,
    {
        self.try_reduce_with(
            materialized,
            move |row, value| Ok::<_, ProcessError>(add(row, value)),
            move |row, value| Ok::<_, ProcessError>(subtract(row, value)),
        )
    }

    /// As [`reduce_with`](Self::reduce_with), with functions that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, u64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const SUMS: Store<String, u64> = Store::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).group_by(|key, value| (key[..1].to_owned(), *value)).try_reduce_with(
    ///     &SUMS,
    ///     |sum, value| sum.checked_add(*value).ok_or("overflow"),
    ///     |sum, value| sum.checked_sub(*value).ok_or("taken out twice"),
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a1", u64::MAX);
    /// assert!(driver.input(&IN).try_send("a2", 1_u64).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reduce_with<R: Into<Option<V>>, S: Into<Option<V>>, E: Into<ProcessError>>(
        &self,
        materialized: impl IntoMaterialized<K, V>,
        add: impl Fn(V, &V) -> Result<R, E> + Send + Sync + 'static,
        subtract: impl Fn(V, &V) -> Result<S, E> + Send + Sync + 'static,
    ) -> Table<'b, K, V>
    where
        V: Clone,
    {
        let add = move |row: Option<V>, _: &K, value: &V| match row {
            Some(row) => add(row, value).map(Into::into).map_err(Into::into),
            None => Ok(Some(value.clone())),
        };
        let subtract = move |row, _: &K, value: &V| subtract(row, value).map(Into::into).map_err(Into::into);
        self.folded("KTABLE-REDUCE-", materialized.into_materialized(), add, subtract)
    }

    /// Folds the rows of each group: `initial` makes the first state, `add` puts a value in, `subtract` takes one out; they
    /// give the new state, or `None` to delete the group's row.
    ///
    /// `initial` may give an `Option` of the row: then `add` and `subtract` take that. The rows are kept as the options say; a
    /// `&Store` keeps them on disk, with a changelog, under its name. A row's time is the greatest of its changes. Every
    /// update comes out; of a row that changes within its group only the end is seen, after `subtract` and `add`.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use tidemill_dsl::state::Store;
    ///
    /// const STORIES: Store<String, String> = Store::of("stories");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .table(&IN)
    ///     .group_by(|key, value| (key[..1].to_owned(), value.clone()))
    ///     .aggregate(&STORIES, String::new, |story, _, new| story + "+" + new, |story, _, old| story + "-" + old)
    ///     .to_stream()
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a1", "x");
    /// driver.input(&IN).send("a1", "y");
    /// assert_eq!(driver.output(&OUT).values(), ["+x", "+x-x+y"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A, T, R, S>(
        &self,
        materialized: impl IntoMaterialized<K, A>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        add: impl Fn(T, &K, &V) -> R + Send + Sync + 'static,
        subtract: impl Fn(T, &K, &V) -> S + Send + Sync + 'static,
    ) -> Table<'b, K, A>
    where
        A: Data<Plain = A>,
        T: From<A> + 'static,
        R: Into<Option<A>>,
        S: Into<Option<A>>,
    {
        self.try_aggregate(
            materialized,
            initial,
            move |row, key, value| Ok::<_, ProcessError>(add(row, key, value)),
            move |row, key, value| Ok::<_, ProcessError>(subtract(row, key, value)),
        )
    }

    /// As [`aggregate`](Self::aggregate), with functions that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, u64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const SUMS: Store<String, u64> = Store::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).group_by(|key, value| (key[..1].to_owned(), *value)).try_aggregate(
    ///     &SUMS,
    ///     || 0,
    ///     |sum: u64, _group, value| sum.checked_add(*value).ok_or("overflow"),
    ///     |sum: u64, _group, value| sum.checked_sub(*value).ok_or("taken out twice"),
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a1", u64::MAX);
    /// assert!(driver.input(&IN).try_send("a2", 1_u64).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_aggregate<A, T, R, S, E>(
        &self,
        materialized: impl IntoMaterialized<K, A>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        add: impl Fn(T, &K, &V) -> Result<R, E> + Send + Sync + 'static,
        subtract: impl Fn(T, &K, &V) -> Result<S, E> + Send + Sync + 'static,
    ) -> Table<'b, K, A>
    where
        A: Data<Plain = A>,
        T: From<A> + 'static,
        R: Into<Option<A>>,
        S: Into<Option<A>>,
        E: Into<ProcessError>,
    {
        let add = move |row: Option<A>, key: &K, value: &V| {
            add(row.map_or_else(&initial, T::from), key, value).map(Into::into).map_err(Into::into)
        };
        let subtract =
            move |row: A, key: &K, value: &V| subtract(T::from(row), key, value).map(Into::into).map_err(Into::into);
        self.folded("KTABLE-AGGREGATE-", materialized.into_materialized(), add, subtract)
    }

    /// Plans an aggregation with its store, behind the repartition topic.
    fn folded<A: Data<Plain = A>>(
        &self,
        prefix: &'static str,
        materialized: Materialized<K, A>,
        add: impl Fn(Option<A>, &K, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
        subtract: impl Fn(A, &K, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
    ) -> Table<'b, K, A> {
        let mut plan = self.builder.plan();
        let store = match &materialized.name {
            Some(name) => plan.names.fixed(name),
            // Also for `reduce`, as in Kafka Streams.
            None => plan.names.numbered("KTABLE-AGGREGATE-STATE-STORE-"),
        };
        plan.persistent.push(store);
        let kept = plan.add_store(store, true);
        plan.keep_versions(kept, materialized.versions());
        let key = serde_for(&mut plan, materialized.key.clone().or(self.serdes.borrow().0.clone()), "key of a store");
        let value = serde_for(&mut plan, materialized.value.clone(), "value of a store");
        let serdes = (key.clone(), value.clone());
        let table = plan.names.later();
        let source = self.placed(&mut plan, table, store);
        plan.names.number_now(table, prefix);
        let step = plan.add(table, &[source], move |plan, builder| {
            // Without serdes the plan has a fault already.
            let (Some(store), Some((key, value))) = (plan.store(kept), key.zip(value)) else { return };
            let (name, sends_old, opened) = (plan.name(table), plan.sends_old(kept), store.clone());
            builder.add_operator_with::<StreamOf<K, Changed<V>>, TableOf<K, A>, _>(
                &name,
                &[&plan.node(source)],
                &[&store],
                move |wiring| FoldGroup { store: wiring.table_rows(&opened, sends_old), add, subtract },
            );
            builder.add_state_store(materialized.spec(&store, key, value), &[&name]);
        });
        drop(plan);
        Table::stored(self.builder, step, Sources::one(source), kept).with_serdes(serdes)
    }
}
