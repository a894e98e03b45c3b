//! `reduce`: combines the values of each key; the first one is the first result as it is.

use super::TableStore;
use super::aggregate::key_and_value;
use crate::processor::{Flow, NodeContext, Operator, ProcessError, StreamOf, TableOf};
use crate::record::Record;
use crate::serde::Data;

pub(crate) struct Reduce<K: 'static, V: 'static, F> {
    pub(crate) store: TableStore<K, V>,
    pub(crate) combine: F,
}

impl<K, V, F> Operator<StreamOf<K, V>, TableOf<K::Plain, V::Plain>> for Reduce<K::Plain, V::Plain, F>
where
    K: Data,
    V: Data<Plain: Clone>,
    F: Fn(V::Plain, &V::Plain) -> Result<Option<V::Plain>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K::Plain, V::Plain>>) -> Flow {
        let Some((key, value)) = key_and_value(&record, ctx) else { return Ok(()) };
        self.store.change(key, record, ctx, |row| match row {
            Some((state, time)) => Ok(((self.combine)(state, value)?, time.max(record.timestamp))),
            None => Ok((Some(value.clone()), record.timestamp)),
        })
    }
}
