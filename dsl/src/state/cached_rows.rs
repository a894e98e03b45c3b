//! Typed rows whose changes are held back in a cache.
//!
//! Rule: a change is in the cells at once; the changelog and those below get it when the cache lets go of it.

use super::cache::{Before, EntryId, Held, HeldCause, Reader, RowCache};
use super::cell::Mark;
use super::rows_snapshot::cut_off;
use super::typed_rows::TypedRows;
use super::{CellId, ChangelogOut, Release, StoreError};
use crate::processor::Address;
use crate::record::{CutOff, Decoder, Encoder, Offset};

impl<V: Send + 'static> TypedRows<V> {
    /// Whether changes are held back.
    #[inline]
    pub(crate) fn is_cached(&self) -> bool {
        self.cache.is_some()
    }

    /// Whether a cache holds changes back, and keeps what it has told of, until it is full.
    pub(super) fn has_limited_cache(&self) -> bool {
        self.cache.as_ref().is_some_and(RowCache::is_limited)
    }

    /// The place of a row that a limited cache has.
    pub(super) fn place_in_cache(&self, key: &[u8]) -> Option<CellId> {
        let id = self.cells.find(key).filter(|_| self.has_limited_cache())?;
        let cell = self.cells.get(id);
        (cell.is(Mark::Cached) && cell.value.is_some()).then_some(CellId(id))
    }

    /// Says that a row is read.
    #[inline]
    pub(crate) fn touch(&mut self, id: CellId, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        if self.cache.is_some() { self.touch_cached(id.0, out) } else { Ok(()) }
    }

    fn touch_cached(&mut self, id: u32, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        let Some(cache) = self.cache.as_mut().filter(|cache| cache.is_limited() && out.reader == Reader::Task) else {
            return Ok(());
        };
        match self.cells.entry(id) {
            Some(entry) => cache.touch(entry),
            None if cache.enters_reads() && self.cells.get(id).value.is_some() => {
                let entry = self.enter(id);
                self.measure(id, entry, out)?;
            }
            None => {}
        }
        Ok(())
    }

    /// Notes what a row is before it is taken or set: those below know it like that until they are told of a change.
    #[inline]
    pub(crate) fn note_before(&mut self, id: CellId) -> Result<(), StoreError> {
        if self.cache.is_some() { self.note_cached(id.0) } else { Ok(()) }
    }

    fn note_cached(&mut self, id: u32) -> Result<(), StoreError> {
        let entry = self.cells.entry(id).unwrap_or_else(|| self.enter(id));
        let Some(cache) = &mut self.cache else { return Ok(()) };
        if cache.before(entry).is_none() {
            let known = cache.keeps_old();
            let before = match &self.cells.get(id).value {
                None => Before::Absent,
                Some(value) if known => Before::Known(self.copy(value)?),
                Some(_) => Before::Present,
            };
            self.cache_mut().before(entry).replace(before);
        }
        Ok(())
    }

    /// Holds the change of a row back. What the row was before is noted.
    pub(super) fn hold(&mut self, id: u32, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        let cell = self.cells.get(id);
        let entry = self.cells.entry(id).expect("a row of a cached store is noted before it changes");
        if let Some(cache) = &mut self.cache {
            cache.change(entry, out.cause(cell.timestamp));
        }
        self.measure(id, entry, out)
    }

    fn enter(&mut self, id: u32) -> EntryId {
        let entry = self.cache_mut().enter(id);
        self.cells.set_entry(id, Some(entry));
        entry
    }

    fn measure(&mut self, id: u32, entry: EntryId, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        if !self.has_limited_cache() {
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.row_buffer);
        bytes.clear();
        let cell = self.cells.get(id);
        if let Some(value) = &cell.value {
            let meta = (cell.timestamp, self.cell_headers(id));
            self.format.write(&self.values, value, meta, &mut bytes).map_err(|error| self.unwritable(error))?;
        }
        // The number of a window's segment is part of the key in Kafka Streams' caches too.
        let key_and_row = (self.cells.key(id).len() + bytes.len()) as u64;
        let cache = self.cache_mut();
        cache.touch(entry);
        cache.measure(entry, key_and_row);
        cache.count(out.budget);
        self.row_buffer = bytes;
        Ok(())
    }

    /// Takes changes out of the cache, to be told in this order; `None` when it has no entries.
    pub(crate) fn release(&mut self, what: Release) -> Option<Vec<Held<V>>> {
        let cache = self.cache.as_mut()?;
        let mut held = Vec::new();
        if what == Release::LeastUsed {
            let eldest = cache.least_used()?;
            held.extend(cache.take_change(eldest));
            let cell = cache.cell(eldest);
            cache.remove(eldest);
            self.cells.set_entry(cell, None);
            if held.is_empty() {
                self.left_cache(cell);
                return Some(held);
            }
        }
        let changes: Vec<EntryId> = cache.changes().collect();
        for entry in changes {
            held.extend(cache.take_change(entry));
            if !cache.is_limited() {
                self.cells.set_entry(cache.cell(entry), None);
                cache.remove(entry);
            }
        }
        Some(held)
    }

    /// Writes a change that left the cache to the changelog.
    pub(crate) fn log_released(&mut self, id: CellId, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        self.owe_changelog(id.0, out)
    }

    /// Says that changes that left the cache were told: the entries of deleted rows go, and the budget is told what is left.
    pub(crate) fn told(&mut self, rows: &[CellId], out: &mut ChangelogOut<'_>) {
        let Some(cache) = &mut self.cache else { return };
        for row in rows {
            let is_gone = self.cells.get(row.0).value.is_none();
            let left = self.cells.entry(row.0).filter(|entry| is_gone && !cache.is_changed(*entry));
            if let Some(entry) = left {
                self.cells.set_entry(row.0, None);
                cache.remove(entry);
            }
        }
        cache.count(out.budget);
        for row in rows {
            if self.cells.entry(row.0).is_none() {
                self.left_cache(row.0);
            }
        }
    }

    /// Lets changes go that no node is told of: only the changelog gets them. `false` when there are no entries.
    pub(super) fn write_back_held(&mut self, what: Release, out: &mut ChangelogOut<'_>) -> Result<bool, StoreError> {
        let Some(held) = self.release(what) else { return Ok(false) };
        let mut rows = Vec::with_capacity(held.len());
        for Held { row, .. } in held {
            self.log_released(row, out)?;
            rows.push(row);
        }
        self.told(&rows, out);
        Ok(true)
    }

    /// Appends the cache as canonical bytes: entries in the order of their last use, then changes in the order of the last.
    pub(super) fn snapshot_cache(&self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let mut out = Encoder(out);
        out.number(cache.in_use().count() as u64);
        for entry in cache.in_use() {
            out.bytes(&self.cells.key(cache.cell(entry)));
            out.number(cache.entry_bytes(entry));
        }
        out.number(cache.changes().count() as u64);
        for entry in cache.changes() {
            let ((before, cause), cell) = (cache.held(entry), self.cells.get(cache.cell(entry)));
            out.bytes(&self.cells.key(cache.cell(entry)));
            // The time that the changelog will have; a row without a time does not show it.
            out.time(cell.timestamp);
            self.snapshot_headers(cache.cell(entry), &mut out);
            write_cause(cause, &mut out);
            match before {
                Before::Absent => out.number(ABSENT),
                Before::Present => out.number(PRESENT),
                Before::Known(value) => {
                    out.number(KNOWN);
                    out.filled(|bytes| self.encode_value(value, bytes))?;
                }
            }
        }
        Ok(())
    }

    /// Sets the cache of a store without one in use from what `snapshot_cache` wrote.
    pub(super) fn restore_cache(&mut self, bytes: &mut Decoder<'_>) -> Result<(), StoreError> {
        if self.cache.is_none() {
            return Ok(());
        }
        for _ in 0..bytes.number().map_err(cut_off)? {
            let (key, size) = (bytes.bytes().map_err(cut_off)?, bytes.number().map_err(cut_off)?);
            let id = self.claim_bytes(key)?;
            let entry = self.enter(id);
            self.cache_mut().resume(entry, size);
        }
        for _ in 0..bytes.number().map_err(cut_off)? {
            let id = self.claim_bytes(bytes.bytes().map_err(cut_off)?)?;
            self.cells.get_mut(id).timestamp = bytes.time().map_err(cut_off)?;
            self.restore_headers(id, bytes)?;
            let cause = read_cause(bytes).map_err(cut_off)?;
            let before = match bytes.number().map_err(cut_off)? {
                ABSENT => Before::Absent,
                PRESENT => Before::Present,
                _ => Before::Known(self.decode_value(bytes.bytes().map_err(cut_off)?)?),
            };
            let entry = self.cells.entry(id).unwrap_or_else(|| self.enter(id));
            self.cache_mut().before(entry).replace(before);
            self.cache_mut().resume_change(entry, cause);
        }
        self.cache_mut().counted();
        Ok(())
    }

    fn cache_mut(&mut self) -> &mut RowCache<V> {
        self.cache.as_mut().expect("only cached stores have entries")
    }
}

/// What stands in a snapshot for the ways in which a row can be known.
const ABSENT: u64 = 0;
const PRESENT: u64 = 1;
const KNOWN: u64 = 2;

fn write_cause(cause: &HeldCause, out: &mut Encoder<'_>) {
    out.time(cause.timestamp);
    out.headers(&cause.headers);
    out.option(cause.address.as_ref(), |out, address| {
        out.bytes(address.topic.as_bytes());
        out.number(address.partition.into());
        out.number(address.offset.get());
    });
}

fn read_cause(bytes: &mut Decoder<'_>) -> Result<HeldCause, CutOff> {
    let (timestamp, headers) = (bytes.time()?, bytes.headers()?);
    let address = bytes.option(|bytes| {
        let topic = bytes.text()?.into();
        let partition = u32::try_from(bytes.number()?).map_err(|_| CutOff)?;
        Ok(Address { topic, partition, offset: Offset::new(bytes.number()?) })
    })?;
    Ok(HeldCause { timestamp, headers, address })
}
