//! `for_each`: ends a stream with an effect.

use crate::processor::{Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::Record;

pub(crate) struct ForEach<F>(pub(crate) F);

impl<K, V, F> Operator<StreamOf<K, V>, StreamOf<K, V>> for ForEach<F>
where
    K: 'static,
    V: 'static,
    F: Fn(&K, &V) -> Result<(), ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, _ctx: &mut NodeContext<'_, StreamOf<K, V>>) -> Flow {
        (self.0)(record.key, record.value)
    }
}
