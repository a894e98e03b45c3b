//! A table's `filter`: a row that does not pass is a row that is gone.

use std::sync::Arc;

use super::TableStore;
use crate::processor::{Flow, NodeContext, Operator, ProcessError, TableOf};
use crate::record::Change;

/// A filter without a store.
pub(crate) struct TableFilter<F> {
    pub(crate) predicate: Arc<F>,
    /// Whether it looks at the row before the change, where the table above tells it.
    pub(crate) sends_old: bool,
    /// Whether the table above keeps versions. Then a row that does not pass says something about its time, whatever the
    /// row before did.
    pub(crate) versioned: bool,
}

impl<K, V, F> Operator<TableOf<K, V>, TableOf<K, V>> for TableFilter<F>
where
    K: 'static,
    V: 'static,
    F: Fn(&K, &V) -> Result<bool, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Flow {
        let passing = |row| passing(&*self.predicate, change.key, row);
        let new = passing(change.new)?;
        let old = change.old.filter(|_| self.sends_old).map(passing).transpose()?;
        // Without the old row nobody knows whether it had passed, so the tombstone goes out then.
        if !self.versioned && new.is_none() && old.is_some_and(Option::is_none) {
            return Ok(());
        }
        ctx.push(Change { new, old, ..change })
    }
}

/// A filter that keeps the rows that pass.
pub(crate) struct StoredTableFilter<K: 'static, V: 'static, F> {
    pub(crate) predicate: Arc<F>,
    pub(crate) store: TableStore<K, V>,
    /// Whether a row that does not pass makes no change where none was kept.
    pub(crate) drops_absent: bool,
}

impl<K, V, F> Operator<TableOf<K, V>, TableOf<K, V>> for StoredTableFilter<K, V, F>
where
    K: 'static,
    V: Clone + Send + 'static,
    F: Fn(&K, &V) -> Result<bool, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Flow {
        let Change { key, timestamp, .. } = change;
        let new = passing(&*self.predicate, key, change.new)?;
        if new.is_none() && self.drops_absent && !self.store.has_row(key, ctx.task())? {
            return Ok(());
        }
        self.store.put(key, (new.clone(), timestamp), change, ctx)
    }
}

/// The row if it passes.
fn passing<'a, K, V>(
    predicate: &impl Fn(&K, &V) -> Result<bool, ProcessError>,
    key: &K,
    row: &'a Option<V>,
) -> Result<&'a Option<V>, ProcessError> {
    let passes = row.as_ref().map(|value| predicate(key, value)).transpose()?.unwrap_or(false);
    Ok(if passes { row } else { &None })
}
