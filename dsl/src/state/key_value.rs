//! The typed key-value store of a task.

use std::sync::Arc;

use super::typed_rows::TypedRows;
use super::{
    CellId, Changelog, ChangelogOut, Checkpoint, Direction, Kept, KeyRange, PublishedRows, Reader, Release, RowFormat,
    RowMemory, StateStore, Store, StoreError, StoreErrorKind, UndoMark, VisitBytes, VisitRow,
};
use crate::record::{Headers, StoredRecord, Timestamp};
use crate::serde::{SerdeError, SerdeRef};

/// Typed rows of one key-value store of one task.
///
/// Keys are compared by their bytes, and ranges are in the order of their unsigned bytes, as in Kafka Streams.
pub struct KeyValueState<K: 'static, V: 'static> {
    keys: SerdeRef<K>,
    rows: TypedRows<V>,
    key_buffer: Vec<u8>,
}

impl<K: 'static, V: Send + 'static> KeyValueState<K, V> {
    /// An empty store, or one over the rows that `kept.below` has.
    pub fn new(name: Arc<str>, store: &Store<K, V>, format: RowFormat, kept: Kept) -> Self {
        let rows = TypedRows::new(name, store.value_serde().clone(), format, kept);
        KeyValueState { keys: store.key_serde().clone(), rows, key_buffer: Vec::new() }
    }

    /// The row's value and time; a store without times says 0.
    pub fn get(&mut self, key: &K) -> Result<Option<(&V, Timestamp)>, StoreError> {
        write_key(&self.keys, key, &mut self.key_buffer, self.rows.name())?;
        self.rows.get(&self.key_buffer)
    }

    /// The row's place, if it is there.
    pub(crate) fn place(&mut self, key: &K) -> Result<Option<CellId>, StoreError> {
        write_key(&self.keys, key, &mut self.key_buffer, self.rows.name())?;
        self.rows.place(&self.key_buffer)
    }

    /// The row's place; a row that is not there gets one, without a value.
    pub fn claim(&mut self, key: &K) -> Result<CellId, StoreError> {
        write_key(&self.keys, key, &mut self.key_buffer, self.rows.name())?;
        self.rows.claim(&self.key_buffer)
    }

    /// The value at a place.
    pub fn value(&self, id: CellId) -> &Option<V> {
        self.rows.value(id)
    }

    /// Value and time of the row at a place.
    pub fn row(&self, id: CellId) -> Option<(&V, Timestamp)> {
        self.rows.row(id)
    }

    /// The headers of the row at a place; none in a store that keeps none.
    pub(crate) fn headers(&self, id: CellId) -> &Headers {
        self.rows.headers(id)
    }

    /// Takes the value out of its place, to be given back changed by `set`.
    pub fn take(&mut self, id: CellId) -> Result<Option<(V, Timestamp)>, StoreError> {
        self.rows.take(id)
    }

    /// This moment, for [`undo_to`](Self::undo_to).
    pub fn mark(&self) -> UndoMark {
        self.rows.mark()
    }

    /// Takes back what was done since `mark`, if the store keeps a journal.
    pub fn undo_to(&mut self, mark: UndoMark) -> Result<(), StoreError> {
        self.rows.undo_to(mark)
    }

    /// Sets the row at a place; `None` deletes it.
    pub fn set(
        &mut self,
        id: CellId,
        value: Option<V>,
        timestamp: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        self.rows.set(id, value, timestamp, out)
    }

    /// A copy of a value, by way of its bytes: for the rare place that needs one of a type without `Clone`.
    pub fn copy(&self, value: &V) -> Result<V, StoreError> {
        self.rows.copy(value)
    }

    /// Visits the rows of a range until `visit` breaks. Keys come as their bytes.
    pub fn walk(&mut self, range: &KeyRange, direction: Direction, visit: VisitRow<'_, V>) -> Result<(), StoreError> {
        self.rows.walk(range, direction, visit)
    }

    /// As [`walk`](Self::walk); what the task reads like that was used.
    pub(crate) fn walk_by(
        &mut self,
        reader: Reader,
        range: &KeyRange,
        direction: Direction,
        visit: VisitRow<'_, V>,
    ) -> Result<(), StoreError> {
        self.rows.walk_by(reader, range, direction, visit)
    }

    /// The rows, for what all kinds of stores have in common.
    pub(crate) fn rows(&mut self) -> &mut TypedRows<V> {
        &mut self.rows
    }

    /// The key of the row at a place.
    pub(crate) fn key_at(&self, id: CellId) -> Result<K, StoreError> {
        self.decode_key(&self.rows.key(id))
    }

    /// The serde of keys.
    pub fn key_serde(&self) -> SerdeRef<K> {
        self.keys.clone()
    }

    /// The key that bytes stand for.
    pub fn decode_key(&self, bytes: &[u8]) -> Result<K, StoreError> {
        self.keys.read(bytes).map_err(|error| self.rows.unreadable("a key", error))
    }

    /// The bytes of a key.
    pub fn encode_key(&self, key: &K) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        write_key(&self.keys, key, &mut bytes, self.rows.name())?;
        Ok(bytes)
    }

    /// Appends the bytes of a value, as they stand in the changelog.
    pub fn encode_value(&self, value: &V, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.rows.encode_value(value, out)
    }
}

/// The bytes of a key, in place of what `out` had.
#[inline]
fn write_key<K: 'static>(keys: &SerdeRef<K>, key: &K, out: &mut Vec<u8>, store: &str) -> Result<(), StoreError> {
    out.clear();
    keys.write(key, out).map_err(|error| unwritable(store, error))
}

#[cold]
fn unwritable(store: &str, error: SerdeError) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, format!("store `{store}` cannot write a row: {error}")).with_source(error)
}

impl<K: 'static, V: Send + 'static> StateStore for KeyValueState<K, V> {
    fn name(&self) -> &Arc<str> {
        self.rows.name()
    }

    fn changelog(&self) -> Changelog {
        self.rows.changelog()
    }

    fn log_changes(&mut self, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        self.rows.log_changes(out)
    }

    fn apply(&mut self, record: &StoredRecord<'_>) -> Result<(), StoreError> {
        self.rows.apply(record)
    }

    fn unflushed(&self) -> usize {
        self.rows.unflushed()
    }

    fn flush(&mut self, at: Checkpoint) -> Result<(), StoreError> {
        self.rows.flush(at)
    }

    fn memory(&self) -> RowMemory {
        self.rows.memory()
    }

    fn shrink(&mut self, bytes: u64) {
        self.rows.shrink(bytes);
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.rows.checkpoint()
    }

    fn journal(&mut self, on: bool) {
        self.rows.journal(on);
    }

    fn keep(&mut self) {
        self.rows.keep();
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        self.rows.undo()
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.rows.wipe()
    }

    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.rows.snapshot(out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.rows.restore(bytes)
    }

    fn is_cached(&self) -> bool {
        self.rows.is_cached()
    }

    fn holds_changes(&self) -> bool {
        self.rows.holds_changes()
    }

    fn cached_bytes(&self) -> u64 {
        self.rows.cached_bytes()
    }

    fn write_back(&mut self, what: Release, out: &mut ChangelogOut<'_>) -> Result<bool, StoreError> {
        self.rows.write_back(what, out)
    }

    fn visit(&mut self, range: &KeyRange, direction: Direction, visit: VisitBytes<'_>) -> Result<(), StoreError> {
        self.rows.visit(range, direction, visit)
    }

    fn publish(&mut self) -> Result<Arc<PublishedRows>, StoreError> {
        self.rows.publish()
    }
}
