//! Calls: work that a processor asks for and that is done outside of its task.
//!
//! Rule: the task knows which calls are open, and when one is too late or to be made again; the futures belong to whoever
//! drives the task. An answer counts once: that of a call which is no longer open is not looked at.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{Address, Flow, Origin, ProcessError, SnapshotError, TaskState};
use crate::record::{BatchBuilder, Decoder, Encoder, Headers, Offset, Timestamp};

/// What a call gives; only the node that made it knows the type.
pub type Answer = Result<Box<dyn Any + Send>, ProcessError>;

/// The work of a call.
pub type Work = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Which call of a task. No two calls of a task have the same number, and none of a task has that of an earlier attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// A call to be made: whoever drives the task sees to it that the work is done, and gives the answer to the task.
pub struct Call {
    /// Its number.
    pub id: CallId,
    /// The node that makes it.
    pub node: Arc<str>,
    /// The work.
    pub work: Work,
}

impl Call {
    /// The answer of a call whose work panicked or could not be done at all. It is not made again, and no handler skips it.
    pub fn refused(text: String) -> Answer {
        Err(ProcessError::from(text).never_skipped())
    }
}

/// What has become of the calls of a task since its driver asked the last time.
#[derive(Default)]
pub struct CallChanges {
    /// To be made now, in this order.
    pub made: Vec<Call>,
    /// Over: answered or too late. What is left of their work can be dropped.
    pub ended: Vec<CallId>,
}

/// What happens to a call.
pub(crate) enum CallEvent {
    /// Its work has ended.
    Answered(Answer),
    /// Its time is over.
    TooLate,
    /// It is to be made again after a pause.
    Again,
    /// It is open in a task that was copied, and its work is to be made anew.
    Copied(CallId),
}

/// A call as its processor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallOf {
    /// What the processor calls it.
    pub(crate) number: u64,
    /// 1 for the first time it is made.
    pub(crate) attempt: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    slot: usize,
    call: CallOf,
    /// When it is too late, or to be made again.
    due: Option<Timestamp>,
    /// Whether it pauses before it is made again.
    pauses: bool,
}

/// The calls of a task.
#[derive(Default)]
pub(crate) struct Calls {
    last: u64,
    open: BTreeMap<CallId, Open>,
    due: BTreeSet<(Timestamp, CallId)>,
    /// Slots of processors that take no more records for now.
    full: BTreeSet<usize>,
    changes: CallChanges,
    /// Those that the step at hand has made.
    of_step: Vec<CallId>,
}

impl Calls {
    fn add(&mut self, open: Open) -> CallId {
        self.last += 1;
        let id = CallId(self.last);
        self.due.extend(open.due.map(|due| (due, id)));
        self.open.insert(id, open);
        id
    }

    fn remove(&mut self, id: CallId) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(due) = open.due {
            self.due.remove(&(due, id));
        }
        Some(open)
    }

    /// A step begins.
    pub(super) fn keep(&mut self) {
        self.of_step.clear();
    }

    /// The step has failed: it made no calls.
    pub(super) fn undo(&mut self) {
        for id in std::mem::take(&mut self.of_step) {
            if let Some(open) = self.remove(id) {
                self.full.remove(&open.slot);
            }
            self.changes.made.retain(|call| call.id != id);
        }
    }

    pub(super) fn snapshot(&self, out: &mut Encoder<'_>) {
        out.number(self.last);
        out.number(self.full.len() as u64);
        self.full.iter().for_each(|slot| out.number(*slot as u64));
        out.number(self.open.len() as u64);
        for (id, Open { slot, call, due, pauses }) in &self.open {
            out.number(id.0);
            out.number(*slot as u64);
            out.number(call.number);
            out.number(call.attempt.into());
            out.option(*due, Encoder::time);
            out.number(u64::from(*pauses));
        }
    }

    pub(super) fn restore(&mut self, bytes: &mut Decoder<'_>) -> Result<(), ProcessError> {
        *self = Calls { last: bytes.number()?, ..Calls::default() };
        for _ in 0..bytes.number()? {
            self.full.insert(usize::try_from(bytes.number()?)?);
        }
        for _ in 0..bytes.number()? {
            let id = CallId(bytes.number()?);
            let slot = usize::try_from(bytes.number()?)?;
            let call = CallOf { number: bytes.number()?, attempt: u32::try_from(bytes.number()?)? };
            let (due, pauses) = (bytes.option(Decoder::time)?, bytes.number()? != 0);
            self.due.extend(due.map(|due| (due, id)));
            self.open.insert(id, Open { slot, call, due, pauses });
        }
        Ok(())
    }
}

/// A record that waited for a call: what follows from it is of its place and time.
pub(crate) struct Waited<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: &'a Headers,
    pub(crate) address: Option<&'a Address>,
}

impl TaskState {
    /// What has become of the task's calls since this was asked the last time.
    pub fn take_calls(&mut self) -> CallChanges {
        std::mem::take(&mut self.calls.changes)
    }

    /// How many calls are open: made and not answered, or pausing before they are made again.
    pub fn open_calls(&self) -> usize {
        self.calls.open.len()
    }

    /// Whether every processor takes records: none has as many waiting for calls as it may have.
    #[inline]
    pub fn takes_records(&self) -> bool {
        self.calls.full.is_empty()
    }

    /// When the next call is too late or to be made again.
    pub fn calls_due(&self) -> Option<Timestamp> {
        self.calls.due.first().map(|(due, _)| *due)
    }

    /// Gives a call its answer, with all that follows from it; `false` if it is not open any more.
    pub fn answer(&mut self, id: CallId, answer: Answer) -> Result<bool, ProcessError> {
        let Some(open) = self.calls.remove(id) else { return Ok(false) };
        self.calls.changes.ended.push(id);
        self.tell_of_call(open, CallEvent::Answered(answer))?;
        Ok(true)
    }

    /// Ends the calls that are too late, and lets those be made again whose pause is over; gives whether there were any.
    pub fn wake_calls(&mut self) -> Result<bool, ProcessError> {
        let mut any = false;
        while let Some((_, id)) = self.calls.due.first().copied().filter(|(due, _)| *due <= self.now()) {
            any = true;
            if let Some(open) = self.calls.remove(id) {
                self.calls.changes.ended.push(id);
                self.tell_of_call(open, if open.pauses { CallEvent::Again } else { CallEvent::TooLate })?;
            }
        }
        Ok(any)
    }

    fn tell_of_call(&mut self, open: Open, event: CallEvent) -> Flow {
        let processor = self.parts.processors[open.slot].clone();
        processor.called(open.call, event, self)
    }

    /// Makes a call; after `limit` milliseconds of the wall clock it is too late.
    pub(crate) fn make_call(&mut self, slot: usize, call: CallOf, limit: Option<i64>, work: Work) {
        let now = self.now().as_millis();
        let due = limit.map(|limit| Timestamp::from_millis(now.saturating_add(limit)));
        let id = self.calls.add(Open { slot, call, due, pauses: false });
        if self.journal.may_undo() {
            self.calls.of_step.push(id);
        }
        self.remake_call(slot, id, work);
    }

    /// Hands the work of a call out that is open.
    pub(crate) fn remake_call(&mut self, slot: usize, id: CallId, work: Work) {
        let node = self.parts.processors[slot].name().clone();
        self.calls.changes.made.push(Call { id, node, work });
    }

    /// Lets a call be made again after so many milliseconds of the wall clock.
    pub(crate) fn delay_call(&mut self, slot: usize, call: CallOf, pause: i64) {
        let due = Timestamp::from_millis(self.now().as_millis().saturating_add(pause));
        self.calls.add(Open { slot, call, due: Some(due), pauses: true });
    }

    /// The numbers of the open calls of a processor.
    pub(crate) fn calls_of(&self, slot: usize) -> impl Iterator<Item = u64> + '_ {
        self.calls.open.values().filter(move |open| open.slot == slot).map(|open| open.call.number)
    }

    /// Says whether a processor takes more records.
    pub(crate) fn set_full(&mut self, slot: usize, full: bool) {
        if full {
            self.calls.full.insert(slot)
        } else {
            self.calls.full.remove(&slot)
        };
    }

    /// Makes the work of all open calls anew, in a copy of the task that made them.
    pub(super) fn remake_calls(&mut self) -> Result<(), SnapshotError> {
        let calling = self.calls.open.iter().filter(|(_, open)| !open.pauses);
        for (id, open) in calling.map(|(id, open)| (*id, *open)).collect::<Vec<_>>() {
            self.tell_of_call(open, CallEvent::Copied(id))?;
        }
        Ok(())
    }

    /// Takes a step that follows from a record that has waited. Where a handler may skip it, it is taken back when it fails.
    pub(crate) fn attempt_later(&mut self, waited: &Waited<'_>, step: impl FnOnce(&mut TaskState) -> Flow) -> Flow {
        let Waited { key, value, timestamp, headers, address } = *waited;
        let stored = self.journal.is_on().then(|| {
            let mut one = BatchBuilder::default();
            one.push(timestamp, key, value, headers);
            Arc::new(one.finish(Offset::ZERO)).records()
        });
        let before = std::mem::replace(self.address_mut(), address.cloned());
        let taken = self.attempt(Origin { record: stored.as_ref(), timestamp }, step);
        let at = std::mem::replace(self.address_mut(), before);
        taken.map(|_| ()).map_err(|error| at.iter().fold(error, ProcessError::at_record))
    }
}
