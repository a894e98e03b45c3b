//! Typed rows by the bytes of their key: cells in memory over a checkpoint below. What every kind of store is made of.
//!
//! Rule: a change is in the cells at once, in the changelog by the next commit, and below some time after that commit.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::cache::{CacheSpec, EntryId, RowCache};
use super::cell::{Cell, Mark};
use super::cells::Cells;
use super::publishing::Publishing;
use super::row_headers::{KeptHeaders, RowHeaders};
use super::row_memory::Measure;
use super::runs::{RowKey, SegmentedKeys};
use super::scan::OpenScans;
use super::segments::PREFIX;
use super::undo::{Old, RowChange, RowJournal};
use super::{
    ByteStore, Changelog, ChangelogOut, Checkpoint, Direction, KeyRange, PublishedRows, Release, RowFormat, RowMemory,
    StateStore, StoreError, StoreErrorKind, StoreWrite, UndoMark, VisitBytes,
};
use crate::record::{BatchError, Headers, StoredRecord, Timestamp};
use crate::serde::SerdeRef;

/// Looks at a row: its key's bytes, its value and its time; `Break` ends the walk.
pub type VisitRow<'a, V> = &'a mut dyn FnMut(&[u8], &V, Timestamp) -> ControlFlow<()>;

/// As [`VisitRow`], with all that is known of the row.
pub(super) type VisitWholeRow<'a, V> = &'a mut dyn FnMut(&[u8], WholeRow<'_, V>) -> ControlFlow<()>;

/// A row, and what is kept with it.
pub(super) struct WholeRow<'a, V> {
    pub(super) value: &'a V,
    pub(super) timestamp: Timestamp,
    pub(super) headers: &'a Headers,
    /// The entry that the store's cache has of it.
    pub(super) entry: Option<EntryId>,
}

/// A row's value, if it is there, and its time.
type Row<V> = (Option<V>, Timestamp);

/// How the rows of a store are kept.
pub struct Kept {
    /// What the changelog gets.
    pub changelog: Changelog,
    /// The bytes below; `None` keeps the rows in memory only.
    pub below: Option<Box<dyn ByteStore>>,
    /// How many rows all stay in memory where there are bytes below; of more, those not used between two flushes go.
    pub rows_in_memory: Option<usize>,
    /// Which headers rows keep, if any.
    pub headers: Option<KeptHeaders>,
    /// How changes are cached; `None` tells of each at once.
    pub cache: Option<CacheSpec>,
}

/// A row's place in memory, valid until the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellId(pub(super) u32);

/// Typed rows of one store of one task.
///
/// Keys are compared by their bytes, and ranges are in the order of their unsigned bytes, as in Kafka Streams.
pub(crate) struct TypedRows<V: 'static> {
    name: Arc<str>,
    pub(super) values: SerdeRef<V>,
    pub(super) format: RowFormat,
    changelog: Changelog,
    pub(super) below: Option<Box<dyn ByteStore>>,
    /// Up to so many rows all stay in memory, where that is said; of more, those not used between two flushes go.
    rows_in_memory: Option<usize>,
    /// What rows take.
    pub(super) measure: Measure,
    pub(super) cells: Cells<V>,
    kept_headers: Option<KeptHeaders>,
    /// Where rows keep headers: those of all cells.
    pub(super) headers: Option<RowHeaders>,
    /// What is known of rows whose changes are held back.
    pub(super) cache: Option<RowCache<V>>,
    /// A row's bytes, while they are measured.
    pub(super) row_buffer: Vec<u8>,
    /// Cells that the changelog has to get at the next commit, in the order of their first change.
    pub(super) unlogged: Vec<u32>,
    pub(super) unflushed: Vec<u32>,
    /// Cells that lost their value; they go once nobody has to be told any more.
    pub(super) emptied: Vec<u32>,
    /// Cursors that are open.
    pub(super) scans: OpenScans<V>,
    /// `None`: no record's changes are ever taken back.
    pub(super) journal: Option<RowJournal<V>>,
    /// `None` until somebody asks from outside.
    pub(super) publishing: Option<Publishing>,
    /// Bytes before the keys that the changelog has.
    pub(super) key_prefix: usize,
    /// Headers of the changelog's records that have a value, in place of those of the rows.
    value_headers: Headers,
    /// Rows before this key have left for good.
    pub(super) floor: Vec<u8>,
    /// Whether the bytes below may still have rows before the floor.
    pub(super) floor_unflushed: bool,
}

impl<V: Send + 'static> TypedRows<V> {
    /// No rows, or those that `kept.below` has.
    pub(crate) fn new(name: Arc<str>, values: SerdeRef<V>, format: RowFormat, kept: Kept) -> Self {
        TypedRows {
            name,
            values,
            format: if kept.headers.is_some() { format.with_headers() } else { format },
            kept_headers: kept.headers,
            changelog: kept.changelog,
            below: kept.below,
            rows_in_memory: kept.rows_in_memory,
            measure: Measure::default(),
            cells: Cells::new(),
            headers: kept.headers.map(|_| RowHeaders::default()),
            cache: kept.cache.map(RowCache::new),
            row_buffer: Vec::new(),
            unlogged: Vec::new(),
            unflushed: Vec::new(),
            emptied: Vec::new(),
            scans: OpenScans::default(),
            journal: None,
            publishing: None,
            key_prefix: 0,
            value_headers: Headers::NONE,
            floor: Vec::new(),
            floor_unflushed: false,
        }
    }

    /// Rows of windows. The changelog leaves out what their keys have in front.
    pub(super) fn in_runs(self, keys: SegmentedKeys) -> Self {
        TypedRows { key_prefix: PREFIX, cells: Cells::in_runs(keys), ..self }
    }

    /// Rows of which the changelog's records say by headers how their values are to be read.
    pub(super) fn with_value_headers(self, headers: Headers) -> Self {
        TypedRows { value_headers: headers, ..self }
    }

    /// How many cells are in memory.
    #[inline]
    pub(super) fn in_memory(&self) -> usize {
        self.cells.len()
    }

    /// The end of the key at a place, with its times, in a store of windows.
    #[inline]
    pub(super) fn tail(&self, id: CellId) -> &[u8] {
        self.cells.tail(id.0)
    }

    /// Writes a change to the changelog that is not kept here.
    pub(super) fn write_change(
        &self,
        key: &[u8],
        value: Option<&V>,
        (timestamp, headers): (Timestamp, &Headers),
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        out.write(key, timestamp, headers, |bytes| match value {
            Some(value) => self.values.write(value, bytes).map(|()| true),
            None => Ok(false),
        })
        .map_err(|e| self.unwritable(e))
    }

    /// The row's value and time; a store without times says 0.
    #[inline]
    pub(crate) fn get(&mut self, key: &[u8]) -> Result<Option<(&V, Timestamp)>, StoreError> {
        Ok(self.find(key)?.and_then(|id| self.row(CellId(id))))
    }

    /// The row's place, if it is there.
    #[inline]
    pub(crate) fn place(&mut self, key: &[u8]) -> Result<Option<CellId>, StoreError> {
        Ok(self.find(key)?.map(CellId))
    }

    /// The row's place; a row that is not there gets one, without a value.
    #[inline]
    pub(crate) fn claim(&mut self, key: &[u8]) -> Result<CellId, StoreError> {
        self.claim_bytes(key).map(CellId)
    }

    /// The bytes of the key at a place.
    pub(super) fn key(&self, id: CellId) -> RowKey<'_> {
        self.cells.key(id.0)
    }

    /// The value at a place.
    #[inline]
    pub(crate) fn value(&self, id: CellId) -> &Option<V> {
        &self.cells.get(id.0).value
    }

    /// Value and time of the row at a place.
    #[inline]
    pub(crate) fn row(&self, id: CellId) -> Option<(&V, Timestamp)> {
        let cell = self.cells.get(id.0);
        cell.value.as_ref().map(|value| (value, self.row_time(cell)))
    }

    /// The time that a row shows. The bytes below have none in a store without times, so its cells show none either: where
    /// a row lies must not be seen.
    pub(super) fn row_time(&self, cell: &Cell<V>) -> Timestamp {
        if self.format.has_time() { cell.timestamp } else { Timestamp::ZERO }
    }

    /// The headers of the row at a place; none in a store that keeps none.
    pub(crate) fn headers(&self, id: CellId) -> &Headers {
        self.cell_headers(id.0)
    }

    pub(super) fn cell_headers(&self, id: u32) -> &Headers {
        self.headers.as_ref().map_or(&Headers::NONE, |headers| headers.get(id))
    }

    /// How rows lie below.
    pub(crate) fn format(&self) -> RowFormat {
        self.format
    }

    /// Takes the value out of its place, to be given back changed by `set`.
    #[inline]
    pub(crate) fn take(&mut self, id: CellId) -> Result<Option<(V, Timestamp)>, StoreError> {
        self.keep_for_scans(id);
        if self.journal.is_some() {
            self.remember_bytes(id.0)?;
        }
        let has_time = self.format.has_time();
        let cell = self.cells.get_mut(id.0);
        let time = if has_time { cell.timestamp } else { Timestamp::ZERO };
        Ok(cell.value.take().map(|value| (value, time)))
    }

    /// Sets the row at a place; `None` deletes it. In a cached store what the row was is noted before. The changelog has a
    /// deletion with the time of the record that deletes, as in Kafka Streams: a deleted row has no time of its own.
    #[inline]
    pub(crate) fn set(
        &mut self,
        id: CellId,
        value: Option<V>,
        timestamp: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        let timestamp = if value.is_none() { out.time().unwrap_or(timestamp) } else { timestamp };
        // The changelog has a deletion with the headers of the record that deletes.
        let of_record = value.is_none() || self.kept_headers == Some(KeptHeaders::OfRecord) || out.gives_headers;
        let headers = if of_record && self.headers.is_some() { out.headers() } else { &Headers::NONE };
        self.replace(id, value, timestamp, headers);
        if self.cache.is_some() {
            return self.hold(id.0, out);
        }
        self.owe_changelog(id.0, out)
    }

    /// Sets the row at a place, of which the changelog is told otherwise.
    #[inline]
    pub(super) fn replace(&mut self, id: CellId, value: Option<V>, timestamp: Timestamp, headers: &Headers) {
        self.keep_for_scans(id);
        if value.is_none() {
            self.note_emptied(id.0);
        }
        let cell = self.cells.get_mut(id.0);
        let old = (std::mem::replace(&mut cell.value, value), std::mem::replace(&mut cell.timestamp, timestamp));
        cell.set(Mark::Used);
        if self.below.is_some() || self.headers.is_some() || self.journal.is_some() || self.publishing.is_some() {
            self.note_replaced(id.0, old, headers);
        }
    }

    /// Notes that a row is another now for all who have to know: the bytes below, readers in other threads, and a step that
    /// may be taken back.
    fn note_replaced(&mut self, id: u32, old: Row<V>, headers: &Headers) {
        // Rows whose time is over are no longer written below.
        let below = self.below.is_some() && !self.is_over(&self.cells.key(id));
        let cell = self.cells.get_mut(id);
        let unflushed = below && cell.set(Mark::Unflushed);
        let old_headers = self.headers.as_mut().map_or(Headers::NONE, |kept| kept.set(id, headers.clone()));
        if unflushed {
            self.unflushed.push(id);
        }
        if let Some(journal) = &mut self.journal {
            let (old, timestamp, headers) = (Old::Value(old.0), old.1, old_headers);
            journal.changes.push(RowChange::Row { id, old, timestamp, headers, unflushed });
        }
        if let Some(publishing) = &mut self.publishing
            && cell.set(Mark::Unpublished)
        {
            publishing.changed.push(id);
        }
    }

    /// Keeps a row that is about to change for open cursors.
    #[inline]
    fn keep_for_scans(&mut self, id: CellId) {
        if !self.scans.is_empty() {
            self.keep_for_open_scans(id);
        }
    }

    #[cold]
    fn keep_for_open_scans(&mut self, id: CellId) {
        let mut scans = std::mem::take(&mut self.scans);
        scans.keep(&self.key(id), || self.row(id).map(|(value, time)| Ok((self.copy(value)?, time))).transpose());
        self.scans = scans;
    }

    /// Writes a row to the changelog, now or at the commit.
    #[inline]
    pub(super) fn owe_changelog(&mut self, id: u32, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        match self.changelog {
            Changelog::EveryUpdate => self.log(id, out),
            Changelog::LastPerCommit => {
                if self.cells.get_mut(id).set(Mark::Unlogged) {
                    self.unlogged.push(id);
                    if let Some(journal) = &mut self.journal {
                        journal.changes.push(RowChange::Unlogged { id });
                    }
                }
                Ok(())
            }
            Changelog::Off => Ok(()),
        }
    }

    /// A copy of a value, by way of its bytes: for the rare place that needs one of a type without `Clone`.
    pub(crate) fn copy(&self, value: &V) -> Result<V, StoreError> {
        let mut bytes = Vec::new();
        self.values.write(value, &mut bytes).map_err(|e| self.unwritable(e))?;
        self.decode_value(&bytes)
    }

    /// The value that bytes stand for.
    pub(super) fn decode_value(&self, bytes: &[u8]) -> Result<V, StoreError> {
        self.values.read(bytes).map_err(|e| self.unreadable("a value", e))
    }

    /// Appends the bytes of a value, as they stand in the changelog.
    pub(crate) fn encode_value(&self, value: &V, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.values.write(value, out).map_err(|e| self.unwritable(e))
    }

    /// The cell of a key, brought up from below if need be.
    #[inline(always)]
    fn find(&mut self, key: &[u8]) -> Result<Option<u32>, StoreError> {
        match self.cells.find(key) {
            None if self.below.is_some() => self.bring_up(key),
            found => {
                if let (Some(id), true) = (found, self.below.is_some()) {
                    self.cells.get_mut(id).set(Mark::Used);
                }
                Ok(found)
            }
        }
    }

    fn bring_up(&mut self, key: &[u8]) -> Result<Option<u32>, StoreError> {
        let mut bytes = Vec::new();
        let Some(below) = &self.below else { return Ok(None) };
        if !below.get(key, &mut bytes)? {
            return Ok(None);
        }
        let (value, timestamp) = self.decode(key, &bytes)?;
        let headers = self.headers.as_ref().map(|_| self.format.headers(&bytes)).transpose()?;
        let id = self.cells.insert(key, Some(value), timestamp);
        if let Some((kept, headers)) = self.headers.as_mut().zip(headers) {
            kept.set(id, headers);
        }
        Ok(Some(id))
    }

    #[inline]
    pub(super) fn claim_bytes(&mut self, key: &[u8]) -> Result<u32, StoreError> {
        match self.find(key)? {
            Some(id) => Ok(id),
            None => Ok(self.add_bytes(key)),
        }
    }

    fn add_bytes(&mut self, key: &[u8]) -> u32 {
        let id = self.cells.insert(key, None, Timestamp::ZERO);
        // It goes again unless it gets a value.
        self.note_emptied(id);
        id
    }

    /// Notes that a cell has no value, and may have to go.
    pub(super) fn note_emptied(&mut self, id: u32) {
        if self.cells.get_mut(id).set(Mark::Emptied) {
            self.emptied.push(id);
        }
    }

    fn log(&self, id: u32, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        let cell = self.cells.get(id);
        let of_values = !self.value_headers.is_empty() && cell.value.is_some();
        let headers = if of_values { &self.value_headers } else { self.cell_headers(id) };
        self.write_change(&self.cells.key(id)[self.key_prefix..], cell.value.as_ref(), (cell.timestamp, headers), out)
    }

    pub(super) fn decode(&self, key: &[u8], bytes: &[u8]) -> Result<(V, Timestamp), StoreError> {
        let (timestamp, value) = self.format.split(bytes).map_err(|cause| {
            StoreError::new(cause.kind(), format!("store `{}`: {cause}", self.name)).with_source(cause)
        })?;
        let value = self.values.read(value).map_err(|e| self.unreadable(&format!("the value of key {key:02x?}"), e))?;
        Ok((value, timestamp))
    }

    pub(super) fn unwritable(&self, error: crate::serde::SerdeError) -> StoreError {
        StoreError::new(StoreErrorKind::Invalid, format!("store `{}` cannot write a row: {error}", self.name))
            .with_source(error)
    }

    pub(super) fn unreadable(&self, what: &str, error: crate::serde::SerdeError) -> StoreError {
        let message = format!("store `{}` cannot read {what}: {error}; was its serde changed?", self.name);
        StoreError::new(StoreErrorKind::Invalid, message).with_source(error)
    }

    /// Writes to the changelog what the commit owes it.
    pub(super) fn log_unlogged(&mut self, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        let mut unlogged = std::mem::take(&mut self.unlogged);
        for id in unlogged.drain(..) {
            self.log(id, out)?;
            self.cells.get_mut(id).unset(Mark::Unlogged);
        }
        self.unlogged = unlogged;
        Ok(())
    }

    /// Does what is left to do at a commit once the changelog has its part.
    pub(super) fn settle(&mut self, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        self.prepare_published()?;
        self.free_emptied();
        if let Some(cache) = &mut self.cache {
            cache.count(out.budget);
        }
        // Reading brings rows up too, and a store that is only read is never flushed.
        self.sweep();
        self.look_at_rows()?;
        Ok(())
    }

    /// Visits the row of a key, without the index that a walk makes.
    fn visit_one(&mut self, key: &[u8], visit: VisitBytes<'_>) -> Result<(), StoreError> {
        let Some(id) = self.find(key)? else { return Ok(()) };
        let Some((value, timestamp)) = self.row(CellId(id)) else { return Ok(()) };
        let mut bytes = Vec::new();
        self.encode_value(value, &mut bytes)?;
        // It is the only one.
        let _ = visit(key, &bytes, timestamp);
        Ok(())
    }

    /// Lets go of rows that the bytes below have and that nobody used since the last sweep, if there are too many.
    fn sweep(&mut self) {
        // Twice the number, so that a sweep goes through no more cells than were added since the last one.
        if self.below.is_some() && self.rows_in_memory.is_some_and(|rows| self.cells.len() > rows.saturating_mul(2)) {
            self.cells.remove_where(|cell| !cell.unset(Mark::Used) && !cell.is_owed());
        }
    }

    /// Frees the cells without value that nobody has to be told about any more.
    ///
    /// Those that the bytes below have to be told about leave the list, which would grow with all rows between two flushes else,
    /// and is gone through at each commit; the flush puts them on it again.
    fn free_emptied(&mut self) {
        let mut emptied = std::mem::take(&mut self.emptied);
        let mut owed = Vec::new();
        emptied.retain(|id| {
            let cell = self.cells.get_mut(*id);
            if cell.value.is_some() || cell.is(Mark::Unflushed) {
                cell.unset(Mark::Emptied);
                return false;
            }
            let stays = cell.is_owed();
            if stays {
                owed.push(*id);
            }
            !stays
        });
        self.cells.remove_all(&emptied);
        emptied.clear();
        emptied.append(&mut owed);
        self.emptied = emptied;
    }
}

fn wrong_record(store: &str, error: BatchError) -> StoreError {
    let message = format!("the changelog of store `{store}` has a record that cannot be read: {error}");
    StoreError::new(StoreErrorKind::Corrupt, message).with_source(error)
}

impl<V: Send + 'static> StateStore for TypedRows<V> {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn changelog(&self) -> Changelog {
        self.changelog
    }

    fn log_changes(&mut self, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        self.log_unlogged(out)?;
        self.settle(out)
    }

    fn apply(&mut self, record: &StoredRecord<'_>) -> Result<(), StoreError> {
        let key = record.key.ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Corrupt,
                format!("the changelog of store `{}` has a record without a key", self.name),
            )
        })?;
        let value = match record.value {
            Some(bytes) => Some(self.values.read(bytes).map_err(|e| self.unreadable("a value of its changelog", e))?),
            None => None,
        };
        let id = match self.cells.find(key) {
            Some(id) => id,
            None => self.cells.insert(key, None, record.timestamp),
        };
        if let Some(headers) = &mut self.headers {
            headers.set(id, record.headers().map_err(|error| wrong_record(&self.name, error))?);
        }
        let cell = self.cells.get_mut(id);
        (cell.value, cell.timestamp) = (value, record.timestamp);
        if self.below.is_some() && cell.set(Mark::Unflushed) {
            self.unflushed.push(id);
        }
        if cell.value.is_none() {
            self.note_emptied(id);
        }
        Ok(())
    }

    fn unflushed(&self) -> usize {
        self.unflushed.len()
    }

    fn flush(&mut self, at: Checkpoint) -> Result<(), StoreError> {
        assert!(self.unlogged.is_empty(), "a store is flushed only after its changes were committed");
        // A restore knows no commits, at which rows are measured else.
        self.look_at_rows()?;
        let Some(below) = &mut self.below else { return Ok(()) };
        let mut ids = std::mem::take(&mut self.unflushed);
        let cells = &self.cells;
        cells.sort(&mut ids);
        // Values one after another in one buffer, so that the writes can be lent.
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(ids.len()));
        for id in &ids {
            let cell = cells.get(*id);
            if let Some(value) = &cell.value {
                let meta = (cell.timestamp, self.headers.as_ref().map_or(&Headers::NONE, |headers| headers.get(*id)));
                self.format.write(&self.values, value, meta, &mut bytes).map_err(|e| {
                    StoreError::new(StoreErrorKind::Invalid, format!("store `{}` cannot write a row: {e}", self.name))
                        .with_source(e)
                })?;
            }
            ends.push(bytes.len());
        }
        let keys: Vec<RowKey<'_>> = ids.iter().map(|id| cells.key(*id)).collect();
        let mut start = 0;
        let mut writes = ids.iter().zip(&keys).zip(&ends).map(|((id, key), end)| {
            let value = cells.get(*id).value.is_some().then_some(&bytes[start..*end]);
            start = *end;
            StoreWrite { key, value }
        });
        below.write(&mut writes, at)?;
        drop(writes);
        if let Some(publishing) = &self.publishing {
            publishing.rows.flushed();
        }
        if std::mem::take(&mut self.floor_unflushed) {
            below.discard(&KeyRange { from: Bound::Unbounded, to: Bound::Excluded(self.floor.clone()) })?;
        }
        for id in &ids {
            let cell = self.cells.get_mut(*id);
            cell.unset(Mark::Unflushed);
            if cell.value.is_none() {
                self.note_emptied(*id);
            }
        }
        self.free_emptied();
        self.sweep();
        ids.clear();
        self.unflushed = ids;
        Ok(())
    }

    fn memory(&self) -> RowMemory {
        self.row_memory()
    }

    fn shrink(&mut self, bytes: u64) {
        self.shrink_to(bytes);
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.below.as_ref().map_or(Ok(None), |below| below.checkpoint())
    }

    fn journal(&mut self, on: bool) {
        self.journal = on.then(RowJournal::new);
        self.cache.iter_mut().for_each(|cache| cache.journal(on));
    }

    fn keep(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.clear();
        }
        if let Some(cache) = &mut self.cache {
            cache.keep();
        }
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        for cell in self.cache.as_mut().map(RowCache::undo).unwrap_or_default() {
            self.cells.set_entry(cell, None);
        }
        self.undo_to(UndoMark(0))
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.keep();
        self.cells.clear();
        self.unlogged.clear();
        self.unflushed.clear();
        self.emptied.clear();
        if let Some(cache) = &mut self.cache {
            cache.clear();
        }
        assert!(self.publishing.is_none(), "a store is wiped before it is published");
        (self.floor, self.floor_unflushed) = (Vec::new(), false);
        self.below.as_mut().map_or(Ok(()), |below| below.wipe())
    }

    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.write_snapshot(out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.wipe()?;
        self.read_snapshot(bytes)
    }

    fn is_cached(&self) -> bool {
        self.cache.is_some()
    }

    fn holds_changes(&self) -> bool {
        self.cache.as_ref().is_some_and(RowCache::has_changes)
    }

    fn cached_bytes(&self) -> u64 {
        self.cache.as_ref().map_or(0, RowCache::bytes)
    }

    fn write_back(&mut self, what: Release, out: &mut ChangelogOut<'_>) -> Result<bool, StoreError> {
        self.write_back_held(what, out)
    }

    fn visit(&mut self, range: &KeyRange, direction: Direction, visit: VisitBytes<'_>) -> Result<(), StoreError> {
        if let (Bound::Included(key), Bound::Included(to)) = (&range.from, &range.to)
            && key == to
        {
            return self.visit_one(key, visit);
        }
        let (mut bytes, values, mut failure) = (Vec::new(), self.values.clone(), None);
        self.walk(range, direction, &mut |key, value, timestamp| {
            bytes.clear();
            match values.write(value, &mut bytes) {
                Ok(()) => visit(key, &bytes, timestamp),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failure.map_or(Ok(()), |error| Err(self.unwritable(error)))
    }

    fn publish(&mut self) -> Result<Arc<PublishedRows>, StoreError> {
        self.publish_with(&[])
    }
}
