//! A table's `map_values` without a store. Not called for rows that are gone.

use std::sync::Arc;

use crate::processor::{Flow, NodeContext, Operator, ProcessError, TableOf};
use crate::record::Change;

pub(crate) struct TableMapValues<F>(pub(crate) Arc<F>);

impl<K, V, V2, F> Operator<TableOf<K, V>, TableOf<K, V2>> for TableMapValues<F>
where
    K: 'static,
    V: 'static,
    V2: 'static,
    F: Fn(&K, &V) -> Result<Option<V2>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V2>>) -> Flow {
        let new = change.new.as_ref().map(|value| (self.0)(change.key, value)).transpose()?.flatten();
        ctx.push(Change { key: change.key, new: &new, timestamp: change.timestamp, headers: change.headers })
    }
}
