//! The right side answers a subscription when it comes.

use super::bytes_of;
use crate::operator::ReadRow;
use crate::processor::{Flow, NodeContext, Operator, StreamOf};
use crate::record::Record;
use crate::serde::{Instruction, Response, SerdeRef, Subscription};

pub(crate) struct AnswerSubscription<K: 'static, KO, VO: 'static> {
    pub(crate) key: SerdeRef<K>,
    pub(crate) table: Box<dyn ReadRow<KO, VO>>,
    pub(crate) row: SerdeRef<VO>,
}

impl<K, KO, VO> Operator<StreamOf<Option<KO>, Subscription>, StreamOf<K, Response<Vec<u8>>>>
    for AnswerSubscription<K, KO, VO>
where
    K: 'static,
    KO: 'static,
    VO: 'static,
{
    fn process(
        &self,
        record: Record<'_, Option<KO>, Subscription>,
        ctx: &mut NodeContext<'_, StreamOf<K, Response<Vec<u8>>>>,
    ) -> Flow {
        let message = record.value;
        if message.instruction == Instruction::Leave {
            return Ok(());
        }
        let (mut row, mut timestamp) = (None, record.timestamp);
        if let Some(right) = record.key {
            self.table.read(right, None, ctx.task(), &mut |found| {
                let Some((found, time)) = found else { return Ok(()) };
                timestamp = timestamp.max(time);
                row = Some(bytes_of(&self.row, found)?);
                Ok(())
            })?;
        }
        match message.instruction {
            Instruction::AnswerIfFound if row.is_none() => return Ok(()),
            Instruction::LeaveAndAnswer => row = None,
            _ => {}
        }
        let key = self.key.read(&message.key)?;
        let response = Response { hash: message.hash, row, partition: message.partition };
        ctx.forward(Record { key: &key, value: &response, timestamp, headers: record.headers })
    }
}
