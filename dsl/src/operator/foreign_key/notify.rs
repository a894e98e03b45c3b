//! The right side answers all that point to a row when it changes, in the order of their keys' bytes.

use std::ops::ControlFlow;

use super::{Subscriptions, bytes_of};
use crate::processor::{DropReason, Flow, NodeContext, Operator, StreamOf, TableOf};
use crate::record::{Change, Record};
use crate::serde::{Response, SerdeRef, Subscription, SubscriptionKey};
use crate::state::{Direction, KeyRange};
use crate::topology::RowSlot;

pub(crate) struct NotifySubscribers<K: 'static, KO: 'static, VO: 'static> {
    pub(crate) key: SerdeRef<K>,
    pub(crate) keys: SubscriptionKey<KO>,
    pub(crate) row: SerdeRef<VO>,
    pub(crate) store: RowSlot<Vec<u8>, Subscription>,
}

impl<K, KO, VO> Operator<TableOf<KO, VO>, StreamOf<K, Response<Vec<u8>>>> for NotifySubscribers<K, KO, VO>
where
    K: 'static,
    KO: 'static,
    VO: 'static,
{
    fn process(&self, change: Change<'_, KO, VO>, ctx: &mut NodeContext<'_, StreamOf<K, Response<Vec<u8>>>>) -> Flow {
        if !change.is_latest {
            ctx.drop_record(DropReason::OutOfOrder);
            return Ok(());
        }
        let Change { key: right, new, timestamp, headers, .. } = change;
        let prefix = self.keys.prefix(right)?;
        let (store, _) = ctx.task().state::<Subscriptions>(self.store.index);
        // Their keys one after another in one buffer.
        let (mut keys, mut subscribers) = (Vec::new(), Vec::new());
        store.walk(&KeyRange::prefix(&prefix), Direction::Forward, &mut |key, message, _| {
            keys.extend_from_slice(&key[prefix.len()..]);
            subscribers.push((keys.len(), message.hash, message.partition));
            ControlFlow::Continue(())
        })?;
        if subscribers.is_empty() {
            return Ok(());
        }
        let row = new.as_ref().map(|row| bytes_of(&self.row, row)).transpose()?;
        let mut response = Response { hash: None, row, partition: None };
        let mut start = 0;
        for (end, hash, partition) in subscribers {
            (response.hash, response.partition) = (hash, partition);
            let key = self.key.read(&keys[start..end])?;
            start = end;
            ctx.forward(Record { key: &key, value: &response, timestamp, headers })?;
        }
        Ok(())
    }
}
