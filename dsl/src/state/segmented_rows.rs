//! Typed rows that leave once their time is over: what stores of windows and of sessions are made of.
//!
//! A row's key is its segment's number, then the key that Kafka's changelogs have. So a row is found by one look-up, the
//! rows of a key lie together in the order of their times, and a segment leaves as one range.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow, RangeInclusive};
use std::sync::Arc;

use super::cache::CacheSpec;
use super::cells::KeyBytes;
use super::run_walk::RunRange;
use super::segments::{PREFIX, Segments};
use super::typed_rows::TypedRows;
use super::{
    CellId, Changelog, ChangelogOut, Checkpoint, Direction, Kept, KeyRange, PublishedRows, Reader, Release, RowFormat,
    RowMemory, StateStore, StoreError, StoreErrorKind, VisitBytes, VisitRow,
};
use crate::record::{Decoder, Encoder, Headers, StoredRecord, Timestamp};
use crate::serde::SerdeRef;

/// How a kind of store lays out the keys of its changelog.
pub(super) trait KeyLayout: Send + 'static {
    /// Bytes behind the key's own.
    const TAIL: usize;

    /// The time that decides how long a row is kept; `None` for bytes that are no key of this store.
    fn time(key: &[u8]) -> Option<i64>;

    /// The key's own bytes with times in front, in the order in which closed windows come out.
    fn timely(key: &[u8], out: &mut Vec<u8>);

    /// From what `timely` gave back to the key.
    fn from_timely(timely: &[u8], out: &mut Vec<u8>);
}

/// Rows, and which of them are still there.
pub(super) struct SegmentedRows<L, V: 'static> {
    rows: TypedRows<V>,
    segments: Segments,
    /// Segments before this one have left.
    dropped: i64,
    /// Whether rows are asked for in the order of their times.
    timely: bool,
    /// The rows that may still be asked for in the order of their times; made when they are for the first time.
    by_time: Option<BTreeSet<KeyBytes>>,
    buffer: Vec<u8>,
    layout: std::marker::PhantomData<fn() -> L>,
}

impl<L: KeyLayout, V: Send + 'static> SegmentedRows<L, V> {
    pub(super) fn new(
        name: Arc<str>,
        values: SerdeRef<V>,
        format: RowFormat,
        (segments, timely): (Segments, bool),
        kept: Kept,
    ) -> Self {
        // Where windows come out when they are closed no change comes out before, and there is nothing to hold back.
        let cache = kept.cache.filter(|_| !timely).map(|cache| CacheSpec { enters_reads: false, ..cache });
        let kept = Kept { cache, ..kept };
        SegmentedRows {
            rows: TypedRows::new(name, values, format, kept).in_runs(segments.keys(L::TAIL)),
            segments,
            dropped: 0,
            timely,
            by_time: None,
            buffer: Vec::new(),
            layout: std::marker::PhantomData,
        }
    }

    pub(super) fn rows(&self) -> &TypedRows<V> {
        &self.rows
    }

    pub(super) fn rows_mut(&mut self) -> &mut TypedRows<V> {
        &mut self.rows
    }

    pub(super) fn segments(&self) -> &Segments {
        &self.segments
    }

    /// The row that a key of the changelog stands for, if it can still be read.
    pub(super) fn get(&mut self, time: i64, key: &[u8]) -> Result<Option<(&V, Timestamp)>, StoreError> {
        self.set_buffer(time, key);
        if !self.segments.is_visible(time) {
            // What the cache has can be read however old it is: Kafka's rule.
            return Ok(self.rows.place_in_cache(&self.buffer).and_then(|id| self.rows.row(id)));
        }
        self.rows.get(&self.buffer)
    }

    /// The row's place; a row that is not there gets one, without a value.
    #[inline]
    pub(super) fn claim(&mut self, time: i64, key: &[u8]) -> Result<CellId, StoreError> {
        self.set_buffer(time, key);
        let before = self.rows.in_memory();
        let id = self.rows.claim(&self.buffer)?;
        // Rows that come into memory now are the only ones that the order of times can lack.
        if self.by_time.is_some() && self.rows.in_memory() > before {
            self.enter_by_time(key);
        }
        Ok(id)
    }

    #[cold]
    fn enter_by_time(&mut self, key: &[u8]) {
        let mut timely = Vec::new();
        L::timely(key, &mut timely);
        self.by_time.get_or_insert_default().insert(KeyBytes::from_slice(&timely));
    }

    #[inline]
    fn set_buffer(&mut self, time: i64, key: &[u8]) {
        self.buffer.clear();
        self.buffer.extend_from_slice(&Segments::prefix(self.segments.of(time)));
        self.buffer.extend_from_slice(key);
    }

    /// Says that the nodes below are told of the change of the row at a place. Gives whether the row could still be read by
    /// the times of the rows that they were told of before.
    pub(super) fn tell_of(&mut self, id: CellId) -> bool {
        let time = L::time(self.rows.tail(id)).expect("a key in memory was made by this store");
        self.segments.tell(time)
    }

    /// Sets the row at a place; `None` deletes it.
    #[inline]
    pub(super) fn set(
        &mut self,
        id: CellId,
        value: Option<V>,
        timestamp: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        let time = L::time(self.rows.tail(id)).expect("a key in memory was made by this store");
        self.segments.observe(time);
        self.rows.set(id, value, timestamp, out)
    }

    /// As `claim` and `set`; a row whose segment is gone is written to a changelog of every update, and not kept.
    pub(super) fn put(
        &mut self,
        (time, key): (i64, &[u8]),
        value: Option<V>,
        timestamp: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        self.segments.observe(time);
        if self.segments.is_live(time) || self.rows.has_limited_cache() {
            let id = self.claim(time, key)?;
            self.rows.note_before(id)?;
            return self.rows.set(id, value, timestamp, out);
        }
        self.tell_changelog(key, value.as_ref(), timestamp, out)
    }

    /// Says that a row of this time was to be put.
    pub(super) fn observe(&mut self, time: i64) {
        self.segments.observe(time);
    }

    /// Writes a row to a changelog of every update that is not kept.
    pub(super) fn tell_changelog(
        &self,
        key: &[u8],
        value: Option<&V>,
        timestamp: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        match self.rows.changelog() {
            Changelog::EveryUpdate => self.rows.write_change(key, value, (timestamp, &Headers::NONE), out),
            Changelog::LastPerCommit | Changelog::Off => Ok(()),
        }
    }

    /// Visits rows segment by segment, of those that can lie in one of `times`: in each the range that `range` gives.
    /// Keys come as the changelog has them.
    pub(super) fn walk(
        &mut self,
        times: RangeInclusive<i64>,
        range: impl Fn(&[u8; PREFIX]) -> KeyRange,
        (direction, reader): (Direction, Reader),
        visit: VisitRow<'_, V>,
    ) -> Result<(), StoreError> {
        let Some(observed) = self.segments.observed() else { return Ok(()) };
        let visible = self.segments.first_visible();
        let in_cache = if self.rows.has_limited_cache() { self.first_in_memory() } else { visible };
        let first = (*times.start()).max(visible.min(in_cache)).max(0);
        let last = (*times.end()).min(observed);
        if first > last {
            return Ok(());
        }
        let (first, last) = (self.segments.of(first), self.segments.of(last));
        let mut flow = ControlFlow::Continue(());
        for step in 0..=last - first {
            let segment = match direction {
                Direction::Forward => first + step,
                Direction::Backward => last - step,
            };
            let range = range(&Segments::prefix(segment));
            self.rows.walk_whole_by(reader, &range, direction, &mut |key, row| {
                let key = &key[PREFIX..];
                if row.entry.is_some() || L::time(key).is_some_and(|time| time >= visible) {
                    flow = visit(key, row.value, row.timestamp);
                }
                flow
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Visits the rows of a key, by its own bytes, whose tails lie between two, both included, in the order of tails.
    /// Keys come as their tails.
    pub(super) fn walk_key(
        &mut self,
        own: &[u8],
        times: RangeInclusive<i64>,
        tails: [&[u8]; 2],
        (direction, reader): (Direction, Reader),
        visit: VisitRow<'_, V>,
    ) -> Result<(), StoreError> {
        let Some(observed) = self.segments.observed().filter(|_| times.start() <= times.end()) else { return Ok(()) };
        let visible = self.segments.first_visible();
        let (first, last) = ((*times.start()).max(visible), (*times.end()).min(observed));
        let segments = self.segments.of(first)..=self.segments.of(last);
        let range = RunRange { own, tails, segments };
        self.rows.walk_run(&range, direction, reader, &mut |tail, row| {
            if row.entry.is_some() || L::time(tail).is_some_and(|time| time >= visible) {
                visit(tail, row.value, row.timestamp)
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// A time up to which no row lies in memory, or a later one.
    fn first_in_memory(&mut self) -> i64 {
        let first = self.rows.first_key().and_then(|key| key.first_chunk().map(|prefix| i64::from_be_bytes(*prefix)));
        first.map_or(i64::MAX, |segment| self.segments.start_of(segment))
    }

    /// Takes the rows with times in `times` out of the order of times, and gives their keys in it. Earlier ones leave it too.
    pub(super) fn take_timely(&mut self, times: RangeInclusive<i64>) -> Result<Vec<Vec<u8>>, StoreError> {
        assert!(self.timely, "the store was made to be asked in the order of times");
        if self.by_time.is_none() {
            self.by_time = Some(self.all_timely()?);
        }
        let by_time = self.by_time.as_mut().expect("made in the line above");
        let bytes = |time: i64| KeyBytes::from_slice(&time.to_be_bytes());
        let behind = match times.end().checked_add(1) {
            Some(next) => by_time.split_off(&bytes(next)),
            None => BTreeSet::new(),
        };
        let taken = std::mem::replace(by_time, behind);
        let keys = taken.range::<KeyBytes, _>((Bound::Included(bytes((*times.start()).max(0))), Bound::Unbounded));
        let key = |timely: &KeyBytes| {
            let mut key = Vec::new();
            L::from_timely(timely, &mut key);
            key
        };
        Ok(keys.map(key).collect())
    }

    fn all_timely(&mut self) -> Result<BTreeSet<KeyBytes>, StoreError> {
        let (mut all, mut timely) = (BTreeSet::new(), Vec::new());
        let range = KeyRange {
            from: Bound::Included(Segments::prefix(self.segments.first_live()).into()),
            to: Bound::Unbounded,
        };
        self.rows.walk(&range, Direction::Forward, &mut |key, _, _| {
            timely.clear();
            L::timely(&key[PREFIX..], &mut timely);
            all.insert(KeyBytes::from_slice(&timely));
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// The place of the row that a key stands for, if it is there and `stands` says so.
    fn place(&mut self, key: &[u8], stands: impl Fn(&Segments, i64) -> bool) -> Result<Option<CellId>, StoreError> {
        let Some(time) = L::time(key) else { return Ok(None) };
        self.set_buffer(time, key);
        if !stands(&self.segments, time) {
            return Ok(self.rows.place_in_cache(&self.buffer));
        }
        Ok(self.rows.place(&self.buffer)?.filter(|id| self.rows.value(*id).is_some()))
    }

    /// The place of a row that can still be read.
    pub(super) fn visible_place(&mut self, key: &[u8]) -> Result<Option<CellId>, StoreError> {
        self.place(key, |segments, time| segments.is_visible(time))
    }

    /// The place of a row whose segment is still there.
    pub(super) fn live_place(&mut self, key: &[u8]) -> Result<Option<CellId>, StoreError> {
        self.place(key, |segments, time| segments.is_live(time))
    }

    /// Lets go of the segments that nobody can read any more.
    fn drop_segments(&mut self) {
        let first = self.segments.first_live();
        if first > self.dropped {
            self.dropped = first;
            self.rows.drop_before(Segments::prefix(first));
        }
    }

    /// Sets the greatest time that was put, as an earlier task had committed it.
    pub(super) fn resume(&mut self, observed: i64) {
        self.segments.observe(observed);
        self.segments.tell(observed);
        self.drop_segments();
    }

    fn no_key(&self) -> StoreError {
        let name = self.rows.name();
        StoreError::new(StoreErrorKind::Corrupt, format!("the changelog of store `{name}` has a key without a window"))
    }
}

impl<L: KeyLayout, V: Send + 'static> StateStore for SegmentedRows<L, V> {
    fn name(&self) -> &Arc<str> {
        self.rows.name()
    }

    fn changelog(&self) -> Changelog {
        self.rows.changelog()
    }

    fn log_changes(&mut self, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        self.rows.log_unlogged(out)?;
        // Not when time moves on: only at a commit is it certain that it did.
        self.drop_segments();
        if let Some(observed) = self.segments.observed() {
            self.rows.note_published(&observed.to_be_bytes());
        }
        self.rows.settle(out)
    }

    fn apply(&mut self, record: &StoredRecord<'_>) -> Result<(), StoreError> {
        let key = record.key.ok_or_else(|| self.no_key())?;
        let time = L::time(key).ok_or_else(|| self.no_key())?;
        self.segments.observe(time);
        self.segments.tell(time);
        self.drop_segments();
        if !self.segments.is_live(time) {
            return Ok(());
        }
        self.set_buffer(time, key);
        let key = std::mem::take(&mut self.buffer);
        let mut keyed = *record;
        keyed.key = Some(&key);
        let applied = self.rows.apply(&keyed);
        self.buffer = key;
        applied
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

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.segments.set_observed(None);
        (self.dropped, self.by_time) = (0, None);
        self.rows.wipe()
    }

    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let mut head = Encoder(out);
        head.option(self.segments.observed(), |out, time| out.number(time.cast_unsigned()));
        head.number(self.dropped.cast_unsigned());
        head.option(self.segments.told(), |out, time| out.number(time.cast_unsigned()));
        self.rows.snapshot(out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let cut_off =
            |e| StoreError::new(StoreErrorKind::Corrupt, "a snapshot of a store cannot be read").with_source(e);
        let mut head = Decoder::new(bytes);
        let observed = head.option(Decoder::number).map_err(cut_off)?.map(u64::cast_signed);
        let dropped = head.number().map_err(cut_off)?.cast_signed();
        let told = head.option(Decoder::number).map_err(cut_off)?.map(u64::cast_signed);
        self.rows.restore(head.rest())?;
        self.segments.set_observed(observed);
        self.segments.set_told(told);
        (self.dropped, self.by_time) = (dropped, None);
        if dropped > 0 {
            self.rows.set_floor(&Segments::prefix(dropped));
        }
        Ok(())
    }

    fn journal(&mut self, on: bool) {
        self.rows.journal(on);
    }

    fn keep(&mut self) {
        self.segments.keep();
        self.rows.keep();
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        self.segments.undo();
        // Rows may have been taken out of it.
        self.by_time = None;
        self.rows.undo()
    }

    fn visit(&mut self, range: &KeyRange, direction: Direction, visit: VisitBytes<'_>) -> Result<(), StoreError> {
        self.rows.visit(range, direction, visit)
    }

    fn publish(&mut self) -> Result<Arc<PublishedRows>, StoreError> {
        self.rows.publish_with(&self.commit_note().unwrap_or_default())
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

    fn commit_note(&self) -> Option<Vec<u8>> {
        self.segments.observed().map(|time| time.to_be_bytes().to_vec())
    }

    fn resume(&mut self, note: &[u8]) -> Result<(), StoreError> {
        let time = note.try_into().map_err(|_| self.no_key())?;
        SegmentedRows::resume(self, i64::from_be_bytes(time));
        Ok(())
    }
}

/// The part of a `StateStore` that every store of typed rows leaves to its field `rows`.
macro_rules! forward_to_rows {
    () => {
        fn name(&self) -> &Arc<str> {
            self.rows.name()
        }

        fn changelog(&self) -> Changelog {
            self.rows.changelog()
        }

        fn log_changes(&mut self, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
            self.rows.log_changes(out)
        }

        fn unflushed(&self) -> usize {
            self.rows.unflushed()
        }

        fn flush(&mut self, at: Checkpoint) -> Result<(), StoreError> {
            self.rows.flush(at)
        }

        fn memory(&self) -> $crate::state::RowMemory {
            self.rows.memory()
        }

        fn shrink(&mut self, bytes: u64) {
            self.rows.shrink(bytes);
        }

        fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
            self.rows.checkpoint()
        }

        fn wipe(&mut self) -> Result<(), StoreError> {
            self.rows.wipe()
        }

        fn journal(&mut self, on: bool) {
            self.rows.journal(on);
        }

        fn visit(&mut self, range: &KeyRange, direction: Direction, visit: VisitBytes<'_>) -> Result<(), StoreError> {
            self.rows.visit(range, direction, visit)
        }

        fn publish(&mut self) -> Result<Arc<PublishedRows>, StoreError> {
            self.rows.publish()
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
    };
}
pub(super) use forward_to_rows;
