//! `count`, `reduce`, `aggregate` of a grouped table: takes what is gone out of the group's row, then puts what came into it.
//!
//! Nothing is taken out of a row that is not there. The row's time is the greatest of its changes.

use super::TableStore;
use crate::processor::{Flow, NodeContext, Operator, ProcessError, StreamOf, TableOf};
use crate::record::Record;
use crate::serde::Changed;

pub(crate) struct FoldGroup<K: 'static, A: 'static, P, M> {
    pub(crate) store: TableStore<K, A>,
    /// Puts a value into the row, or makes the row of the first one.
    pub(crate) add: P,
    /// Takes a value out of the row.
    pub(crate) subtract: M,
}

impl<K, V, A, P, M> Operator<StreamOf<K, Changed<V>>, TableOf<K, A>> for FoldGroup<K, A, P, M>
where
    K: 'static,
    V: 'static,
    A: Send + 'static,
    P: Fn(Option<A>, &K, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
    M: Fn(A, &K, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, Changed<V>>, ctx: &mut NodeContext<'_, TableOf<K, A>>) -> Flow {
        let Record { key, value: change, timestamp, .. } = record;
        self.store.change(key, record, ctx, |row| {
            let time = row.as_ref().map_or(timestamp, |(_, time)| timestamp.max(*time));
            let row = row.map(|(row, _)| row);
            let without = match (row, change.gone()) {
                (Some(row), Some(old)) => (self.subtract)(row, key, old)?,
                (row, _) => row,
            };
            let with = match change.came() {
                Some(new) => (self.add)(without, key, new)?,
                None => without,
            };
            Ok((with, time))
        })
    }
}
