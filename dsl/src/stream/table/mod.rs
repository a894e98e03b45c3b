//! A table: the last row of each key, as the program's author sees it.
//!
//! Rule: a table knows how its rows are read and what can tell them as they were before a change; the stores for both exist
//! only if something below asks.

mod aggregation;
mod expire;
mod filter;
mod foreign_key;
mod foreign_key_plan;
mod group;
mod join;
mod join_plan;
mod map_values;
mod old_rows;
mod row;
mod source;
mod suppress;
mod to_table;
mod top_n;
mod transform_values;

use std::marker::PhantomData;

pub use group::GroupedTable;
pub(super) use old_rows::{Demand, OldRows};
pub(super) use row::{Row, WireReader};
pub(super) use source::{MakeSpec, plan_source, plan_store};
pub use suppress::{Buffer, BufferLimit, Eager, Strict, Suppressed};

use super::plan::{StepId, StoreId};
use super::stream_type::{KnownSerdes, Sources};
use super::{Materialized, Stream, StreamsBuilder};
use crate::operator::{TableStore, ToStream};
use crate::processor::{Operator, StreamOf, TableOf};
use crate::serde::Data;
use crate::state::KeyedRows;
use crate::topology::TopologyBuilder;

/// A table with keys `K` and rows `V`: a changelog read as its latest state. A row is never null; a deleted one is gone.
pub struct Table<'b, K: 'static, V: 'static> {
    pub(super) builder: &'b StreamsBuilder,
    pub(super) step: StepId,
    pub(super) sources: Sources,
    pub(super) row: Row<K, V>,
    pub(super) old_rows: OldRows,
    /// Serdes that are known because a topic, an option or a store named them.
    pub(super) serdes: KnownSerdes<K, V>,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> Clone for Table<'_, K, V> {
    fn clone(&self) -> Self {
        let (sources, row, old_rows) = (self.sources.clone(), self.row.clone(), self.old_rows.clone());
        Table { sources, row, old_rows, serdes: self.serdes.clone(), ..*self }
    }
}

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// The table behind `step`, with its rows in a store of its own.
    pub(super) fn stored(builder: &'b StreamsBuilder, step: StepId, sources: Sources, store: StoreId) -> Self
    where
        V: Send,
    {
        let row = Row::stored(store, &builder.plan());
        Table::new(builder, step, sources, (row, OldRows::stored(store)))
    }

    /// The table behind `step`, with its rows in a store of its own, of any kind.
    pub(super) fn stored_in<S: KeyedRows<Key = K, Value = V>>(
        builder: &'b StreamsBuilder,
        step: StepId,
        sources: Sources,
        store: StoreId,
    ) -> Self {
        Table::new(builder, step, sources, (Row::stored_in::<S>(store), OldRows::stored(store)))
    }

    /// The table behind `step`; how its rows are read, and what can tell them as they were before a change.
    pub(super) fn new(
        builder: &'b StreamsBuilder,
        step: StepId,
        sources: Sources,
        (row, old_rows): (Row<K, V>, OldRows),
    ) -> Self {
        Table { builder, step, sources, row, old_rows, serdes: (None, None), types: PhantomData }
    }

    pub(super) fn with_serdes(self, serdes: KnownSerdes<K, V>) -> Self {
        Table { serdes, ..self }
    }

    /// Asks this table for rows as they were before a change; says whether they will come.
    pub(super) fn want_old(&self, demand: Demand) -> bool {
        self.old_rows.want(&mut self.builder.plan(), demand)
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

    /// Plans a table without a store of its own; `lower` gets the node's name, its parent's, and whether it passes old rows
    /// on.
    fn computed<V2: Data<Plain = V2>>(
        &self,
        prefix: &str,
        row: Row<K, V2>,
        lower: impl FnOnce(&mut TopologyBuilder, &str, &str, bool) + 'static,
    ) -> Table<'b, K, V2> {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered(prefix));
        let old_rows = OldRows::computed(&self.old_rows);
        let sends_old = old_rows.clone();
        let step = plan.add(name, &[parent], move |plan, builder| {
            lower(builder, &plan.name(name), &plan.node(parent), sends_old.told());
        });
        drop(plan);
        let table = Table::new(self.builder, step, self.sources.clone(), (row, old_rows));
        table.with_serdes((self.serdes.0.clone(), None))
    }

    /// Plans a table that keeps its rows in the store of this name; `operator` gets the store. Its node is connected to
    /// `used` as well.
    fn kept<V2, O>(
        &self,
        prefix: &str,
        (name, materialized): (String, Materialized<K, V2>),
        used: &[&str],
        operator: impl FnOnce(TableStore<K, V2>) -> O + 'static,
    ) -> Table<'b, K, V2>
    where
        V2: Data<Plain = V2>,
        O: Operator<TableOf<K, V>, TableOf<K, V2>>,
    {
        let serdes = (materialized.key.clone().or(self.serdes.0.clone()), materialized.value.clone());
        let mut plan = self.builder.plan();
        let store_name = plan.names.fixed(&name);
        let (store, spec) = plan_store(&mut plan, store_name, materialized, true);
        let (parent, node) = (self.step, plan.names.numbered(prefix));
        let used: Vec<String> = used.iter().map(|store| (*store).to_owned()).collect();
        let step = plan.add(node, &[parent], move |plan, builder| {
            let (node, parent, sends_old) = (plan.name(node), plan.node(parent), plan.sends_old(store));
            let stores: Vec<&str> = used.iter().map(String::as_str).chain([&*name]).collect();
            let opened = name.clone();
            builder.add_operator_with::<TableOf<K, V>, TableOf<K, V2>, _>(&node, &[&parent], &stores, move |wiring| {
                operator(wiring.table_rows(&opened, sends_old))
            });
            builder.add_state_store(spec(&name), &[&node]);
        });
        drop(plan);
        Table::stored(self.builder, step, self.sources.clone(), store).with_serdes(serdes)
    }
}
