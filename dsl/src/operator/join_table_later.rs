//! Stream-table join with a grace period: records wait until the table had time to learn what was valid at their time.
//!
//! Rule: the time of the buffer is the greatest one put into it. A record older than that by more than the grace period is
//! joined at once and lets nothing out. Any other is put in, and then all come out that are older by the grace period or
//! more, in the order of time, key bytes and arrival. A record that is dropped moves no time.

use std::ops::{Bound, ControlFlow};

use super::JoinTable;
use super::held_record::HeldRecord;
use super::join_table::Padding;
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::{Record, Timestamp};
use crate::serde::{Data, SerdeRef};
use crate::state::{Direction, KeyRange, KeyValueState};
use crate::topology::RowSlot;

/// What the keys of Kafka Streams' buffers begin with where the time comes first.
const TIME_FIRST: u8 = 0;
/// Bytes before the record's key: that, and the time.
const BEFORE_KEY: usize = 9;
/// Bytes behind the record's key: the number of its arrival among those of equal time and key.
const BEHIND_KEY: usize = 4;

pub(crate) struct JoinTableLater<K: Data, V: 'static, T, F> {
    pub(crate) join: JoinTable<K::Plain, T, F>,
    pub(crate) buffer: RowSlot<Vec<u8>, HeldRecord>,
    pub(crate) keys: SerdeRef<K>,
    pub(crate) values: SerdeRef<V>,
    /// In milliseconds.
    pub(crate) grace: i64,
}

impl<K, V, T, R, F> Operator<StreamOf<K, V>, StreamOf<K, R>> for JoinTableLater<K, V, T, F>
where
    K: Data,
    V: Data,
    T: 'static,
    R: 'static,
    F: Fn(&K, &V::Plain, Option<&T>) -> Result<R, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, R>>) -> Flow {
        if record.value.plain().is_none() {
            ctx.drop_record(DropReason::NullValue);
            return Ok(());
        }
        if record.key.plain().is_none() {
            if self.join.padding == Padding::Pad {
                return Err(
                    "key cannot be null: a left join with a grace period holds records by their keys; drop those \
                            without one before it"
                        .into(),
                );
            }
            ctx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        let time = record.timestamp.as_millis();
        match self.last_time(ctx)? {
            Some(last) if time < last.saturating_sub(self.grace) => self.join.process(record, ctx),
            last => {
                self.hold(record, ctx)?;
                self.let_out(last.map_or(time, |last| last.max(time)).saturating_sub(self.grace), ctx).map(|_| ())
            }
        }
    }

    fn follows_time(&self) -> bool {
        true
    }

    fn advance(&self, time: Timestamp, ctx: &mut NodeContext<'_, StreamOf<K, R>>) -> Result<bool, ProcessError> {
        self.let_out(time.as_millis().saturating_sub(self.grace), ctx)
    }
}

impl<K: Data, V: Data, T, F> JoinTableLater<K, V, T, F> {
    /// The time of the buffer. The record that made it stays in until a later one comes, unless there is no grace period;
    /// then it makes no difference.
    fn last_time<R: 'static>(&self, ctx: &mut NodeContext<'_, StreamOf<K, R>>) -> Result<Option<i64>, ProcessError> {
        let mut last = None;
        let (buffer, _) = ctx.task().state::<KeyValueState<Vec<u8>, HeldRecord>>(self.buffer.index);
        buffer.walk(&KeyRange::ALL, Direction::Backward, &mut |_, held, _| {
            last = Some(held.timestamp.as_millis());
            ControlFlow::Break(())
        })?;
        Ok(last)
    }

    fn hold<R: 'static>(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, R>>) -> Flow {
        let mut key = vec![TIME_FIRST];
        key.extend_from_slice(&record.timestamp.as_millis().to_be_bytes());
        self.keys.write(record.key, &mut key)?;
        let mut value = Vec::new();
        self.values.write(record.value, &mut value)?;
        let address = ctx.address().cloned();
        let held = HeldRecord { timestamp: record.timestamp, address, headers: record.headers.clone(), value };
        let (buffer, mut out) = ctx.task().state::<KeyValueState<Vec<u8>, HeldRecord>>(self.buffer.index);
        let arrival = next_arrival(buffer, &key)?;
        key.extend_from_slice(&arrival.to_be_bytes());
        let row = buffer.claim(&key)?;
        Ok(buffer.set(row, Some(held), record.timestamp, &mut out)?)
    }

    /// Joins all records whose time is `until` or earlier; gives whether there were any.
    fn let_out<R>(&self, until: i64, ctx: &mut NodeContext<'_, StreamOf<K, R>>) -> Result<bool, ProcessError>
    where
        T: 'static,
        R: 'static,
        F: Fn(&K, &V::Plain, Option<&T>) -> Result<R, ProcessError> + Send + Sync + 'static,
    {
        let (at, mut any) = (ctx.address().cloned(), false);
        while let Some((key, held)) = self.take_first(until, ctx)? {
            let record_key = self.keys.read(&key[BEFORE_KEY..key.len() - BEHIND_KEY])?;
            let value = self.values.read(&held.value)?;
            let record = Record { key: &record_key, value: &value, timestamp: held.timestamp, headers: &held.headers };
            ctx.task().set_address(held.address);
            let joined = self.join.process(record, ctx);
            let held_at = std::mem::replace(ctx.task().address_mut(), at.clone());
            joined.map_err(|error| held_at.iter().fold(error, ProcessError::at_record))?;
            any = true;
        }
        Ok(any)
    }

    /// Takes the first record out of the buffer, if its time is `until` or earlier.
    fn take_first<R: 'static>(
        &self,
        until: i64,
        ctx: &mut NodeContext<'_, StreamOf<K, R>>,
    ) -> Result<Option<(Vec<u8>, HeldRecord)>, ProcessError> {
        let (buffer, mut out) = ctx.task().state::<KeyValueState<Vec<u8>, HeldRecord>>(self.buffer.index);
        let mut first = None;
        buffer.walk(&KeyRange::ALL, Direction::Forward, &mut |key, held, _| {
            first = (held.timestamp.as_millis() <= until).then(|| key.to_vec());
            ControlFlow::Break(())
        })?;
        let Some(key) = first else { return Ok(None) };
        let row = buffer.claim(&key)?;
        let taken = buffer.take(row)?;
        let time = taken.as_ref().map_or(Timestamp::ZERO, |(held, _)| held.timestamp);
        buffer.set(row, None, time, &mut out)?;
        Ok(taken.map(|(held, _)| (key, held)))
    }
}

/// The number behind those of the records that wait with the same time and key.
fn next_arrival(buffer: &mut KeyValueState<Vec<u8>, HeldRecord>, key: &[u8]) -> Result<u32, ProcessError> {
    let bound = |number: u32| Bound::Included([key, number.to_be_bytes().as_slice()].concat());
    let range = KeyRange { from: bound(0), to: bound(u32::MAX) };
    let mut last: Option<u32> = None;
    buffer.walk(&range, Direction::Backward, &mut |found, _, _| {
        // A longer key may lie between, which is another one.
        match found.strip_prefix(key).and_then(|number| <[u8; BEHIND_KEY]>::try_from(number).ok()) {
            Some(number) => {
                last = Some(u32::from_be_bytes(number));
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    })?;
    Ok(last.map_or(0, |last| last + 1))
}
