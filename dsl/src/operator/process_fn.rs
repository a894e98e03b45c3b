//! Calls a function with the context.

use crate::processor::{Context, Flow, Operator, StreamOf};
use crate::record::Record;

pub(crate) struct ProcessFn<F>(pub(crate) F);

impl<K, V, K2, V2, F> Operator<StreamOf<K, V>, StreamOf<K2, V2>> for ProcessFn<F>
where
    K: 'static,
    V: 'static,
    K2: 'static,
    V2: 'static,
    F: Fn(Record<'_, K, V>, &mut Context<'_, K2, V2>) -> Flow + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut Context<'_, K2, V2>) -> Flow {
        (self.0)(record, ctx)
    }
}
