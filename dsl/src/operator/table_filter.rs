//! A table's `filter` without a store: a row that does not pass is a row that is gone.

use std::sync::Arc;

use crate::processor::{Flow, NodeContext, Operator, ProcessError, TableOf};
use crate::record::Change;

pub(crate) struct TableFilter<F>(pub(crate) Arc<F>);

impl<K, V, F> Operator<TableOf<K, V>, TableOf<K, V>> for TableFilter<F>
where
    K: 'static,
    V: 'static,
    F: Fn(&K, &V) -> Result<bool, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Flow {
        let passes = change.new.as_ref().map(|value| (self.0)(change.key, value)).transpose()?.unwrap_or(false);
        // Without the old row nobody knows whether it had passed, so the tombstone goes out in any case.
        ctx.push(Change { new: if passes { change.new } else { &None }, ..change })
    }
}
