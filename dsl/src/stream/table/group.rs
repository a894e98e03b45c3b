//! `group_by`: the rows of a table by another key.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{Demand, Table};
use crate::operator::GroupTable;
use crate::processor::{ProcessError, StreamOf, TableOf};
use crate::serde::{Changed, ChangedSerde, Data, SerdeRef};
use crate::stream::names::NameId;
use crate::stream::plan::{Plan, StepId};
use crate::stream::stream_type::{KnownSerdes, serde_for};
use crate::stream::{Grouped, StreamsBuilder};
use crate::topology::{Sink, Source};

/// A table whose rows with equal new keys meet. Its verbs are `count`, `reduce` and `aggregate`.
///
/// Each has two functions: one puts a row into its group, one takes it out again. A row that changes is taken out as it was
/// and put in as it is.
pub struct GroupedTable<'b, K: 'static, V: 'static> {
    pub(super) builder: &'b StreamsBuilder,
    select: StepId,
    /// The name of the node that selects, and of the grouping.
    base: NameId,
    /// Known when the plan is lowered: `with` may still set them.
    pub(super) serdes: Rc<RefCell<KnownSerdes<K, V>>>,
    /// The repartition topic that a named grouping shares between its aggregations.
    shared: Cell<Option<StepId>>,
}

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// Groups the rows by a new key: `select` gives the group's key and what the row counts for there, or `None` for a row
    /// that belongs to no group.
    ///
    /// `select` is called for rows as they were before a change too, so it must give the same for the same row. Every change
    /// goes through a repartition topic to the task of its group; [`named`](GroupedTable::named) names it. A row that moves
    /// leaves its old group before it enters the new one; the two may lie in different tasks, so for a moment it is in
    /// neither, or in both. Keeps the rows of this table, because it needs them as they were.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const CITIES: Topic<String, String> = Topic::of("cities");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// // Person -> city; how many live in each?
    /// builder
    ///     .table(&CITIES)
    ///     .group_by(|person, city| (city.clone(), person.clone()))
    ///     .count()
    ///     .to_stream()
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&CITIES).send("ada", "London");
    /// driver.input(&CITIES).send("ada", "Paris");
    /// let counts = [("London".into(), 1), ("London".into(), 0), ("Paris".into(), 1)];
    /// assert_eq!(driver.output(&OUT).key_values(), counts);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by<K2, V2, R>(&self, select: impl Fn(&K, &V) -> R + Send + Sync + 'static) -> GroupedTable<'b, K2, V2>
    where
        K2: Data<Plain = K2>,
        V2: Data<Plain = V2>,
        R: Into<Option<(K2, V2)>>,
    {
        self.try_group_by(move |key, row| Ok::<_, ProcessError>(select(key, row)))
    }

    /// As [`group_by`](Self::group_by), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const COUNTS: Topic<i64, i64> = Topic::of("counts");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .table(&IN)
    ///     .try_group_by(|_key, row| row.parse::<i64>().map(|number| (number % 10, number)))
    ///     .count()
    ///     .to_stream()
    ///     .to(&COUNTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "17");
    /// assert_eq!(driver.output(&COUNTS).key_values(), [(7, 1)]);
    /// assert!(driver.input(&IN).try_send("b", "seven").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_group_by<K2, V2, R, E>(
        &self,
        select: impl Fn(&K, &V) -> Result<R, E> + Send + Sync + 'static,
    ) -> GroupedTable<'b, K2, V2>
    where
        K2: Data<Plain = K2>,
        V2: Data<Plain = V2>,
        R: Into<Option<(K2, V2)>>,
        E: Into<ProcessError>,
    {
        let mut plan = self.builder.plan();
        let (parent, base) = (self.step, plan.names.numbered("KTABLE-SELECT-"));
        let serdes: Rc<RefCell<KnownSerdes<K2, V2>>> = Rc::default();
        let known = serdes.clone();
        let step = plan.add(base, &[parent], move |plan, builder| {
            // Without a serde the plan has a fault already.
            let Some(key) = known.borrow().0.clone().or_else(|| K2::OWN_SERDE.map(SerdeRef::Static)) else { return };
            let select = move |key: &K, row: &V| select(key, row).map(Into::into).map_err(Into::into);
            let group = GroupTable { key, select };
            let (name, parent) = (plan.name(base), plan.node(parent));
            builder.add_operator::<TableOf<K, V>, StreamOf<K2, Changed<V2>>>(&name, &[&parent], group);
        });
        drop(plan);
        self.want_old(Demand::Force);
        GroupedTable { builder: self.builder, select: step, base, serdes, shared: Cell::new(None) }
    }
}

impl<K: Data<Plain = K>, V: Data<Plain = V>> GroupedTable<'_, K, V> {
    /// Names the grouping: its repartition topic is `<application>-<name>-repartition`, and all aggregations of this grouping
    /// share it.
    #[must_use = "the name belongs to the grouping"]
    pub fn named(self, name: &str) -> Self {
        self.builder.plan().names.give(self.base, name);
        self
    }

    /// Serdes for the repartition topic, in place of the types' own.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use tidemill_dsl::serde::SerdeRef;
    /// use tidemill_dsl::stream::Grouped;
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .table(&IN)
    ///     .group_by(|key, value| (key[..1].to_owned(), *value))
    ///     .with(Grouped::with(SerdeRef::json(), SerdeRef::json())) // JSON in the repartition topic
    ///     .reduce(|sum, value| sum + value, |sum, value| sum - value)
    ///     .to_stream()
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a1", 5);
    /// driver.input(&IN).send("a2", 6);
    /// assert_eq!(driver.output(&OUT).values(), [5, 11]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the serdes belong to the grouping"]
    pub fn with(self, grouped: Grouped<K, V>) -> Self {
        self.serdes.replace((grouped.key, grouped.value));
        self
    }

    /// Plans the repartition topic of an aggregation, called after the grouping if that has a name, else after the store;
    /// gives the step of its source. Its two nodes are called after the table.
    pub(super) fn placed(&self, plan: &mut Plan, table: NameId, store: NameId) -> StepId {
        let sink = plan.names.derived(table, "-sink", "KSTREAM-SINK-");
        let source = plan.names.derived(table, "-source", "KSTREAM-SOURCE-");
        let named = plan.names.is_given(self.base);
        if let (true, Some(shared)) = (named, self.shared.get()) {
            return shared;
        }
        let base = if named { self.base } else { store };
        plan.persistent.push(base);
        let (key, value) = self.serdes.borrow().clone();
        let key = serde_for(plan, key, "key of a repartition topic");
        let value = serde_for(plan, value, "value of a repartition topic");
        let select = self.select;
        let step = plan.add(source, &[select], move |plan, builder| {
            // Without a serde the plan has a fault already.
            let (Some(key), Some(value)) = (key, value) else { return };
            let value = SerdeRef::new(ChangedSerde(value));
            let topic = format!("{}-repartition", plan.name(base));
            builder.add_sink(&plan.name(sink), &[&plan.node(select)], Sink::internal(&topic, &key, &value));
            builder.add_source(&plan.name(source), Source::internal(&topic, &key, &value));
        });
        self.shared.set(Some(step));
        step
    }
}
