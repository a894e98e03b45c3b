//! Walks over the rows of one key of a store of windows: cells and the bytes below as one, without keys being made.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow, RangeInclusive};

use super::cache::Reader;
use super::cells::tails;
use super::runs::{rank, rows_within};
use super::segments::{PREFIX, Segments};
use super::typed_rows::{TypedRows, VisitWholeRow, WholeRow};
use super::{ByteStore, Direction, KeyRange, StoreError};

/// Which rows of a key are visited.
pub(super) struct RunRange<'a> {
    /// The key's own bytes.
    pub(super) own: &'a [u8],
    /// The first tail and the last.
    pub(super) tails: [&'a [u8]; 2],
    /// The segments in which the bytes below may have such rows.
    pub(super) segments: RangeInclusive<i64>,
}

impl RunRange<'_> {
    /// The keys of a segment.
    fn keys(&self, segment: i64) -> KeyRange {
        let key = |tail| Bound::Included([&Segments::prefix(segment), self.own, tail].concat());
        KeyRange { from: key(self.tails[0]), to: key(self.tails[1]) }
    }

    /// The tail of one of these keys; `None` for another key that begins with the same bytes.
    fn tail_of<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let at = PREFIX + self.own.len();
        (key.len() == at + self.tails[0].len()).then(|| &key[at..])
    }
}

impl<V: Send + 'static> TypedRows<V> {
    /// Visits rows of one key until `visit` breaks. Keys come as their tails.
    pub(super) fn walk_run(
        &mut self,
        range: &RunRange<'_>,
        direction: Direction,
        reader: Reader,
        visit: VisitWholeRow<'_, V>,
    ) -> Result<(), StoreError> {
        if reader == Reader::Outside || !self.has_limited_cache() {
            return self.visit_run(range, direction, visit);
        }
        let mut read = Vec::new();
        self.visit_run(range, direction, &mut |tail, row| {
            read.extend(row.entry);
            visit(tail, row)
        })?;
        let cache = self.cache.iter_mut();
        cache.for_each(|cache| read.iter().for_each(|entry| cache.touch(*entry)));
        Ok(())
    }

    fn visit_run(
        &self,
        range: &RunRange<'_>,
        direction: Direction,
        visit: VisitWholeRow<'_, V>,
    ) -> Result<(), StoreError> {
        let tails_within = rank(range.tails[0])..=rank(range.tails[1]);
        let rows = rows_within(self.cells.run(range.own), &tails_within, tails(self.cells.all_cells()));
        match (&self.below, direction) {
            (None, Direction::Forward) => self.visit_cells(rows.iter(), visit),
            (None, Direction::Backward) => self.visit_cells(rows.iter().rev(), visit),
            (Some(below), Direction::Forward) => {
                self.merge_run(&**below, (range, direction), rows.iter().peekable(), visit)?;
            }
            (Some(below), Direction::Backward) => {
                self.merge_run(&**below, (range, direction), rows.iter().rev().peekable(), visit)?;
            }
        }
        Ok(())
    }

    fn visit_cells<'r>(&self, mut rows: impl Iterator<Item = &'r u32>, visit: VisitWholeRow<'_, V>) {
        // Whoever walks knows where it stopped.
        let _ = rows.try_for_each(|id| self.visit_cell(*id, visit));
    }

    #[inline]
    fn visit_cell(&self, id: u32, visit: VisitWholeRow<'_, V>) -> ControlFlow<()> {
        let cell = self.cells.get(id);
        let Some(value) = &cell.value else { return ControlFlow::Continue(()) };
        let (timestamp, headers) = (self.row_time(cell), self.cell_headers(id));
        visit(self.cells.tail(id), WholeRow { value, timestamp, headers, entry: self.cells.entry(id) })
    }

    /// Visits cells and, between them, rows that only the bytes below have.
    fn merge_run<'r>(
        &self,
        below: &dyn ByteStore,
        (range, direction): (&RunRange<'_>, Direction),
        mut rows: std::iter::Peekable<impl Iterator<Item = &'r u32>>,
        visit: VisitWholeRow<'_, V>,
    ) -> Result<(), StoreError> {
        let (first, last) = (*range.segments.start(), *range.segments.end());
        for step in 0..=last.saturating_sub(first) {
            let segment = match direction {
                Direction::Forward => first + step,
                Direction::Backward => last - step,
            };
            for found in below.range(&range.keys(segment), direction)? {
                let (key, bytes) = found?;
                let Some(tail) = range.tail_of(&key) else { continue };
                let mut hidden = false;
                while let Some(id) = rows.next_if(|id| self.side(**id, tail, direction) != Ordering::Greater) {
                    // A cell hides the bytes below it, also when it says that the row is gone.
                    hidden = self.cells.tail(*id) == tail;
                    if self.visit_cell(*id, visit).is_break() {
                        return Ok(());
                    }
                }
                if hidden {
                    continue;
                }
                let (value, timestamp) = self.decode(&key, &bytes)?;
                let headers = &self.format.headers(&bytes)?;
                if visit(tail, WholeRow { value: &value, timestamp, headers, entry: None }).is_break() {
                    return Ok(());
                }
            }
        }
        self.visit_cells(rows, visit);
        Ok(())
    }

    /// Whether a cell comes before a tail, or after it.
    fn side(&self, id: u32, tail: &[u8], direction: Direction) -> Ordering {
        let side = self.cells.tail(id).cmp(tail);
        if direction == Direction::Forward { side } else { side.reverse() }
    }
}
