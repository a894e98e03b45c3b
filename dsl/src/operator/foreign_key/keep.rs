//! The right side keeps who points to which row.

use super::Subscriptions;
use crate::processor::{DropReason, Flow, NodeContext, Operator, StreamOf};
use crate::record::Record;
use crate::serde::{Instruction, Subscription, SubscriptionKey};
use crate::topology::RowSlot;

pub(crate) struct KeepSubscription<KO: 'static> {
    pub(crate) keys: SubscriptionKey<KO>,
    pub(crate) store: RowSlot<Vec<u8>, Subscription>,
}

type Subscribed<KO> = StreamOf<Option<KO>, Subscription>;

impl<KO: 'static> Operator<Subscribed<KO>, Subscribed<KO>> for KeepSubscription<KO> {
    fn process(&self, record: Record<'_, Option<KO>, Subscription>, ctx: &mut NodeContext<'_, Subscribed<KO>>) -> Flow {
        let message = record.value;
        let Some(right) = record.key else {
            // A left row that points nowhere is answered, but there is nothing to keep.
            if message.instruction == Instruction::Answer {
                return ctx.forward(record);
            }
            ctx.drop_record(DropReason::NullForeignKey);
            return Ok(());
        };
        let mut key = self.keys.prefix(right)?;
        key.extend_from_slice(&message.key);
        let (store, out) = ctx.task().state::<Subscriptions>(self.store.index);
        let row = store.rows().claim(&key)?;
        let kept = (!message.instruction.leaves()).then(|| message.clone());
        store.set(row, kept, record.timestamp, &mut out.caused_by(record.into()))?;
        ctx.forward(record)
    }
}
