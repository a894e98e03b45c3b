//! A table's `group_by`: says to which group each row belongs, and tells the groups of every change.
//!
//! Rule: a row that stays in its group is one message with both values; one that moves is two, the old group first. A row
//! that belongs to no group is left out, and taken from the group that it was in.

use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf, TableOf};
use crate::record::{Change, Record};
use crate::serde::{Changed, SerdeRef};

pub(crate) struct GroupTable<K2: 'static, F> {
    /// Groups are the same when the bytes of their keys are: that is how rows and partitions are found.
    pub(crate) key: SerdeRef<K2>,
    pub(crate) select: F,
}

impl<K, V, K2, V2, F> Operator<TableOf<K, V>, StreamOf<K2, Changed<V2>>> for GroupTable<K2, F>
where
    K: 'static,
    V: 'static,
    K2: 'static,
    V2: 'static,
    F: Fn(&K, &V) -> Result<Option<(K2, V2)>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K2, Changed<V2>>>) -> Flow {
        if !change.is_latest {
            ctx.drop_record(DropReason::OutOfOrder);
            return Ok(());
        }
        let Change { key, timestamp, headers, .. } = change;
        let select = |row: &Option<V>| match row {
            Some(row) => (self.select)(key, row),
            None => Ok(None),
        };
        let new = select(change.new)?;
        let old = change.old.map_or(Ok(None), select)?;
        let mut tell = |key: &K2, value| ctx.forward(Record { key, value: &value, timestamp, headers });
        match (old, new) {
            (Some((from, old)), Some((to, new))) => {
                if self.same(&from, &to)? {
                    return tell(&from, Changed::Replaced { old, new });
                }
                tell(&from, Changed::Removed(old))?;
                tell(&to, Changed::Added(new))
            }
            (Some((from, old)), None) => tell(&from, Changed::Removed(old)),
            (None, Some((to, new))) => tell(&to, Changed::Added(new)),
            (None, None) => Ok(()),
        }
    }
}

impl<K2, F> GroupTable<K2, F> {
    fn same(&self, one: &K2, other: &K2) -> Result<bool, ProcessError> {
        Ok(self.key.to_nullable_bytes(one)? == self.key.to_nullable_bytes(other)?)
    }
}
