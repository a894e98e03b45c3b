//! `map`, `map_values`, `select_key`: one record becomes one other; time and headers stay.

use crate::processor::{Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::Record;

pub(crate) struct Map<F>(pub(crate) F);

impl<K, V, K2, V2, F> Operator<StreamOf<K, V>, StreamOf<K2, V2>> for Map<F>
where
    K: 'static,
    V: 'static,
    K2: 'static,
    V2: 'static,
    F: Fn(&K, &V) -> Result<(K2, V2), ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K2, V2>>) -> Flow {
        let (key, value) = (self.0)(record.key, record.value)?;
        ctx.forward(record.with_key(&key).with_value(&value))
    }
}

pub(crate) struct MapValues<F>(pub(crate) F);

impl<K, V, V2, F> Operator<StreamOf<K, V>, StreamOf<K, V2>> for MapValues<F>
where
    K: 'static,
    V: 'static,
    V2: 'static,
    F: Fn(&K, &V) -> Result<V2, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, V2>>) -> Flow {
        let value = (self.0)(record.key, record.value)?;
        ctx.forward(record.with_value(&value))
    }
}

pub(crate) struct SelectKey<F>(pub(crate) F);

impl<K, V, K2, F> Operator<StreamOf<K, V>, StreamOf<K2, V>> for SelectKey<F>
where
    K: 'static,
    V: 'static,
    K2: 'static,
    F: Fn(&K, &V) -> Result<K2, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K2, V>>) -> Flow {
        let key = (self.0)(record.key, record.value)?;
        ctx.forward(record.with_key(&key))
    }
}
