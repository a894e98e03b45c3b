//! A table's `map_values`. Not called for rows that are gone.

use std::sync::Arc;

use super::TableStore;
use crate::processor::{Flow, NodeContext, Operator, ProcessError, TableOf};
use crate::record::Change;

pub(crate) struct TableMapValues<K: 'static, V2: 'static, F> {
    pub(crate) map: Arc<F>,
    /// Where the mapped rows are kept, if they are.
    pub(crate) store: Option<TableStore<K, V2>>,
    /// Whether a node below wants the row as it was before the change, mapped too; of use without a store only.
    pub(crate) sends_old: bool,
}

impl<K, V, V2, F> Operator<TableOf<K, V>, TableOf<K, V2>> for TableMapValues<K, V2, F>
where
    K: 'static,
    V: 'static,
    V2: Send + 'static,
    F: Fn(&K, &V) -> Result<Option<V2>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V2>>) -> Flow {
        let Change { key, timestamp, headers, is_latest, .. } = change;
        let mapped =
            |row: &Option<V>| row.as_ref().map(|value| (self.map)(key, value)).transpose().map(Option::flatten);
        let new = mapped(change.new)?;
        if let Some(store) = &self.store {
            return store.put(key, (new, timestamp), change, ctx);
        }
        let old = change.old.filter(|_| self.sends_old).map(mapped).transpose()?;
        ctx.push(Change { key, new: &new, old: old.as_ref(), timestamp, headers, is_latest })
    }
}
