//! Replies for those who wait: to the partition that the command named, under the name that it gave.

use std::marker::PhantomData;

use super::Decided;
use super::decided::ReplyOf;
use crate::event_sourcing::Aggregate;
use crate::processor::{Flow, NodeContext, Operator, StreamOf};
use crate::record::{Headers, Partitions, Record};
use crate::serde::{Serde, SerdeError};

/// Where an answer goes. Only the id is written.
pub(crate) struct AnswerKey {
    partition: u32,
    id: Vec<u8>,
}

pub(crate) struct AnswerKeySerde;

impl Serde<AnswerKey> for AnswerKeySerde {
    fn write(&self, key: &AnswerKey, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(&key.id);
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<AnswerKey, SerdeError> {
        Ok(AnswerKey { partition: 0, id: bytes.to_vec() })
    }

    fn name(&self) -> String {
        "reply-id".into()
    }
}

/// Places an answer. A partition that the topic does not have is nobody's: the answer is dropped and counted.
pub(crate) fn to_their_partition<V>(_: Option<&[u8]>, key: &AnswerKey, _: &V, count: u32) -> Partitions {
    if key.partition < count { Partitions::one(key.partition) } else { Partitions::Drop }
}

pub(crate) struct Answers<A>(pub(crate) PhantomData<fn(A)>);

impl<A: Aggregate> Operator<StreamOf<A::Key, Decided<A>>, StreamOf<AnswerKey, ReplyOf<A>>> for Answers<A> {
    fn process(
        &self,
        record: Record<'_, A::Key, Decided<A>>,
        ctx: &mut NodeContext<'_, StreamOf<AnswerKey, ReplyOf<A>>>,
    ) -> Flow {
        let Some((partition, id)) = &record.value.asked_by else { return Ok(()) };
        let key = AnswerKey { partition: *partition, id: id.clone() };
        ctx.push(Record { key: &key, value: &record.value.reply, timestamp: record.timestamp, headers: &Headers::NONE })
    }
}
