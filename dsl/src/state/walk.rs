//! Walks over typed rows in the order of their keys: cells and the bytes below as one.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};

use super::cache::Reader;
use super::ordered_key::OrderedKey;
use super::typed_rows::{TypedRows, VisitWholeRow, WholeRow};
use super::{Direction, KeyRange, StoreError, VisitRow};

impl<V: Send + 'static> TypedRows<V> {
    /// Visits the rows of a range until `visit` breaks. Keys come as their bytes.
    pub(crate) fn walk(
        &mut self,
        range: &KeyRange,
        direction: Direction,
        visit: VisitRow<'_, V>,
    ) -> Result<(), StoreError> {
        self.walk_whole(range, direction, &mut |key, row| visit(key, row.value, row.timestamp))
    }

    /// As `walk`; what the task reads like that was used.
    pub(crate) fn walk_by(
        &mut self,
        reader: Reader,
        range: &KeyRange,
        direction: Direction,
        visit: VisitRow<'_, V>,
    ) -> Result<(), StoreError> {
        self.walk_whole_by(reader, range, direction, &mut |key, row| visit(key, row.value, row.timestamp))
    }

    /// The first key of those in memory.
    pub(super) fn first_key(&mut self) -> Option<&[u8]> {
        self.cells.order().first_key_value().map(|(key, _)| key.as_slice())
    }

    /// As `walk_by`, with all that is known of the rows.
    pub(super) fn walk_whole_by(
        &mut self,
        reader: Reader,
        range: &KeyRange,
        direction: Direction,
        visit: VisitWholeRow<'_, V>,
    ) -> Result<(), StoreError> {
        if reader == Reader::Outside || !self.has_limited_cache() {
            return self.walk_whole(range, direction, visit);
        }
        let mut read = Vec::new();
        self.walk_whole(range, direction, &mut |key, row| {
            read.extend(row.entry);
            visit(key, row)
        })?;
        let cache = self.cache.iter_mut();
        cache.for_each(|cache| read.iter().for_each(|entry| cache.touch(*entry)));
        Ok(())
    }

    /// As `walk`, with all that is known of the rows.
    pub(super) fn walk_whole(
        &mut self,
        range: &KeyRange,
        direction: Direction,
        visit: VisitWholeRow<'_, V>,
    ) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        self.cells.order();
        let order = self.cells.order_made().expect("made in the line above");
        let bound = |bound: &Bound<Vec<u8>>| bound.as_ref().map(|key| OrderedKey::new(key));
        let mut cells = order.range((bound(&range.from), bound(&range.to)));
        let mut next = || match direction {
            Direction::Forward => cells.next(),
            Direction::Backward => cells.next_back(),
        };
        let mut below = match &self.below {
            Some(below) => below.range(range, direction)?,
            None => Box::new(std::iter::empty()),
        };
        let (mut next_cell, mut next_below) = (next(), below.next().transpose()?);
        loop {
            // A cell hides the bytes below it, also when it says that the row is gone.
            let side = match (next_cell, &next_below) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((cell, _)), Some((key, _))) => match direction {
                    Direction::Forward => cell.as_slice().cmp(key),
                    Direction::Backward => (**key).cmp(cell.as_slice()),
                },
            };
            let mut flow = ControlFlow::Continue(());
            if side == Ordering::Greater {
                if let Some((key, bytes)) = &next_below {
                    let (value, timestamp) = self.decode(key, bytes)?;
                    let headers = &self.format.headers(bytes)?;
                    flow = visit(key, WholeRow { value: &value, timestamp, headers, entry: None });
                }
            } else if let Some((key, id, cell)) = next_cell.map(|(key, id)| (key, *id, self.cells.get(*id)))
                && let Some(value) = &cell.value
            {
                let (timestamp, headers) = (self.row_time(cell), self.cell_headers(id));
                flow = visit(key.as_slice(), WholeRow { value, timestamp, headers, entry: self.cells.entry(id) });
            }
            if flow.is_break() {
                return Ok(());
            }
            if side != Ordering::Greater {
                next_cell = next();
            }
            if side != Ordering::Less {
                next_below = below.next().transpose()?;
            }
        }
    }
}
