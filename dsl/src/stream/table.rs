//! A table: the last row of each key, as the program's author sees it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::names::NameId;
use super::plan::{Plan, StepId, StoreId};
use super::repartition::{Repartition, plan_repartition};
use super::stream_type::{Sources, serde_for};
use super::{Materialized, Stream, StreamsBuilder};
use crate::operator::{FilteredRow, MappedRow, ReadRow, StoredRow, TableFilter, TableMapValues, TableSource, ToStream};
use crate::processor::{ProcessError, StreamOf, TableOf};
use crate::serde::Data;
use crate::state::StoreSpec;
use crate::topology::{TopologyBuilder, Wiring};

/// Makes the reader of a row when the topology is put together; given the name of the store above.
type MakeReader<K, V> = Rc<dyn Fn(&Wiring<'_>, &str) -> Box<dyn ReadRow<K, V>>>;

/// Where a table's rows can be read.
pub(super) enum Row<K, V> {
    /// In a store.
    Stored { store: StoreId, name: NameId },
    /// Computed from the rows of a store above.
    Derived { store: StoreId, name: NameId, make: MakeReader<K, V> },
}

impl<K, V> Clone for Row<K, V> {
    fn clone(&self) -> Self {
        match self {
            Row::Stored { store, name } => Row::Stored { store: *store, name: *name },
            Row::Derived { store, name, make } => Row::Derived { store: *store, name: *name, make: make.clone() },
        }
    }
}

impl<K: 'static, V: Send + 'static> Row<K, V> {
    /// The store that has to be kept for the rows to be read, and its name.
    pub(super) fn store(&self) -> (StoreId, NameId) {
        match self {
            Row::Stored { store, name } | Row::Derived { store, name, .. } => (*store, *name),
        }
    }

    pub(super) fn reader(&self) -> MakeReader<K, V> {
        match self {
            Row::Stored { .. } => Rc::new(|wiring, store| Box::new(StoredRow(wiring.store(store)))),
            Row::Derived { make, .. } => make.clone(),
        }
    }
}

/// A table with keys `K` and rows `V`: a changelog read as its latest state. A row is never null; a deleted one is gone.
pub struct Table<'b, K: 'static, V: 'static> {
    pub(super) builder: &'b StreamsBuilder,
    pub(super) step: StepId,
    pub(super) sources: Sources,
    pub(super) row: Row<K, V>,
    /// For this table and those above it, down from the one with the store: whether the node passes old rows on.
    sends_old: Vec<Rc<Cell<bool>>>,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> Clone for Table<'_, K, V> {
    fn clone(&self) -> Self {
        Table { sources: self.sources.clone(), row: self.row.clone(), sends_old: self.sends_old.clone(), ..*self }
    }
}

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    pub(super) fn new(builder: &'b StreamsBuilder, step: StepId, sources: Sources, row: Row<K, V>) -> Self {
        Table { builder, step, sources, row, sends_old: Vec::new(), types: PhantomData }
    }

    /// Gives the node that the last verb made a name of its own; where that verb made a repartition topic, the topic is
    /// called after it too.
    #[must_use = "the name belongs to the node, and the table goes on from it"]
    pub fn named(self, name: &str) -> Self {
        let mut plan = self.builder.plan();
        let id = plan.naming(self.step);
        plan.names.give(id, name);
        drop(plan);
        self
    }

    /// Every change as a record: the new row, or no value for a deleted one.
    ///
    /// Order and times are those of the changes. Stores nothing.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).to_stream().to(&OUT); // a stream of Option<i64> fits into a topic of i64
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// driver.input(&IN).send_null("a");
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(1), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_stream(&self) -> Stream<'b, K, Option<V>> {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered("KTABLE-TOSTREAM-"));
        let step = plan.add(name, &[parent], move |plan, builder| {
            let (name, parent) = (plan.name(name), plan.node(parent));
            builder.add_operator::<TableOf<K, V>, StreamOf<K, Option<V>>>(&name, &[&parent], ToStream);
        });
        drop(plan);
        Stream::new(self.builder, step, self.sources.clone(), (None, None))
    }

    /// Keeps the rows for which `predicate` holds; a row that does not pass is a row that is gone.
    ///
    /// Order and times are unchanged. Stores nothing: joins compute the row from the table above. If the rows of that table
    /// are kept, a row that neither passes nor passed before makes no change; else every row that does not pass comes out as
    /// a deleted one.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).filter(|_key, value| *value > 0).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// driver.input(&IN).send("a", -1);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(1), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Table<'b, K, V> {
        let predicate = Arc::new(move |key: &K, value: &V| Ok::<_, ProcessError>(predicate(key, value)));
        let (make, kept) = (self.row.reader(), predicate.clone());
        let reader: MakeReader<K, V> =
            Rc::new(move |wiring, store| Box::new(FilteredRow { above: make(wiring, store), predicate: kept.clone() }));
        let sends_old = self.want_old();
        self.derived("KTABLE-FILTER-", sends_old, reader, move |builder, name, parent, sends_old| {
            let filter = TableFilter { predicate, sends_old };
            builder.add_operator::<TableOf<K, V>, TableOf<K, V>>(name, &[parent], filter);
        })
    }

    /// Keeps the rows for which `predicate` does not hold. See [`filter`](Self::filter).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).filter_not(|_key, value| *value > 0).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", -1);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(-1), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Table<'b, K, V> {
        self.filter(move |key, value| !predicate(key, value))
    }

    /// Makes a new row from each row, or `None` for a row that is gone. Not called for deleted rows.
    ///
    /// Order and times are unchanged. Stores nothing: joins compute the row from the table above.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).map_values(|key, value| format!("{key}={value}")).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some("a=1".into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values<V2: Data<Plain = V2>, R: Into<Option<V2>>>(
        &self,
        map: impl Fn(&K, &V) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, V2> {
        let map = Arc::new(move |key: &K, value: &V| Ok::<_, ProcessError>(map(key, value).into()));
        let (make, kept) = (self.row.reader(), map.clone());
        let reader: MakeReader<K, V2> =
            Rc::new(move |wiring, store| Box::new(MappedRow { above: make(wiring, store), map: kept.clone() }));
        self.derived("KTABLE-MAPVALUES-", false, reader, move |builder, name, parent, sends_old| {
            let map = TableMapValues { map, sends_old };
            builder.add_operator::<TableOf<K, V>, TableOf<K, V2>>(name, &[parent], map);
        })
    }

    /// Plans a table without a store of its own.
    fn derived<V2: Data<Plain = V2>>(
        &self,
        prefix: &str,
        sends_old: bool,
        make: MakeReader<K, V2>,
        lower: impl FnOnce(&mut TopologyBuilder, &str, &str, bool) + 'static,
    ) -> Table<'b, K, V2> {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered(prefix));
        let sends_old = Rc::new(Cell::new(sends_old));
        let lineage = self.sends_old.iter().chain([&sends_old]).cloned().collect();
        let step = plan.add(name, &[parent], move |plan, builder| {
            lower(builder, &plan.name(name), &plan.node(parent), sends_old.get());
        });
        drop(plan);
        let (store, store_name) = self.row.store();
        let row = Row::Derived { store, name: store_name, make };
        Table { sends_old: lineage, ..Table::new(self.builder, step, self.sources.clone(), row) }
    }

    /// Asks this table for rows as they were before a change; whether it will tell depends on what has needed its rows up
    /// to now.
    fn want_old(&self) -> bool {
        let told = self.builder.plan().want_old(self.row.store().0);
        if told {
            self.sends_old.iter().for_each(|node| node.set(true));
        }
        told
    }
}

/// Makes the specification of a store once its name is known.
type MakeSpec = Box<dyn FnOnce(&str) -> StoreSpec>;

/// Plans the node that makes records into rows, with its store if that is needed in the end.
pub(super) fn plan_source<K: Data, V: Data<Plain: Clone>>(
    plan: &mut Plan,
    parent: StepId,
    name: NameId,
    store: StoreId,
    spec: MakeSpec,
) -> StepId {
    plan.add(name, &[parent], move |plan, builder| {
        let (name, parent) = (plan.name(name), plan.node(parent));
        type Out<K, V> = TableOf<<K as Data>::Plain, <V as Data>::Plain>;
        let sends_old = plan.sends_old(store);
        let Some(store) = plan.store(store) else {
            let passing = TableSource { store: None };
            builder.add_operator::<StreamOf<K, V>, Out<K, V>>(&name, &[&parent], passing);
            return;
        };
        let opened = store.clone();
        builder.add_operator_with::<StreamOf<K, V>, Out<K, V>, _>(&name, &[&parent], &[&store], move |wiring| {
            TableSource { store: Some(wiring.store(&opened).sending_old(sends_old)) }
        });
        builder.add_state_store(spec(&store), &[&name]);
    })
}

impl<'b, K: Data, V: Data<Plain: Clone>> Stream<'b, K, V> {
    /// The stream as a table: the last record of a key is its row.
    ///
    /// A record without value deletes the row; one without key is dropped and counted. If the key may have changed, the
    /// records go through a repartition topic first. Stores the rows only if something reads them, such as a join.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).map_values(|value| value * 2).to_table().to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_table(&self) -> Table<'b, K::Plain, V::Plain> {
        self.to_table_with(Materialized::default())
    }

    /// As [`to_table`](Self::to_table), kept as the options say; a `&Store` keeps the rows under its name, for queries.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const DOUBLES: Store<String, i64> = Store::of("doubles");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).map_values(|value| value * 2).to_table_with(&DOUBLES);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 4);
    /// assert_eq!(driver.store(&DOUBLES).get("a"), Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_table_with(
        &self,
        materialized: impl Into<Materialized<K::Plain, V::Plain>>,
    ) -> Table<'b, K::Plain, V::Plain> {
        let materialized = materialized.into();
        let mut plan = self.builder.plan();
        let name = plan.names.numbered("KSTREAM-TOTABLE-");
        let store_name = match &materialized.name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered("KSTREAM-TOTABLE-STATE-STORE-"),
        };
        let store = plan.add_store(store_name, materialized.name.is_some());
        plan.persistent.push(store_name);
        let key = serde_for(&mut plan, materialized.key.clone(), "key of a store");
        let value = serde_for(&mut plan, materialized.value.clone(), "value of a store");
        let (mut parent, mut sources) = (self.step, self.sources.clone());
        if self.rekeyed {
            parent = plan_repartition(&mut plan, self.step, Repartition::new(name, &self.serdes));
            sources = Sources::one(parent);
        }
        let spec: MakeSpec = match key.zip(value) {
            Some((key, value)) => Box::new(move |name| materialized.spec(name, key, value)),
            None => Box::new(|_| unreachable!("a plan with a fault is not built")),
        };
        let step = plan_source::<K, V>(&mut plan, parent, name, store, spec);
        drop(plan);
        Table::new(self.builder, step, sources, Row::Stored { store, name: store_name })
    }
}
