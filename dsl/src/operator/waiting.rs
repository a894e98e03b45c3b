//! The records of a left or outer join that have not met any: they wait until none can come any more that they could meet.
//!
//! Rule, as in Kafka Streams: they lie in the order of time, side (the right one first), key bytes and arrival, and come out in
//! it, each with its own time, once the join's time is later than their own plus what their side reaches plus the grace. They
//! are looked for by a record at the join's time, if enough of the wall clock has passed since the last look, and if the first
//! may be closed. A look ends where both sides have a record that still waits.
//!
//! ```text
//! key     time (8) | side (1), 1 for the left one | key bytes
//! value   a list of what has this key: side (1) | value bytes
//! ```
//! The list is in the format of Kafka's lists of bytes.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use crate::processor::{Flow, NodeContext, ProcessError, StreamOf, TaskState};
use crate::record::{Record, Timestamp};
use crate::serde::{Data, List, Serde, SerdeError, SerdeRef};
use crate::state::{Cause, Direction, KeyRange, KeyValueState, Store, StoreSpec};
use crate::topology::RowSlot;
use crate::window::Reach;

/// Bytes before the record's key: time and side.
const BEFORE_KEY: usize = 9;
const LEFT: u8 = 1;
const RIGHT: u8 = 0;

/// A value of either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waits<L, R> {
    Left(L),
    Right(R),
}

/// The serde of a value of either side.
struct WaitsSerde<L: 'static, R: 'static>(SerdeRef<L>, SerdeRef<R>);

impl<L: 'static, R: 'static> Serde<Waits<L, R>> for WaitsSerde<L, R> {
    fn write(&self, waits: &Waits<L, R>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        match waits {
            Waits::Left(value) => {
                out.push(LEFT);
                self.0.write(value, out)
            }
            Waits::Right(value) => {
                out.push(RIGHT);
                self.1.write(value, out)
            }
        }
    }

    fn read(&self, bytes: &[u8]) -> Result<Waits<L, R>, SerdeError> {
        match bytes.split_first() {
            Some((&LEFT, value)) => self.0.read(value).map(Waits::Left),
            Some((&RIGHT, value)) => self.1.read(value).map(Waits::Right),
            _ => Err(SerdeError::new("a value that waits for a match begins with the byte of its side, 0 or 1")),
        }
    }

    fn name(&self) -> String {
        format!("{} or {}", self.0.name(), self.1.name())
    }
}

/// The bytes of a row's key; those of the usual lengths lie where the list of them does.
type RowKey = SmallVec<[u8; 24]>;

/// What waits under one time, side and key.
type Waiters<L, R> = Vec<Waits<L, R>>;

/// Where the records of a join wait.
pub(crate) struct Waiting<K: Data, L: 'static, R: 'static> {
    pub(crate) store: RowSlot<Vec<u8>, Waiters<L, R>>,
    pub(crate) keys: SerdeRef<K::Plain>,
    /// As declared: as seen from the left side.
    pub(crate) reach: Reach,
    /// In milliseconds.
    pub(crate) grace: i64,
    /// The place of the join's time.
    pub(crate) time: usize,
}

/// The store of the records that wait.
pub(crate) fn waiting_spec<L: Send + 'static, R: Send + 'static>(
    name: &str,
    left: SerdeRef<L>,
    right: SerdeRef<R>,
) -> StoreSpec {
    let values = SerdeRef::new(List::new(WaitsSerde(left, right)));
    StoreSpec::plain(&Store::<Vec<u8>, Waiters<L, R>>::new(name, SerdeRef::of(), values))
}

impl<K: Data, L: Send + 'static, R: Send + 'static> Waiting<K, L, R> {
    /// Lets a record wait, behind those of equal time, side and key.
    pub(super) fn hold<V>(
        &self,
        key: &K::Plain,
        waits: Waits<L, R>,
        record: Record<'_, K, V>,
        task: &mut TaskState,
    ) -> Flow {
        let side = if matches!(waits, Waits::Left(_)) { LEFT } else { RIGHT };
        let key = self.row_key(key, record.timestamp.as_millis(), side)?;
        let (store, out) = task.state::<KeyValueState<Vec<u8>, Waiters<L, R>>>(self.store.index);
        let row = store.claim(&key)?;
        let mut waiters = store.take(row)?.map(|(waiters, _)| waiters).unwrap_or_default();
        waiters.push(waits);
        Ok(store.set(row, Some(waiters), record.timestamp, &mut out.caused_by(record.into()))?)
    }

    /// Takes everything out of the wait that a side has of a key and time: `record` has met it.
    pub(super) fn forget<V>(
        &self,
        key: &K::Plain,
        time: i64,
        left: bool,
        record: Record<'_, K, V>,
        task: &mut TaskState,
    ) -> Flow {
        let key = self.row_key(key, time, if left { LEFT } else { RIGHT })?;
        let (store, out) = task.state::<KeyValueState<Vec<u8>, Waiters<L, R>>>(self.store.index);
        match store.place(&key)? {
            Some(row) if store.value(row).is_some() => {
                Ok(store.set(row, None, record.timestamp, &mut out.caused_by(record.into()))?)
            }
            _ => Ok(()),
        }
    }

    fn row_key(&self, key: &K::Plain, time: i64, side: u8) -> Result<Vec<u8>, SerdeError> {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend_from_slice(&time.to_be_bytes());
        bytes.push(side);
        self.keys.write(key, &mut bytes)?;
        Ok(bytes)
    }

    /// Lets the records out whose time is over, if it is time to look for them: `after_both` is how far behind its own time a
    /// record of the side that looks is closed. They come with the headers of the record that lets them out. Gives whether any
    /// came.
    pub(super) fn let_out<O>(
        &self,
        after_both: i64,
        cause: Cause<'_>,
        join: &impl Fn(&K, Option<&L>, Option<&R>) -> Result<O, ProcessError>,
        ctx: &mut NodeContext<'_, StreamOf<K, O>>,
    ) -> Result<bool, ProcessError>
    where
        O: 'static,
    {
        let task = ctx.task();
        let pace = (task.now(), task.emit_interval());
        if !task.time(self.time).begin_padding(pace, after_both) {
            return Ok(false);
        }
        let closed = self.take_closed(ctx.task())?;
        for key in &closed {
            let (store, out) = ctx.task().state::<KeyValueState<Vec<u8>, Waiters<L, R>>>(self.store.index);
            let row = store.rows().claim(key)?;
            let waiters = store.take(row)?.map(|(waiters, _)| waiters).unwrap_or_default();
            store.set(row, None, cause.timestamp, &mut out.caused_by(cause))?;
            let (timestamp, key) = (time_of(key), K::from_plain(self.keys.read(&key[BEFORE_KEY..])?));
            for waits in &waiters {
                let result = match waits {
                    Waits::Left(value) => join(&key, Some(value), None)?,
                    Waits::Right(value) => join(&key, None, Some(value))?,
                };
                ctx.forward(Record { key: &key, value: &result, timestamp, headers: cause.headers })?;
            }
        }
        Ok(!closed.is_empty())
    }

    /// The keys of the rows whose time is over; notes from when on others may be.
    fn take_closed(&self, task: &mut TaskState) -> Result<Vec<RowKey>, ProcessError> {
        let observed = task.time(self.time).observed().unwrap_or(Timestamp::ZERO).as_millis();
        let (store, _) = task.state::<KeyValueState<Vec<u8>, Waiters<L, R>>>(self.store.index);
        let (mut closed, mut last) = (Vec::new(), None);
        let (mut left_open, mut right_open) = (false, false);
        store.walk(&KeyRange::ALL, Direction::Forward, &mut |key, _, _| {
            let time = time_of(key);
            last = Some(time);
            if left_open && right_open {
                return ControlFlow::Break(());
            }
            let (open, reach) = match key[BEFORE_KEY - 1] {
                RIGHT => (&mut right_open, self.reach.before),
                _ => (&mut left_open, self.reach.after),
            };
            if time.as_millis().saturating_add(reach).saturating_add(self.grace) >= observed {
                *open = true;
            } else {
                closed.push(RowKey::from_slice(key));
            }
            ControlFlow::Continue(())
        })?;
        task.time(self.time).set_waiting_from(last);
        Ok(closed)
    }
}

/// The time that a row's key begins with.
fn time_of(key: &[u8]) -> Timestamp {
    let time = key.first_chunk().expect("the key of a record that waits begins with its time");
    Timestamp::from_millis(i64::from_be_bytes(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_a_list_of_sides_and_values_as_in_kafka_streams() {
        let serde = List::new(WaitsSerde::<String, i64>(SerdeRef::of(), SerdeRef::of()));
        let waiters = vec![Waits::Left("a".to_owned()), Waits::Right(258)];
        let mut bytes = Vec::new();
        serde.write(&waiters, &mut bytes).unwrap();
        let entries = [&[1, 0, 0, 0, 2, 0, 0, 0, 2, 1, b'a'][..], &[0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 2]].concat();
        assert_eq!(bytes, entries);
        assert_eq!(serde.read(&bytes).unwrap(), waiters);
        assert!(WaitsSerde::<i64, i64>(SerdeRef::of(), SerdeRef::of()).read(&[]).is_err());
    }
}
