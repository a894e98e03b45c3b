//! The left side: tells the right one to which key each row points, and that it does not point there any more.

use super::{bytes_of, row_hash};
use crate::operator::Padding;
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf, TableOf};
use crate::record::{Change, Record};
use crate::serde::{Instruction, SerdeRef, Subscription};

pub(crate) struct Subscribe<K: 'static, V: 'static, KO: 'static, F> {
    pub(crate) padding: Padding,
    /// The right key that a row points to, if it points anywhere.
    pub(crate) extract: F,
    pub(crate) key: SerdeRef<K>,
    pub(crate) row: SerdeRef<V>,
    pub(crate) foreign_key: SerdeRef<KO>,
}

/// Messages to send: the right key, and what to do there.
type Messages<KO> = [Option<(Option<KO>, Instruction)>; 2];

impl<K, V, KO, F> Operator<TableOf<K, V>, StreamOf<Option<KO>, Subscription>> for Subscribe<K, V, KO, F>
where
    K: 'static,
    V: 'static,
    KO: 'static,
    F: Fn(&K, &V) -> Result<Option<KO>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<Option<KO>, Subscription>>) -> Flow {
        if !change.is_latest {
            ctx.drop_record(DropReason::OutOfOrder);
            return Ok(());
        }
        let Change { key, new, timestamp, headers, .. } = change;
        let points = |row: &Option<V>| row.as_ref().map(|row| (self.extract)(key, row)).transpose();
        let before = change.old.map_or(Ok(None), points)?;
        let now = points(new)?;
        if matches!(now, Some(None)) && self.padding == Padding::Drop {
            ctx.drop_record(DropReason::NullForeignKey);
        }
        let messages = match self.padding {
            Padding::Pad => self.left(before, now)?,
            Padding::Drop => self.inner(before.flatten(), now)?,
        };
        if messages.iter().all(Option::is_none) {
            return Ok(());
        }
        let hash = new.as_ref().map(|row| row_hash(&self.row, row)).transpose()?;
        let (key, partition) = (bytes_of(&self.key, key)?, Some(ctx.partition()));
        let mut message = Subscription { instruction: Instruction::Leave, hash, key, partition };
        for (to, instruction) in messages.into_iter().flatten() {
            message.instruction = instruction;
            ctx.forward(Record { key: &to, value: &message, timestamp, headers })?;
        }
        Ok(())
    }
}

impl<K, V, KO, F> Subscribe<K, V, KO, F> {
    /// A left join answers every row, also one that points nowhere.
    fn left(&self, before: Option<Option<KO>>, now: Option<Option<KO>>) -> Result<Messages<KO>, ProcessError> {
        if before.is_none() && now.is_none() {
            return Ok([None, None]);
        }
        let now = now.flatten();
        let leave = match before.flatten() {
            Some(before) if self.differ(&before, now.as_ref())? => Some((Some(before), Instruction::Leave)),
            _ => None,
        };
        Ok([leave, Some((now, Instruction::Answer))])
    }

    /// An inner join is silent about a row that never had an answer, and takes back what it has said.
    fn inner(&self, before: Option<KO>, now: Option<Option<KO>>) -> Result<Messages<KO>, ProcessError> {
        Ok(match (before, now.flatten()) {
            (None, None) => [None, None],
            (Some(before), None) => [Some((Some(before), Instruction::LeaveAndAnswer)), None],
            (Some(before), Some(now)) if self.differ(&before, Some(&now))? => {
                [Some((Some(before), Instruction::Leave)), Some((Some(now), Instruction::Answer))]
            }
            (_, Some(now)) => [Some((Some(now), Instruction::AnswerIfFound)), None],
        })
    }

    /// Whether two keys are different ones on the right side: it finds them by their bytes.
    fn differ(&self, before: &KO, now: Option<&KO>) -> Result<bool, ProcessError> {
        let Some(now) = now else { return Ok(true) };
        let mut bytes = bytes_of(&self.foreign_key, before)?;
        let end = bytes.len();
        self.foreign_key.write(now, &mut bytes)?;
        Ok(bytes[..end] != bytes[end..])
    }
}
