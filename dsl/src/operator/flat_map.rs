//! `flat_map`, `flat_map_values`: one record becomes any number of others, in the order of the iterator.

use crate::processor::{Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::Record;

pub(crate) struct FlatMap<F>(pub(crate) F);

impl<K, V, K2, V2, I, F> Operator<StreamOf<K, V>, StreamOf<K2, V2>> for FlatMap<F>
where
    K: 'static,
    V: 'static,
    K2: 'static,
    V2: 'static,
    I: IntoIterator<Item = (K2, V2)>,
    F: Fn(&K, &V) -> Result<I, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K2, V2>>) -> Flow {
        for (key, value) in (self.0)(record.key, record.value)? {
            ctx.forward(record.with_key(&key).with_value(&value))?;
        }
        Ok(())
    }
}

pub(crate) struct FlatMapValues<F>(pub(crate) F);

impl<K, V, V2, I, F> Operator<StreamOf<K, V>, StreamOf<K, V2>> for FlatMapValues<F>
where
    K: 'static,
    V: 'static,
    V2: 'static,
    I: IntoIterator<Item = V2>,
    F: Fn(&K, &V) -> Result<I, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, V2>>) -> Flow {
        for value in (self.0)(record.key, record.value)? {
            ctx.forward(record.with_value(&value))?;
        }
        Ok(())
    }
}
