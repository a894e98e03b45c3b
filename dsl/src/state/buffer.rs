//! The buffer of a table's changes that wait: one row for each key, found by key and by time.
//!
//! The rows lie like those of any store, so they are logged, restored and taken back as those are; the order of their times
//! is made from them when it is asked for.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::buffered::{Buffered, BufferedSerde};
use super::cells::KeyBytes;
use super::segmented_rows::forward_to_rows;
use super::typed_rows::TypedRows;
use super::window::unwritable;
use super::{
    Changelog, ChangelogOut, Checkpoint, Direction, Kept, KeyRange, PublishedRows, Release, RowFormat, StateStore,
    StoreError, VisitBytes,
};
use crate::record::{Headers, StoredRecord, Timestamp};
use crate::serde::SerdeRef;

/// Rows that wait in one buffer of one task.
pub(crate) struct BufferState<K: 'static, V: 'static> {
    keys: SerdeRef<K>,
    values: SerdeRef<V>,
    rows: TypedRows<Buffered<V>>,
    /// Whether the bytes of rows are counted.
    counts_bytes: bool,
    waiting: Option<Waiting>,
    key_buffer: Vec<u8>,
}

/// What follows from the rows.
#[derive(Default)]
struct Waiting {
    /// Buffer time, then the key's bytes: the order in which rows leave.
    order: BTreeSet<KeyBytes>,
    bytes: u64,
}

impl<K: 'static, V: Clone + Send + 'static> BufferState<K, V> {
    /// An empty buffer, or one over the rows that `kept.below` has.
    pub(crate) fn new(
        name: Arc<str>,
        (keys, values): (SerdeRef<K>, SerdeRef<V>),
        counts_bytes: bool,
        kept: Kept,
    ) -> Self {
        let serde = SerdeRef::new(BufferedSerde(values.clone()));
        let version = Headers::NONE.with("v", vec![3]);
        let rows = TypedRows::new(name, serde, RowFormat::Plain, kept).with_value_headers(version);
        BufferState { keys, values, rows, counts_bytes, waiting: None, key_buffer: Vec::new() }
    }

    fn write_key(&mut self, key: &K) -> Result<(), StoreError> {
        self.key_buffer.clear();
        self.keys.write(key, &mut self.key_buffer).map_err(|error| unwritable(self.rows.name(), error))
    }

    /// The row before the first change of a key that waits; `None` when none waits.
    pub(crate) fn prior(&mut self, key: &K) -> Result<Option<Option<&V>>, StoreError> {
        self.write_key(key)?;
        Ok(self.rows.get(&self.key_buffer)?.map(|(row, _)| row.prior.as_ref()))
    }

    /// Adds a change. A key that waits already keeps its time and what was before.
    pub(crate) fn put(&mut self, key: &K, change: Buffered<V>, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        self.waiting()?;
        self.write_key(key)?;
        let id = self.rows.claim(&self.key_buffer)?;
        let timestamp = change.timestamp;
        let (row, before) = match self.rows.take(id)? {
            Some((waits, _)) => {
                let before = self.size(&waits)?;
                (Buffered { time: waits.time, prior: waits.prior, ..change }, before)
            }
            None => (change, 0),
        };
        let (time, bytes) = (row.time, self.size(&row)?);
        self.rows.set(id, Some(row), timestamp, out)?;
        let entry = entry(time, &self.key_buffer);
        let waiting = self.waiting()?;
        waiting.order.insert(entry);
        waiting.bytes = waiting.bytes + bytes - before;
        Ok(())
    }

    /// The time of the row that leaves next.
    pub(crate) fn first_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.waiting()?.order.first().map(|entry| split(entry).0))
    }

    /// How many rows wait.
    pub(crate) fn count(&mut self) -> Result<u64, StoreError> {
        Ok(self.waiting()?.order.len() as u64)
    }

    /// How much room they take, as Kafka Streams counts it; 0 where it is not counted.
    pub(crate) fn bytes(&mut self) -> Result<u64, StoreError> {
        Ok(self.waiting()?.bytes)
    }

    /// Takes the row out that leaves next.
    pub(crate) fn take_first(&mut self, out: &mut ChangelogOut<'_>) -> Result<Option<(K, Buffered<V>)>, StoreError> {
        let Some(entry) = self.waiting()?.order.pop_first() else { return Ok(None) };
        let key = split(&entry).1;
        self.key_buffer.clear();
        self.key_buffer.extend_from_slice(key);
        let id = self.rows.claim(key)?;
        let (row, _) = self.rows.take(id)?.expect("what the order has is a row");
        self.rows.set(id, None, row.timestamp, out)?;
        let bytes = self.size(&row)?;
        self.waiting()?.bytes -= bytes;
        Ok(Some((self.keys.read(key).map_err(|error| self.rows.unreadable("a key", error))?, row)))
    }

    /// The size of a row with the key in the buffer.
    fn size(&self, row: &Buffered<V>) -> Result<u64, StoreError> {
        if !self.counts_bytes {
            return Ok(0);
        }
        let serde = BufferedSerde(self.values.clone());
        serde.size(&self.key_buffer, row).map_err(|error| unwritable(self.rows.name(), error))
    }

    fn waiting(&mut self) -> Result<&mut Waiting, StoreError> {
        if self.waiting.is_none() {
            let mut waiting = Waiting::default();
            let (serde, counts_bytes, mut failure) = (BufferedSerde(self.values.clone()), self.counts_bytes, None);
            self.rows.walk(&KeyRange::ALL, Direction::Forward, &mut |key, row, _| {
                waiting.order.insert(entry(row.time, key));
                match if counts_bytes { serde.size(key, row) } else { Ok(0) } {
                    Ok(bytes) => waiting.bytes += bytes,
                    Err(error) => failure = Some(error),
                }
                ControlFlow::Continue(())
            })?;
            if let Some(error) = failure {
                return Err(unwritable(self.rows.name(), error));
            }
            self.waiting = Some(waiting);
        }
        Ok(self.waiting.as_mut().expect("made in the lines above"))
    }
}

fn entry(time: Timestamp, key: &[u8]) -> KeyBytes {
    let mut entry = KeyBytes::from_slice(&time.as_millis().to_be_bytes());
    entry.extend_from_slice(key);
    entry
}

fn split(entry: &[u8]) -> (Timestamp, &[u8]) {
    let (time, key) = entry.split_first_chunk::<8>().expect("an entry begins with a time");
    (Timestamp::from_millis(i64::from_be_bytes(*time)), key)
}

impl<K: Send + 'static, V: Clone + Send + 'static> StateStore for BufferState<K, V> {
    forward_to_rows!();

    fn apply(&mut self, record: &StoredRecord<'_>) -> Result<(), StoreError> {
        self.rows.apply(record)
    }

    fn keep(&mut self) {
        self.rows.keep();
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        self.waiting = None;
        self.rows.undo()
    }

    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.rows.snapshot(out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.waiting = None;
        self.rows.restore(bytes)
    }
}
