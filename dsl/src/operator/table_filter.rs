//! A table's `filter` without a store: a row that does not pass is a row that is gone.

use std::sync::Arc;

use crate::processor::{Flow, NodeContext, Operator, ProcessError, TableOf};
use crate::record::Change;

pub(crate) struct TableFilter<F> {
    pub(crate) predicate: Arc<F>,
    /// Whether it looks at the row before the change, where the table above tells it.
    pub(crate) sends_old: bool,
}

impl<K, V, F> Operator<TableOf<K, V>, TableOf<K, V>> for TableFilter<F>
where
    K: 'static,
    V: 'static,
    F: Fn(&K, &V) -> Result<bool, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Flow {
        let passing = |row| self.passing(change.key, row);
        let new = passing(change.new)?;
        let old = change.old.filter(|_| self.sends_old).map(passing).transpose()?;
        // Without the old row nobody knows whether it had passed, so the tombstone goes out then.
        if new.is_none() && old.is_some_and(Option::is_none) {
            return Ok(());
        }
        ctx.push(Change { new, old, ..change })
    }
}

impl<F> TableFilter<F> {
    /// The row if it passes.
    fn passing<'a, K, V>(&self, key: &K, row: &'a Option<V>) -> Result<&'a Option<V>, ProcessError>
    where
        F: Fn(&K, &V) -> Result<bool, ProcessError>,
    {
        let passes = row.as_ref().map(|value| (self.predicate)(key, value)).transpose()?.unwrap_or(false);
        Ok(if passes { row } else { &None })
    }
}
