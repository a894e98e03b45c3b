//! Decides commands.
//!
//! Rule: a command with an id is decided once. Its reply is remembered for a time, by key and id, and given again to any command
//! with the same; one that comes so late that an earlier one may be forgotten is refused.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::Decided;
use super::decided::{NewState, ReplyOf};
use crate::event_sourcing::{Aggregate, CommandContext, CommandHeaders, Refusal, Reply, ReplySerde, evolved};
use crate::operator::ReadRow;
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::{Headers, Record, Timestamp};
use crate::serde::{Data, Serde, SerdeRef};
use crate::state::{Direction, KeyValueState, Reader, WindowState};
use crate::topology::{RowSlot, StoreSlot};

/// How many events each key has had.
type VersionState<K> = KeyValueState<K, u64>;

/// Replies by key and command id, at the times of the commands.
pub(crate) type ReceiptState = WindowState<Vec<u8>, Vec<u8>>;

/// Takes a command's id from the command itself.
pub(crate) type IdOf<C> = Arc<dyn Fn(&C) -> Option<String> + Send + Sync>;
/// Takes the version that a command is meant for from the command itself.
pub(crate) type ExpectedOf<C> = Arc<dyn Fn(&C) -> Option<u64> + Send + Sync>;

pub(crate) struct Decide<A: Aggregate> {
    pub(crate) states: Box<dyn ReadRow<A::Key, A>>,
    pub(crate) versions: RowSlot<A::Key, u64>,
    pub(crate) receipts: StoreSlot<ReceiptState>,
    /// The place of the operator's own time.
    pub(crate) time: usize,
    /// For how long ids are remembered, in milliseconds.
    pub(crate) remember: i64,
    pub(crate) keys: SerdeRef<A::Key>,
    pub(crate) replies: ReplySerde<A::Event, A::Refusal>,
    pub(crate) id: Option<IdOf<A::Command>>,
    pub(crate) expected: Option<ExpectedOf<A::Command>>,
}

/// A command with what is known of it.
struct Command<'a, A: Aggregate> {
    key: &'a A::Key,
    command: &'a A::Command,
    time: Timestamp,
    id: Option<&'a [u8]>,
    expected: Option<u64>,
}

type Ctx<'a, A> = NodeContext<'a, StreamOf<<A as Aggregate>::Key, Decided<A>>>;

impl<A, K, V> Operator<StreamOf<K, V>, StreamOf<A::Key, Decided<A>>> for Decide<A>
where
    A: Aggregate,
    K: Data<Plain = A::Key>,
    V: Data<Plain = A::Command>,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut Ctx<'_, A>) -> Flow {
        let (key, command) = match (record.key.plain(), record.value.plain()) {
            (Some(key), Some(command)) => (key, command),
            (None, _) => return drop_for(DropReason::NullKey, ctx),
            (_, None) => return drop_for(DropReason::NullValue, ctx),
        };
        let headers = CommandHeaders(record.headers);
        let own_id = self.id.as_ref().and_then(|id| id(command));
        let id = own_id.as_deref().map(str::as_bytes).or_else(|| headers.id());
        let reply_id = headers.reply_id().or(id).map(<[u8]>::to_vec);
        let asked_by = headers.reply_partition().zip(reply_id);
        let own_expected = self.expected.as_ref().and_then(|expected| expected(command));
        let decided = match own_expected.map_or_else(|| headers.expected(), |expected| Ok(Some(expected))) {
            Ok(expected) => self.answer(&Command { key, command, time: record.timestamp, id, expected }, ctx)?,
            Err(refusal) => Decided::refused(refusal),
        };
        let decided = Decided { asked_by, ..decided };
        let headers = if record.headers.is_empty() && id.is_none() { Headers::NONE } else { headers.of_results(id) };
        ctx.push(Record { key, value: &decided, timestamp: record.timestamp, headers: &headers })
    }

    fn follows_time(&self) -> bool {
        true
    }

    fn advance(&self, time: Timestamp, ctx: &mut Ctx<'_, A>) -> Result<bool, ProcessError> {
        ctx.task().time(self.time).observe(time);
        Ok(false)
    }
}

fn drop_for<A: Aggregate>(reason: DropReason, ctx: &mut Ctx<'_, A>) -> Flow {
    ctx.drop_record(reason);
    Ok(())
}

impl<A: Aggregate> Decided<A> {
    fn refused(refusal: Refusal<A::Refusal>) -> Self {
        Decided::of(Reply::Refused(refusal))
    }

    fn of(reply: ReplyOf<A>) -> Self {
        Decided { reply, repeated: false, state: Cell::new(None), asked_by: None }
    }
}

impl<A: Aggregate> Decide<A> {
    /// Decides a command, unless it repeats one whose reply is known.
    fn answer(&self, command: &Command<'_, A>, ctx: &mut Ctx<'_, A>) -> Result<Decided<A>, ProcessError> {
        let observed = ctx.task().time(self.time).observe(command.time).as_millis();
        let Some(id) = command.id else { return self.decide(command, ctx) };
        let time = command.time.as_millis();
        if time < observed.saturating_sub(self.remember) {
            return Ok(Decided::refused(Refusal::TooLate));
        }
        let receipt = self.receipt_key(command.key, id)?;
        if let Some(reply) = self.remembered(&receipt, time, ctx)? {
            return Ok(Decided { repeated: true, ..Decided::of(self.replies.read(&reply)?) });
        }
        let decided = self.decide(command, ctx)?;
        let mut reply = Vec::new();
        self.replies.write(&decided.reply, &mut reply)?;
        let (receipts, mut out) = ctx.task().state::<ReceiptState>(self.receipts.index);
        receipts.put(&receipt, time, Some(reply), command.time, &mut out)?;
        Ok(decided)
    }

    /// Size of the key (4 bytes), the key, the id: no two pairs have the same bytes.
    fn receipt_key(&self, key: &A::Key, id: &[u8]) -> Result<Vec<u8>, ProcessError> {
        let mut receipt = vec![0; 4];
        self.keys.write_nullable(key, &mut receipt)?;
        let size = u32::try_from(receipt.len() - 4)?;
        receipt[..4].copy_from_slice(&size.to_be_bytes());
        receipt.extend_from_slice(id);
        Ok(receipt)
    }

    /// The reply to a command of this key and id that was decided for a time near this one.
    fn remembered(&self, receipt: &Vec<u8>, time: i64, ctx: &mut Ctx<'_, A>) -> Result<Option<Vec<u8>>, ProcessError> {
        let times = time.saturating_sub(self.remember)..=time.saturating_add(self.remember);
        let (receipts, _) = ctx.task().state::<ReceiptState>(self.receipts.index);
        let mut reply = None;
        receipts.walk_key(receipt, times, (Direction::Forward, Reader::Task), &mut |_, _, bytes, _| {
            reply = Some(bytes.clone());
            ControlFlow::Break(())
        })?;
        Ok(reply)
    }

    fn decide(&self, command: &Command<'_, A>, ctx: &mut Ctx<'_, A>) -> Result<Decided<A>, ProcessError> {
        let (versions, _) = ctx.task().state::<VersionState<A::Key>>(self.versions.index);
        let version = versions.get(command.key)?.map_or(0, |(version, _)| *version);
        if let Some(expected) = command.expected.filter(|expected| *expected != version) {
            return Ok(Decided::refused(Refusal::Conflict { expected, actual: version }));
        }
        let context = CommandContext::new(command.key, command.time).at_version(version).with_id(command.id);
        let mut decision = None;
        self.states.read(command.key, None, ctx.task(), &mut |row| {
            decision = Some(match row {
                Some((state, _)) => decide_and_evolve(state, command.command, &context),
                None => decide_and_evolve(&A::default(), command.command, &context),
            });
            Ok(())
        })?;
        let (events, state) = match decision.ok_or("a row was read without an answer")? {
            Ok(decision) => decision,
            Err(reason) => return Ok(Decided::refused(Refusal::Rule(reason))),
        };
        let version = version + events.len() as u64;
        if state.is_some() {
            let (versions, mut out) = ctx.task().state::<VersionState<A::Key>>(self.versions.index);
            let row = versions.claim(command.key)?;
            versions.set(row, Some(version), command.time, &mut out)?;
        }
        Ok(Decided { state: Cell::new(state), ..Decided::of(Reply::Accepted { version, events }) })
    }
}

/// The events of a command, and the state that they make, if there are any.
type Decision<A> = Result<(Vec<<A as Aggregate>::Event>, Option<NewState<A>>), <A as Aggregate>::Refusal>;

fn decide_and_evolve<A: Aggregate>(
    state: &A,
    command: &A::Command,
    context: &CommandContext<'_, A::Key>,
) -> Decision<A> {
    let events = state.decide(command, context)?;
    if events.is_empty() {
        return Ok((events, None));
    }
    let state = NewState(evolved(state.clone(), &events));
    Ok((events, Some(state)))
}
