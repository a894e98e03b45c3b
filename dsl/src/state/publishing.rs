//! What a store's rows tell readers in other threads.
//!
//! Rule: nothing is packed for a store that nobody asked for; from the first question on, a commit packs the rows that it
//! changed.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::cell::Mark;
use super::published::RowBlock;
use super::typed_rows::TypedRows;
use super::{Direction, KeyRange, PublishedRows, StoreError};

/// What readers in other threads get.
pub(super) struct Publishing {
    pub(super) rows: Arc<PublishedRows>,
    /// Cells that changed since the last commit.
    pub(super) changed: Vec<u32>,
    /// What has to be known besides the rows.
    pub(super) note: Vec<u8>,
}

impl<V: Send + 'static> TypedRows<V> {
    /// Prepares what readers in other threads get after the commit.
    pub(super) fn prepare_published(&mut self) -> Result<(), StoreError> {
        let Some(mut publishing) = self.publishing.take_if(|publishing| !publishing.changed.is_empty()) else {
            return Ok(());
        };
        let changes = self.pack(&mut publishing.changed)?;
        for id in publishing.changed.drain(..) {
            self.cells.get_mut(id).unset(Mark::Unpublished);
        }
        publishing.rows.prepare(changes, &publishing.note);
        self.publishing = Some(publishing);
        Ok(())
    }

    /// The rows of these cells, sorted; an empty cell is a deleted row.
    fn pack(&self, ids: &mut [u32]) -> Result<RowBlock, StoreError> {
        self.cells.sort(ids);
        let mut block = RowBlock::default();
        for id in ids {
            let cell = self.cells.get(*id);
            let write = |out: &mut Vec<u8>| match &cell.value {
                Some(value) => self.values.write(value, out).map(|()| true),
                None => Ok(false),
            };
            block.push_with(&self.cells.key(*id), self.row_time(cell), write).map_err(|e| self.unwritable(e))?;
        }
        Ok(block)
    }

    /// As `publish`, with what has to be known besides the rows.
    pub(super) fn publish_with(&mut self, note: &[u8]) -> Result<Arc<PublishedRows>, StoreError> {
        if let Some(publishing) = &self.publishing {
            return Ok(publishing.rows.clone());
        }
        let below = self.below.as_ref().and_then(|below| below.snapshots());
        let rows = match below {
            Some(_) => self.pack(&mut self.unflushed.clone())?,
            // A walk would make an index that every new row goes into from then on.
            None if self.below.is_none() => self.pack(&mut self.cells.filled())?,
            None => self.pack_all()?,
        };
        let rows = PublishedRows::new(&rows, note, self.format, below);
        self.publishing = Some(Publishing { rows: rows.clone(), changed: Vec::new(), note: note.to_vec() });
        Ok(rows)
    }

    /// Says what has to be known besides the rows that the commit under way publishes.
    pub(super) fn note_published(&mut self, note: &[u8]) {
        if let Some(publishing) = &mut self.publishing {
            publishing.note.clear();
            publishing.note.extend_from_slice(note);
        }
    }

    /// All rows.
    fn pack_all(&mut self) -> Result<RowBlock, StoreError> {
        let (mut block, values, mut failure) = (RowBlock::default(), self.values.clone(), None);
        self.walk(&KeyRange::ALL, Direction::Forward, &mut |key, value, timestamp| match block.push_with(
            key,
            timestamp,
            |out| values.write(value, out).map(|()| true),
        ) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failure.map_or(Ok(block), |error| Err(self.unwritable(error)))
    }
}
