//! Steps that may fail without failing the task: what they did is remembered until they have finished, and taken back when
//! they fail.
//!
//! Rule: where no handler may skip anything, nothing is remembered and nothing is paid.

use std::sync::Arc;

use super::dead_letter::LeftOut;
use super::{
    DropCounts, ErrorSettings, FailedRecord, Flow, PartialEffects, ProcessError, SnapshotBytes, Stage, TaskState,
    Timers,
};
use crate::record::{Headers, Records, StoredRecord, Timestamp};

/// What a step follows from.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// The record being processed, as it is stored; `None` in a punctuation.
    pub record: Option<&'a Records>,
    /// The record's time, or that of the punctuation.
    pub timestamp: Timestamp,
}

/// How a step ended that did not fail the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It counts, although nodes may have left records out on the way.
    Done,
    /// It failed and was taken back: as if its record had never been there.
    Undone,
}

/// What a task remembers of the step that it is in.
pub(super) struct Journal {
    pub(super) errors: ErrorSettings,
    /// Whether a handler may leave a record out that had effects already.
    on: bool,
    /// Whether the effects of such a record are taken back.
    undo: bool,
    in_step: bool,
    record: Option<Records>,
    timestamp: Timestamp,
    /// Processors that the step entered, as they were before; `None` for one that cannot say.
    instances: Vec<(usize, Option<SnapshotBytes>)>,
    /// The timers before the step changed any.
    timers: Option<Timers>,
}

/// The small things of a task before a step.
struct Before {
    dropped: DropCounts,
    stream_time: Option<Timestamp>,
    commit_requested: bool,
}

impl Journal {
    pub(super) fn new(errors: ErrorSettings) -> Self {
        let on = errors.may_skip_halfway();
        let undo = on && errors.partial_effects == PartialEffects::Undo;
        let (record, timestamp, instances, timers) = (None, Timestamp::ZERO, Vec::new(), None);
        Journal { errors, on, undo, in_step: false, record, timestamp, instances, timers }
    }

    /// Whether stores and outputs are to remember what they were.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Whether what is done now may be taken back.
    pub(super) fn may_undo(&self) -> bool {
        self.undo && self.in_step
    }
}

impl TaskState {
    /// Takes a step, such as that of a record or of a punctuation, in which user code runs. Where a handler may skip, a step
    /// that failed is taken back and judged; an error is one that fails the task.
    #[inline(always)]
    pub(crate) fn attempt(
        &mut self,
        origin: Origin<'_>,
        step: impl FnOnce(&mut TaskState) -> Flow,
    ) -> Result<Attempt, ProcessError> {
        if !self.journal.on {
            return step(self).map(|()| Attempt::Done);
        }
        let attempt = self.attempt_journalled(origin, step)?;
        self.make_room_late()?;
        Ok(attempt)
    }

    /// Tells the nodes below of something that a cache let out: a step of its own, unless it is part of one.
    pub(crate) fn attempt_to_tell(&mut self, timestamp: Timestamp, tell: impl FnOnce(&mut TaskState) -> Flow) -> Flow {
        if !self.journal.on || self.journal.in_step {
            return tell(self);
        }
        self.attempt_journalled(Origin { record: None, timestamp }, tell).map(|_| ())
    }

    fn attempt_journalled(
        &mut self,
        origin: Origin<'_>,
        step: impl FnOnce(&mut TaskState) -> Flow,
    ) -> Result<Attempt, ProcessError> {
        let Self { dropped, stream_time, commit_requested, .. } = *self;
        let before = Before { dropped, stream_time, commit_requested };
        self.keep();
        (self.journal.in_step, self.journal.timestamp) = (true, origin.timestamp);
        self.journal.record = origin.record.cloned();
        let attempt = match step(self) {
            Ok(()) => Attempt::Done,
            Err(error) => {
                let left_out = self.judge(error)?;
                let attempt = if self.journal.undo { self.undo(&before)? } else { Attempt::Done };
                self.leave_out(&left_out)?;
                attempt
            }
        };
        (self.journal.in_step, self.journal.record) = (false, None);
        Ok(attempt)
    }

    /// A node failed. Where partial effects stay it may be that only this node leaves the record out.
    #[cold]
    pub(crate) fn failed_in(&mut self, node: &Arc<str>, error: ProcessError) -> Flow {
        let error = error.at_node(node);
        if !self.journal.on || self.journal.undo {
            return Err(error);
        }
        let left_out = self.judge(error)?;
        self.leave_out(&left_out)
    }

    /// A record cannot be read. Where the handler skips it, it is counted, and the next one may be read.
    pub fn undecodable(&mut self, error: ProcessError, record: &StoredRecord<'_>) -> Flow {
        if error.is_never_skipped() || error.stage() != Stage::Deserialization {
            return Err(error);
        }
        let headers = record.headers().unwrap_or(Headers::NONE);
        let failed = FailedRecord {
            stage: Stage::Deserialization,
            error: &error,
            address: error.address(),
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: &headers,
        };
        match LeftOut::judge(&failed, &self.journal.errors) {
            Some(left_out) => self.leave_out(&left_out),
            None => Err(error),
        }
    }

    /// Asks the handler about a failure of the step that is being taken.
    fn judge(&self, error: ProcessError) -> Result<LeftOut, ProcessError> {
        if error.is_never_skipped() {
            return Err(error);
        }
        let error = self.address().into_iter().fold(error, ProcessError::at_record);
        let error = self.firing().into_iter().fold(error, ProcessError::at_timer);
        let stored = self.journal.record.as_ref().and_then(Records::peek);
        let headers = stored.and_then(|record| record.headers().ok()).unwrap_or(Headers::NONE);
        // Kafka Streams lets go of the bytes when it sends something, and they are null in dead letters from then on.
        let bytes = stored.filter(|_| self.journal.undo || !self.parts.outputs.has_sent());
        let failed = FailedRecord {
            stage: error.stage(),
            error: &error,
            address: self.address(),
            timestamp: self.journal.timestamp,
            key: bytes.and_then(|record| record.key),
            value: bytes.and_then(|record| record.value),
            headers: &headers,
        };
        // Asked once: the nodes above do not ask again.
        LeftOut::judge(&failed, &self.journal.errors).ok_or_else(|| error.never_skipped())
    }

    fn leave_out(&mut self, left_out: &LeftOut) -> Flow {
        self.drop_record(left_out.reason);
        left_out.write(&mut self.parts.outputs)
    }

    /// Takes back what the step did.
    fn undo(&mut self, before: &Before) -> Result<Attempt, ProcessError> {
        for store in self.parts.stores.iter_mut().flatten() {
            store.undo()?;
        }
        self.parts.times.iter_mut().for_each(|(_, time)| time.undo());
        for (slot, fields) in std::mem::take(&mut self.journal.instances) {
            if let (Some(fields), Some(instance)) = (fields, &mut self.parts.instances[slot]) {
                instance.restore(&fields)?;
            }
        }
        self.parts.outputs.undo();
        let cached = self.parts.stores.iter().flatten().map(|store| store.cached_bytes()).sum();
        self.parts.cache_budget.set_used(cached);
        if let Some(timers) = self.journal.timers.take() {
            self.timers = timers;
        }
        self.calls.undo();
        (self.dropped, self.stream_time, self.commit_requested) =
            (before.dropped, before.stream_time, before.commit_requested);
        Ok(Attempt::Undone)
    }

    /// A step begins: nothing that was done before is taken back with it.
    fn keep(&mut self) {
        for store in self.parts.stores.iter_mut().flatten() {
            store.keep();
        }
        self.parts.times.iter_mut().for_each(|(_, time)| time.keep());
        self.parts.outputs.keep();
        self.journal.instances.clear();
        self.journal.timers = None;
        self.calls.keep();
    }

    /// Timers are about to change: notes them, if they may have to be set back.
    pub(super) fn remember_timers(&mut self) {
        if self.journal.may_undo() && self.journal.timers.is_none() {
            self.journal.timers = Some(self.timers.clone());
        }
    }

    /// A processor is about to run: notes its fields, if they may have to be set back.
    #[inline]
    pub(super) fn remember_instance(&mut self, slot: usize) {
        if self.journal.may_undo() {
            self.remember_fields(slot);
        }
    }

    fn remember_fields(&mut self, slot: usize) {
        if self.journal.instances.iter().any(|(known, _)| *known == slot) {
            return;
        }
        let mut fields = SnapshotBytes::new();
        let can = self.parts.instances[slot].as_ref().is_some_and(|instance| instance.snapshot(&mut fields).is_ok());
        self.journal.instances.push((slot, can.then_some(fields)));
    }
}
