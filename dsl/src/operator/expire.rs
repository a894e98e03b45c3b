//! `expire_after`: takes rows out of a table's store that nothing has changed for some time.
//!
//! Rule: time is that of the changes. A row is looked at once its deadline is over, and goes if nothing has changed it since; a
//! change makes the next deadline. Deadlines lie on a grid of a sixteenth of the time, so that a row that changes often has
//! few of them, and goes up to so much late. A change looks at sixteen deadlines at most, which is more than it can make.

use std::ops::ControlFlow;

use super::lend::change_row;
use crate::processor::{Flow, NodeContext, Operator, ProcessError, TableOf};
use crate::record::{Change, Headers, Timestamp};
use crate::state::{Cause, Direction, KeyRange, KeyValueState};
use crate::topology::RowSlot;

/// Deadlines that are looked at for one change.
const PER_CHANGE: usize = 16;
/// As many when time moves on without a change.
const PER_ADVANCE: usize = 1_000;
/// Deadlines of a row that changes all the time.
const GRID: i64 = 16;

/// Deadline (8 bytes, big-endian), then the row's key; the rows have no bytes.
type Deadlines = KeyValueState<Vec<u8>, Vec<u8>>;

pub(crate) struct Expire<K: 'static, V: 'static> {
    /// The rows of the table above.
    pub(crate) rows: RowSlot<K, V>,
    pub(crate) deadlines: RowSlot<Vec<u8>, Vec<u8>>,
    /// The place of the operator's own time.
    pub(crate) time: usize,
    /// How long a row stays without a change, in milliseconds.
    pub(crate) after: i64,
}

impl<K: 'static, V: Send + 'static> Operator<TableOf<K, V>, TableOf<K, V>> for Expire<K, V> {
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Flow {
        let observed = ctx.task().time(self.time).observe(change.timestamp);
        if change.new.is_some() {
            self.note(change.key, change.timestamp, ctx)?;
        }
        ctx.push(change)?;
        self.expire(observed, PER_CHANGE, change.headers, ctx).map(|_| ())
    }

    fn follows_time(&self) -> bool {
        true
    }

    fn advance(&self, time: Timestamp, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Result<bool, ProcessError> {
        let observed = ctx.task().time(self.time).observe(time);
        self.expire(observed, PER_ADVANCE, &Headers::NONE, ctx)
    }
}

impl<K: 'static, V: Send + 'static> Expire<K, V> {
    /// When a row goes that changed at `time`.
    fn deadline(&self, time: Timestamp) -> i64 {
        let grid = (self.after / GRID).max(1);
        (time.as_millis().max(0) / grid).saturating_add(1).saturating_mul(grid).saturating_add(self.after)
    }

    /// Notes when a row is to be looked at that changed at `time`.
    fn note(&self, key: &K, time: Timestamp, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Flow {
        let mut entry = self.deadline(time).to_be_bytes().to_vec();
        let (rows, _) = ctx.task().state::<KeyValueState<K, V>>(self.rows.index);
        entry.extend_from_slice(&rows.encode_key(key)?);
        let (deadlines, mut out) = ctx.task().state::<Deadlines>(self.deadlines.index);
        let place = deadlines.claim(&entry)?;
        if deadlines.value(place).is_none() {
            deadlines.set(place, Some(Vec::new()), time, &mut out)?;
        }
        Ok(())
    }

    /// Looks at rows whose deadline is over, at `most` so many; gives whether there were any.
    fn expire(
        &self,
        observed: Timestamp,
        most: usize,
        headers: &Headers,
        ctx: &mut NodeContext<'_, TableOf<K, V>>,
    ) -> Result<bool, ProcessError> {
        for looked_at in 0..most {
            let Some(key) = self.take_over(observed, ctx)? else { return Ok(looked_at > 0) };
            let (rows, _) = ctx.task().state::<KeyValueState<K, V>>(self.rows.index);
            let key = rows.decode_key(&key)?;
            if rows.get(&key)?.is_some_and(|(_, changed)| self.deadline(changed) <= observed.as_millis()) {
                let cause = Cause { timestamp: observed, headers };
                change_row(&self.rows, &key, cause, ctx, |_| Ok((None, observed)))?;
            }
        }
        Ok(true)
    }

    /// Takes the first deadline out if it is over; gives the bytes of its row's key.
    fn take_over(
        &self,
        observed: Timestamp,
        ctx: &mut NodeContext<'_, TableOf<K, V>>,
    ) -> Result<Option<Vec<u8>>, ProcessError> {
        let (deadlines, mut out) = ctx.task().state::<Deadlines>(self.deadlines.index);
        let mut first = None;
        deadlines.walk(&KeyRange::ALL, Direction::Forward, &mut |entry, _, _| {
            let over = entry.first_chunk().is_some_and(|due| i64::from_be_bytes(*due) <= observed.as_millis());
            first = over.then(|| entry.to_vec());
            ControlFlow::Break(())
        })?;
        let Some(entry) = first else { return Ok(None) };
        let place = deadlines.claim(&entry)?;
        deadlines.set(place, None, observed, &mut out)?;
        Ok(Some(entry[8..].to_vec()))
    }
}
