//! Rows of a store that topics fill, below the task, with the place in each partition that they reflect.
//!
//! Rule: rows and places are written in one atomic step, so after a crash no record is left out and none is there twice.
//! The offset of a [`ByteStore`] is one number and cannot stand for several partitions; so the places are a row of their own,
//! and all keys get a first byte that keeps it apart.
//!
//! ```text
//! places   key 00                 value: 01, the version; per partition, by topic and number: topic, partition, next
//!                                 offset, time
//! row      key 01 | <the key>     value: as without places
//! ```
//! Numbers are 8 bytes, little-endian; a topic is its length, in 4 bytes, and its bytes; a time is 00, or 01 and 8 bytes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    ByteSnapshot, ByteStore, Checkpoint, Direction, KeyRange, Rows, StoreError, StoreErrorKind, StoreWrite,
    TakeSnapshot,
};
use crate::record::{Decoder, Encoder, Offset, Timestamp, TopicPartition};

const PLACES: &[u8] = &[0];
const ROW: u8 = 1;
const VERSION: u8 = 1;

/// How far a store has taken in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The next offset.
    pub next: Offset,
    /// The greatest time among the records before it.
    pub time: Option<Timestamp>,
}

/// How far a store's written rows have taken in the partitions that fill it; shared by the task, which knows, and the bytes
/// below, which write it with the rows.
#[derive(Clone, Debug, Default)]
pub struct Positions(Arc<Mutex<BTreeMap<TopicPartition, Position>>>);

impl Positions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, Position>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place in a partition; `None` when nothing of it was written.
    pub fn get(&self, partition: &TopicPartition) -> Option<Position> {
        self.lock().get(partition).copied()
    }

    /// Says what the next write of rows reflects.
    pub fn set(&self, partition: &TopicPartition, position: Position) {
        self.lock().insert(partition.clone(), position);
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let mut out = Encoder(&mut bytes);
        for (partition, position) in &*self.lock() {
            out.bytes(partition.topic.as_bytes());
            out.number(partition.partition.into());
            out.number(position.next.get());
            out.option(position.time, Encoder::time);
        }
        bytes
    }

    fn read(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let wrong = |cause: String| {
            StoreError::new(StoreErrorKind::Corrupt, format!("a store's places in its topics cannot be read: {cause}"))
        };
        let Some((&VERSION, bytes)) = bytes.split_first() else {
            return Err(wrong("they are of another version of tidemill".into()));
        };
        let mut bytes = Decoder::new(bytes);
        while !bytes.is_at_end() {
            let mut entry = || {
                let (topic, partition) = (bytes.bytes()?, bytes.number()?);
                Ok((topic, partition, Offset::new(bytes.number()?), bytes.option(Decoder::time)?))
            };
            let (topic, partition, next, time) =
                entry().map_err(|cause: crate::record::CutOff| wrong(cause.to_string()))?;
            let topic = std::str::from_utf8(topic).map_err(|cause| wrong(cause.to_string()))?;
            let partition = u32::try_from(partition).map_err(|cause| wrong(cause.to_string()))?;
            self.set(&TopicPartition::new(topic, partition), Position { next, time });
        }
        Ok(())
    }
}

/// A byte store that keeps places in topics beside its rows.
pub(crate) struct PositionedStore {
    inner: Box<dyn ByteStore>,
    positions: Positions,
}

impl PositionedStore {
    /// Over the bytes of an earlier run, with the places that they have.
    pub(crate) fn over(inner: Box<dyn ByteStore>) -> Result<(Box<dyn ByteStore>, Positions), StoreError> {
        let positions = Positions::default();
        let mut bytes = Vec::new();
        if inner.get(PLACES, &mut bytes)? {
            positions.read(&bytes)?;
        }
        Ok((Box::new(PositionedStore { inner, positions: positions.clone() }), positions))
    }
}

fn row(key: &[u8]) -> Vec<u8> {
    [&[ROW], key].concat()
}

/// The keys of a range as they stand beside the places.
fn rows_of(range: &KeyRange) -> KeyRange {
    let bound = |bound: &Bound<Vec<u8>>, open: Bound<Vec<u8>>| match bound {
        Bound::Unbounded => open,
        bound => bound.as_ref().map(|key| row(key)),
    };
    let from = bound(&range.from, Bound::Included(vec![ROW]));
    KeyRange { from, to: bound(&range.to, Bound::Excluded(vec![ROW + 1])) }
}

fn without_prefix(rows: Rows<'_>) -> Rows<'_> {
    Box::new(rows.map(|row| row.map(|(key, value)| (key[1..].to_vec(), value))))
}

impl ByteStore for PositionedStore {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.inner.get(&row(key), out)
    }

    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError> {
        self.inner.range(&rows_of(range), direction).map(without_prefix)
    }

    fn write(&mut self, writes: &mut dyn Iterator<Item = StoreWrite<'_>>, at: Checkpoint) -> Result<(), StoreError> {
        let places = self.positions.write();
        // One buffer for the longer keys, so that the writes can be lent.
        let (mut keys, mut rows) = (Vec::new(), Vec::new());
        for write in writes {
            let start = keys.len();
            keys.push(ROW);
            keys.extend_from_slice(write.key);
            rows.push((start..keys.len(), write.value));
        }
        let places = StoreWrite { key: PLACES, value: Some(&places) };
        let rows = rows.into_iter().map(|(key, value)| StoreWrite { key: &keys[key], value });
        self.inner.write(&mut std::iter::once(places).chain(rows), at)
    }

    fn discard(&mut self, range: &KeyRange) -> Result<(), StoreError> {
        self.inner.discard(&rows_of(range))
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.inner.checkpoint()
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.inner.wipe()?;
        self.positions.lock().clear();
        Ok(())
    }

    fn snapshots(&self) -> Option<Arc<dyn TakeSnapshot>> {
        self.inner.snapshots().map(|inner| Arc::new(Positioned(inner)) as _)
    }
}

/// Snapshots of the rows without the places.
struct Positioned<S: ?Sized>(Arc<S>);

impl TakeSnapshot for Positioned<dyn TakeSnapshot> {
    fn take(&self) -> Result<Arc<dyn ByteSnapshot>, StoreError> {
        Ok(Arc::new(Positioned(self.0.take()?)))
    }
}

impl ByteSnapshot for Positioned<dyn ByteSnapshot> {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.0.get(&row(key), out)
    }

    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError> {
        self.0.range(&rows_of(range), direction).map(without_prefix)
    }

    fn approximate_count(&self) -> u64 {
        self.0.approximate_count().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Positions {
        let positions = Positions::default();
        let at = |next, time: Option<i64>| Position { next: Offset::new(next), time: time.map(Timestamp::from_millis) };
        positions.set(&TopicPartition::new("b", 0), at(7, None));
        positions.set(&TopicPartition::new("a", 2), at(u64::MAX, Some(-3)));
        positions
    }

    #[test]
    fn places_are_written_as_the_formats_say() {
        let mut expected = vec![1];
        for (topic, partition, next, time) in [(b'a', 2u64, u64::MAX, Some(-3i64)), (b'b', 0, 7, None)] {
            expected.extend(1u32.to_le_bytes());
            expected.push(topic);
            expected.extend(partition.to_le_bytes());
            expected.extend(next.to_le_bytes());
            expected.push(u8::from(time.is_some()));
            expected.extend(time.iter().flat_map(|time| time.to_le_bytes()));
        }
        assert_eq!(some().write(), expected);
    }

    #[test]
    fn places_are_read_back_and_cut_off_or_foreign_ones_are_refused() {
        let (bytes, read) = (some().write(), Positions::default());
        read.read(&bytes).unwrap();
        assert_eq!(*read.lock(), *some().lock());
        for wrong in [&bytes[..bytes.len() - 1], &[], &[2]] {
            assert_eq!(Positions::default().read(wrong).unwrap_err().kind(), StoreErrorKind::Corrupt);
        }
    }
}
