//! A table's `transform_values`: a function that may use stores. Called for rows that are gone too.

use std::sync::Arc;

use super::ReadRow;
use super::TableStore;
use super::read_row::{Fetched, Visit};
use crate::processor::{Flow, NodeContext, NodeHead, Operator, ProcessError, RowContext, TableOf, TaskState};
use crate::record::{Change, Timestamp};

pub(crate) struct TableTransformValues<K: 'static, V2: 'static, F> {
    pub(crate) transform: Arc<F>,
    /// Where the transformed rows are kept, if they are.
    pub(crate) store: Option<TableStore<K, V2>>,
    /// Whether a node below wants the row as it was before the change, transformed too; of use without a store only.
    pub(crate) sends_old: bool,
}

impl<K, V, V2, F> Operator<TableOf<K, V>, TableOf<K, V2>> for TableTransformValues<K, V2, F>
where
    K: 'static,
    V: 'static,
    V2: Send + 'static,
    F: Fn(&K, Option<&V>, &mut RowContext<'_>) -> Result<Option<V2>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V2>>) -> Flow {
        let Change { key, timestamp, headers, is_latest, .. } = change;
        let new = (self.transform)(key, change.new.as_ref(), &mut ctx.row_context(timestamp, headers))?;
        if let Some(store) = &self.store {
            return store.put(key, (new, timestamp), change, ctx);
        }
        let old = change.old.filter(|_| self.sends_old);
        let old =
            old.map(|old| (self.transform)(key, old.as_ref(), &mut ctx.row_context(timestamp, headers))).transpose()?;
        ctx.push(Change { key, new: &new, old: old.as_ref(), timestamp, headers, is_latest })
    }
}

/// A row transformed when it is read.
pub(crate) struct TransformedRow<K, V, F> {
    pub(crate) above: Box<dyn ReadRow<K, V>>,
    pub(crate) transform: Arc<F>,
    /// The node that reads, which is connected to the stores of the function too.
    pub(crate) reader: NodeHead,
}

impl<K, V, V2, F> ReadRow<K, V2> for TransformedRow<K, V, F>
where
    F: Fn(&K, Option<&V>, &mut RowContext<'_>) -> Result<Option<V2>, ProcessError> + Send + Sync,
{
    fn read(
        &self,
        key: &K,
        as_of: Option<Timestamp>,
        task: &mut TaskState,
        visit: Visit<'_, V2>,
    ) -> Result<(), ProcessError> {
        let row = self.fetch(key, as_of, task)?;
        visit(row.as_ref().map(|(value, timestamp)| (value, *timestamp)))
    }

    fn fetch(&self, key: &K, as_of: Option<Timestamp>, task: &mut TaskState) -> Result<Fetched<V2>, ProcessError> {
        let (value, timestamp) = self.above.fetch(key, as_of, task)?.unzip();
        let transformed =
            (self.transform)(key, value.as_ref(), &mut RowContext::of_lookup(&self.reader, task, timestamp))?;
        // A value made for a row that is not there has no time of its own, so it has the earliest one.
        Ok(transformed.map(|value| (value, timestamp.unwrap_or(Timestamp::ZERO))))
    }
}
