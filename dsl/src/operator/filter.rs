//! `filter`, `filter_not`: keeps the records for which a predicate holds.

use crate::processor::{Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::Record;

pub(crate) struct Filter<F>(pub(crate) F);

impl<K, V, F> Operator<StreamOf<K, V>, StreamOf<K, V>> for Filter<F>
where
    K: 'static,
    V: 'static,
    F: Fn(&K, &V) -> Result<bool, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, V>>) -> Flow {
        if (self.0)(record.key, record.value)? { ctx.forward(record) } else { Ok(()) }
    }
}
