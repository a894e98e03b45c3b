//! `aggregate`, `count`: folds the records of each key into a row.
//!
//! Records without key or value are dropped. The row's time is the greatest of its records, as in Kafka Streams.

use super::TableStore;
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf, TableOf};
use crate::record::Record;
use crate::serde::Data;

pub(crate) struct Aggregate<K: 'static, A: 'static, I, F> {
    pub(crate) store: TableStore<K, A>,
    pub(crate) initial: I,
    pub(crate) fold: F,
}

impl<K, V, A, T, I, F> Operator<StreamOf<K, V>, TableOf<K::Plain, A>> for Aggregate<K::Plain, A, I, F>
where
    K: Data,
    V: Data,
    A: Send + 'static,
    T: From<A>,
    I: Fn() -> T + Send + Sync + 'static,
    F: Fn(T, &K::Plain, &V::Plain) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K::Plain, A>>) -> Flow {
        let Some((key, value)) = key_and_value(&record, ctx) else { return Ok(()) };
        self.store.change(key, record, ctx, |row| {
            let (state, time) = match row {
                Some((state, time)) => (T::from(state), time.max(record.timestamp)),
                None => ((self.initial)(), record.timestamp),
            };
            Ok(((self.fold)(state, key, value)?, time))
        })
    }
}

/// Key and value of a record that has both; another one is dropped and counted.
pub(super) fn key_and_value<'a, K: Data, V: Data, K2: 'static, A: 'static>(
    record: &Record<'a, K, V>,
    ctx: &mut NodeContext<'_, TableOf<K2, A>>,
) -> Option<(&'a K::Plain, &'a V::Plain)> {
    match (record.key.plain(), record.value.plain()) {
        (Some(key), Some(value)) => Some((key, value)),
        (None, _) => {
            ctx.drop_record(DropReason::NullKey);
            None
        }
        (_, None) => {
            ctx.drop_record(DropReason::NullValue);
            None
        }
    }
}
