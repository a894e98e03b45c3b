//! A walk through the rows of one commit, page by page, so that not all of them are copied at once.

use std::collections::VecDeque;
use std::ops::Bound;

use super::{CommittedRows, RowBytes};
use crate::state::{Direction, KeyRange, StoreError};

/// How many rows are copied at a time.
const PAGE: usize = 256;

/// Rows of a range, one after another, in the order of their keys' bytes. After an error there is nothing more.
pub struct CommittedWalk {
    rows: CommittedRows,
    direction: Direction,
    page: VecDeque<RowBytes>,
    /// What was not copied yet.
    left: Option<KeyRange>,
}

impl CommittedRows {
    /// Walks through the rows of a range.
    pub fn walk(&self, range: KeyRange, direction: Direction) -> CommittedWalk {
        let left = (!range.is_empty()).then_some(range);
        CommittedWalk { rows: self.clone(), direction, page: VecDeque::new(), left }
    }
}

impl CommittedWalk {
    /// Copies the next page.
    fn fill(&mut self) -> Result<(), StoreError> {
        let Some(left) = self.left.take() else { return Ok(()) };
        let page = self.rows.page(&left, self.direction, PAGE)?;
        if page.len() == PAGE
            && let Some(last) = page.last()
        {
            let behind = Bound::Excluded(last.key.clone());
            self.left = Some(match self.direction {
                Direction::Forward => KeyRange { from: behind, to: left.to },
                Direction::Backward => KeyRange { from: left.from, to: behind },
            });
        }
        self.page = page.into();
        Ok(())
    }
}

impl Iterator for CommittedWalk {
    type Item = Result<RowBytes, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && let Err(error) = self.fill()
        {
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}
