//! The nodes of a join of two tables: one for the changes of each side, and one that brings the results together.

use std::sync::Arc;

use super::{Demand, OldRows, Row, Table, plan_store};
use crate::operator::{JoinSide, JoinedRow, KeepJoined, PassOn, Required};
use crate::processor::{ProcessError, TableOf};
use crate::serde::Data;
use crate::stream::Materialized;
use crate::stream::lowering::Lowering;
use crate::stream::names::NameId;
use crate::stream::plan::{Plan, StepId};
use crate::stream::stream_type::check_builder;
use crate::topology::{TopologyBuilder, Wiring};

/// What makes a row of two, when all that must be there is there.
pub(super) type Joined<R> = Result<Option<R>, ProcessError>;

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// Plans a join whose rows are computed when they are read.
    pub(super) fn join_computed<V2: Data<Plain = V2>, R: Data<Plain = R>>(
        &self,
        other: &Table<'b, K, V2>,
        verb: &'static str,
        required: Required,
        join: impl Fn(&K, Option<&V>, Option<&V2>) -> Joined<R> + Send + Sync + 'static,
    ) -> Table<'b, K, R> {
        if !check_builder(self.builder, other.builder, verb) {
            return self.unjoined();
        }
        let join = Arc::new(join);
        let joined = join.clone();
        let row =
            self.row.joined(&other.row, move |left, right| JoinedRow { left, right, required, join: joined.clone() });
        let old_rows = OldRows::joined(&self.old_rows, &other.old_rows);
        let merge = self.builder.plan().names.numbered("KTABLE-MERGE-");
        let keep = |_: &Plan, builder: &mut TopologyBuilder, merge: &str, sides: &[&str]| {
            builder.add_operator::<TableOf<K, R>, TableOf<K, R>>(merge, sides, PassOn);
        };
        let step = self.plan_join(other, merge, required, old_rows.clone(), join, keep);
        self.join_result(step, other, (row, old_rows))
    }

    /// Plans a join with a store for its rows.
    pub(super) fn join_kept<V2: Data<Plain = V2>, R: Data<Plain = R> + Clone>(
        &self,
        other: &Table<'b, K, V2>,
        verb: &'static str,
        required: Required,
        materialized: Materialized<K, R>,
        join: impl Fn(&K, Option<&V>, Option<&V2>) -> Joined<R> + Send + Sync + 'static,
    ) -> Table<'b, K, R> {
        if !check_builder(self.builder, other.builder, verb) {
            return self.unjoined();
        }
        let mut plan = self.builder.plan();
        let value = materialized.value.clone();
        let name = match &materialized.name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered("KTABLE-MERGE-STATE-STORE-"),
        };
        let (store, spec) = plan_store(&mut plan, name, materialized, true);
        let merge = plan.names.numbered("KTABLE-MERGE-");
        drop(plan);
        let old_rows = OldRows::joined(&self.old_rows, &other.old_rows);
        let told = old_rows.clone();
        let keep = move |plan: &Plan, builder: &mut TopologyBuilder, merge: &str, sides: &[&str]| {
            let (name, sends_old) = (plan.name(name), told.told());
            let opened = name.clone();
            builder.add_operator_with::<TableOf<K, R>, TableOf<K, R>, _>(merge, sides, &[&name], move |wiring| {
                KeepJoined(wiring.table_rows(&opened, sends_old))
            });
            builder.add_state_store(spec(&name), &[merge]);
        };
        let step = self.plan_join(other, merge, required, old_rows.clone(), Arc::new(join), keep);
        let row = Row::stored(store, &self.builder.plan());
        let table = self.join_result(step, other, (row, old_rows));
        table.with_serdes((self.serdes.0.clone(), value))
    }

    /// Stands for a join with a table of another builder, whose places mean nothing here: the plan has a fault now and is
    /// never built.
    pub(super) fn unjoined<R: Data<Plain = R>>(&self) -> Table<'b, K, R> {
        let row = Row::new([], |_| Box::new(|_| unreachable!("a plan with a fault is not built")));
        Table::new(self.builder, self.step, self.sources.clone(), (row, OldRows::computed(&self.old_rows)))
    }

    fn join_result<V2, R: Data<Plain = R>>(
        &self,
        step: StepId,
        other: &Table<'b, K, V2>,
        rows: (Row<K, R>, OldRows),
    ) -> Table<'b, K, R> {
        let table = Table::new(self.builder, step, self.sources.and(&other.sources), rows);
        table.with_serdes((self.serdes.0.clone(), None))
    }

    /// Plans the node of each side, and with `keep` the one that brings them together.
    fn plan_join<V2: Data<Plain = V2>, R: Data<Plain = R>, F>(
        &self,
        other: &Table<'b, K, V2>,
        merge: NameId,
        required: Required,
        old_rows: OldRows,
        join: Arc<F>,
        keep: impl FnOnce(&Plan, &mut TopologyBuilder, &str, &[&str]) + 'static,
    ) -> StepId
    where
        F: Fn(&K, Option<&V>, Option<&V2>) -> Joined<R> + Send + Sync + 'static,
    {
        let mut plan = self.builder.plan();
        let this_name = plan.names.derived(merge, "-join-this", "KTABLE-JOINTHIS-");
        let other_name = plan.names.derived(merge, "-join-other", "KTABLE-JOINOTHER-");
        self.row.need(&mut plan);
        other.row.need(&mut plan);
        // Where a row alone makes a result, only its old one tells whether its delete changes anything.
        if !required.other {
            self.old_rows.want(&mut plan, Demand::Force);
        }
        if !required.this {
            other.old_rows.want(&mut plan, Demand::Force);
        }
        let (left, right) = ((self.step, self.row.clone()), (other.step, other.row.clone()));
        let sources = self.sources.and(&other.sources);
        plan.add(merge, &[self.step, other.step], move |plan, builder| {
            let sends_old = old_rows.told();
            let turned = join.clone();
            let join = move |key: &K, row: Option<&V>, other: Option<&V2>| join(key, row, other);
            let turned = move |key: &K, row: Option<&V2>, other: Option<&V>| turned(key, other, row);
            let sides = [plan.name(this_name), plan.name(other_name)];
            add_side::<K, V, V2, R, _>((plan, builder), &sides[0], left.0, &right.1, (required, sends_old), join);
            add_side::<K, V2, V, R, _>(
                (plan, builder),
                &sides[1],
                right.0,
                &left.1,
                (required.turned(), sends_old),
                turned,
            );
            keep(plan, builder, &plan.name(merge), &[&sides[0], &sides[1]]);
            plan.copartition(&sources, builder);
        })
    }
}

/// Adds the node that joins the changes of one side with the rows of the other.
fn add_side<K: 'static, V: 'static, V2: 'static, R: 'static, F>(
    (plan, builder): (&Lowering<'_>, &mut TopologyBuilder),
    name: &str,
    parent: StepId,
    other: &Row<K, V2>,
    (required, sends_old): (Required, bool),
    join: F,
) where
    F: Fn(&K, Option<&V>, Option<&V2>) -> Joined<R> + Send + Sync + 'static,
{
    let (stores, reader) = (other.store_names(plan), other.reader(plan));
    let stores: Vec<&str> = stores.iter().map(|store| &**store).collect();
    let (parent, make) = (plan.node(parent), move |wiring: &mut Wiring<'_>| JoinSide {
        other: reader(wiring),
        required,
        sends_old,
        join,
    });
    builder.add_operator_with::<TableOf<K, V>, TableOf<K, R>, _>(name, &[&parent], &stores, make);
}
