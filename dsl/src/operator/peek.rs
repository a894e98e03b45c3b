//! `peek`: looks at each record and passes it on.

use crate::processor::{Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::Record;

pub(crate) struct Peek<F>(pub(crate) F);

impl<K, V, F> Operator<StreamOf<K, V>, StreamOf<K, V>> for Peek<F>
where
    K: 'static,
    V: 'static,
    F: Fn(&K, &V) -> Result<(), ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, V>>) -> Flow {
        (self.0)(record.key, record.value)?;
        ctx.forward(record)
    }
}
