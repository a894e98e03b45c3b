//! How much memory rows take, found by looking at a few of them.
//!
//! Rule: measuring costs nothing where records are processed. Values are typed, so nobody knows their size; their bytes, of a few
//! rows at each commit, stand for it.

use super::StoreError;
use super::cell::{Cell, Mark};
use super::typed_rows::TypedRows;

/// How many rows are looked at in one commit.
const SAMPLE: usize = 8;
/// What an allocation costs besides what it holds.
const ALLOCATION: usize = 16;
/// What finds a row, in bytes.
const INDEX: usize = 16;

/// What the rows of a store take in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowMemory {
    /// About how many bytes: keys, values, and what finds them.
    pub bytes: u64,
    /// Whether rows can go, because the bytes below have them, or will after a flush.
    pub can_go: bool,
}

/// The mean of what values take, of those that were looked at.
#[derive(Default)]
pub(super) struct Measure {
    /// In eighths of a byte; 0: none was looked at.
    value_bytes: usize,
    /// The cell that is looked at next.
    next: usize,
}

impl Measure {
    fn add(&mut self, bytes: usize) {
        self.value_bytes =
            if self.value_bytes == 0 { bytes * 8 } else { self.value_bytes - self.value_bytes / 8 + bytes };
    }

    /// What one row takes, and what finds it.
    fn row<V>(&self) -> usize {
        // An eighth more, as a list of many cells has room to grow.
        size_of::<Cell<V>>() * 9 / 8 + INDEX + self.value_bytes / 8
    }
}

impl<V: Send + 'static> TypedRows<V> {
    /// Looks at a few more rows.
    pub(super) fn look_at_rows(&mut self) -> Result<(), StoreError> {
        let (mut bytes, mut measure) = (std::mem::take(&mut self.row_buffer), std::mem::take(&mut self.measure));
        for _ in 0..SAMPLE {
            let Some((next, cell)) = self.cells.next_filled(measure.next) else { break };
            measure.next = next;
            bytes.clear();
            if let Some(value) = &cell.value {
                self.encode_value(value, &mut bytes)?;
                let key = self.cells.key_bytes_elsewhere(cell);
                let key = if key > 0 { key + ALLOCATION } else { 0 };
                let value = if std::mem::needs_drop::<V>() { bytes.len() + ALLOCATION } else { 0 };
                measure.add(key + value);
            }
        }
        (self.row_buffer, self.measure) = (bytes, measure);
        Ok(())
    }

    /// What the rows take.
    pub(super) fn row_memory(&self) -> RowMemory {
        let bytes = (self.cells.len() * self.measure.row::<V>() + self.cells.index_memory()) as u64;
        RowMemory { bytes, can_go: self.below.is_some() }
    }

    /// Lets go of rows that the bytes below have until about so many bytes are left: first of those that nobody used since
    /// the last time, then of any.
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        let rows_max = usize::try_from(bytes).unwrap_or(usize::MAX) / self.measure.row::<V>();
        if self.below.is_none() || self.cells.len() <= rows_max {
            return;
        }
        self.cells.remove_where(|cell| !cell.unset(Mark::Used) && !cell.is_owed());
        let mut left = self.cells.len();
        if left > rows_max {
            self.cells.remove_where(|cell| {
                let goes = left > rows_max && !cell.is_owed();
                left -= usize::from(goes);
                goes
            });
        }
    }
}
