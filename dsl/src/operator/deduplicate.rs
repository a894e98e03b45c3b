//! Lets the first record of an identity through and drops those that lie within a time of one that went through.
//!
//! Rule: first means first to be processed, whatever its time. Only records that went through are remembered, so a
//! duplicate does not make the time longer. A record that came so late that what it could repeat may be forgotten is dropped.

use std::ops::ControlFlow;

use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::{Record, Timestamp};
use crate::state::{Direction, Reader, WindowState};
use crate::topology::StoreSlot;

/// The times of records that went through, by the bytes of their identity.
pub(crate) type SeenState = WindowState<Vec<u8>, Vec<u8>>;

pub(crate) struct Deduplicate<F> {
    pub(crate) seen: StoreSlot<SeenState>,
    /// The place of the operator's own time.
    pub(crate) time: usize,
    /// How near a record has to be to one of its identity to repeat it, in milliseconds.
    pub(crate) within: i64,
    /// How far behind the operator's time a record may be, in milliseconds.
    pub(crate) grace: i64,
    /// Appends the identity's bytes; gives whether the record has one.
    pub(crate) identity: F,
}

impl<K, V, F> Operator<StreamOf<K, V>, StreamOf<K, V>> for Deduplicate<F>
where
    K: 'static,
    V: 'static,
    F: Fn(&K, &V, &mut Vec<u8>) -> Result<bool, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, V>>) -> Flow {
        let mut identity = Vec::new();
        if !(self.identity)(record.key, record.value, &mut identity)? {
            // What cannot be compared repeats nothing.
            return ctx.push(record);
        }
        let time = record.timestamp.as_millis();
        let observed = ctx.task().time(self.time).observe(record.timestamp).as_millis();
        if time < observed.saturating_sub(self.grace) {
            ctx.drop_record(DropReason::Late);
            return Ok(());
        }
        let (seen, mut out) = ctx.task().state::<SeenState>(self.seen.index);
        if self.is_repeated(seen, &identity, time)? {
            ctx.drop_record(DropReason::Duplicate);
            return Ok(());
        }
        seen.put(&identity, time, Some(Vec::new()), record.timestamp, &mut out)?;
        ctx.push(record)
    }

    fn follows_time(&self) -> bool {
        true
    }

    fn advance(&self, time: Timestamp, ctx: &mut NodeContext<'_, StreamOf<K, V>>) -> Result<bool, ProcessError> {
        ctx.task().time(self.time).observe(time);
        Ok(false)
    }
}

impl<F> Deduplicate<F> {
    /// Whether a record of this identity went through less than the time away.
    fn is_repeated(&self, seen: &mut SeenState, identity: &Vec<u8>, time: i64) -> Result<bool, ProcessError> {
        let near = self.within.saturating_sub(1);
        let times = time.saturating_sub(near)..=time.saturating_add(near);
        let mut repeated = false;
        seen.walk_key(identity, times, (Direction::Forward, Reader::Task), &mut |_, _, _, _| {
            repeated = true;
            ControlFlow::Break(())
        })?;
        Ok(repeated)
    }
}
