//! The changes of the last commits, for those who watch a store.
//!
//! Rule: changes are kept only while somebody watches, and no more than a number of bytes; whoever falls further behind is
//! told so, and misses nothing silently.

use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::block::RowBlock;
use super::{CommittedRows, PublishedRows};
use crate::record::Timestamp;
use crate::state::{KeyRange, StoreError};

/// A row that a commit changed, as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowChange<'a> {
    /// The key, as it stands in the changelog.
    pub key: &'a [u8],
    /// The value, as it stands in the changelog; `None`: the row is gone.
    pub value: Option<&'a [u8]>,
    /// The time of the update; 0 in a store without times.
    pub timestamp: Timestamp,
}

/// The rows that one commit changed in one part of a store.
#[derive(Clone, Debug)]
pub struct Changes {
    commit: u64,
    rows: Arc<RowBlock>,
}

impl Changes {
    /// The number of the commit.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// Visits the changed rows of a range in the order of their keys' bytes until `visit` breaks.
    pub fn visit(&self, range: &KeyRange, mut visit: impl FnMut(RowChange<'_>) -> ControlFlow<()>) {
        if range.is_empty() {
            return;
        }
        let from = match &range.from {
            Bound::Included(key) => self.rows.lower_bound(key),
            Bound::Excluded(key) => self.rows.upper_bound(key),
            Bound::Unbounded => 0,
        };
        let to = match &range.to {
            Bound::Included(key) => self.rows.upper_bound(key),
            Bound::Excluded(key) => self.rows.lower_bound(key),
            Bound::Unbounded => self.rows.len(),
        };
        for place in from..to {
            let row = self.rows.row(place);
            if visit(RowChange { key: row.key, value: row.value, timestamp: row.timestamp }).is_break() {
                return;
            }
        }
    }
}

/// What the watchers of a part have not all seen yet.
#[derive(Default)]
pub(super) struct Recent {
    watchers: usize,
    bytes_max: usize,
    bytes: usize,
    changes: VecDeque<Changes>,
    /// All changes of later commits are there.
    complete_after: u64,
    /// The last commit that changed a row.
    last: u64,
}

impl Recent {
    pub(super) fn add(&mut self, commit: u64, rows: Arc<RowBlock>) {
        self.last = commit;
        if self.watchers == 0 {
            return;
        }
        self.bytes += rows.size();
        self.changes.push_back(Changes { commit, rows });
        // The newest stays however big it is: nobody could follow otherwise.
        while self.bytes > self.bytes_max && self.changes.len() > 1 {
            let Some(oldest) = self.changes.pop_front() else { break };
            self.bytes -= oldest.rows.size();
            self.complete_after = oldest.commit;
        }
    }
}

/// Who watches fell so far behind that changes are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged;

/// Keeps the changes of a part's later commits until it is dropped.
pub struct Watcher {
    part: Arc<PublishedRows>,
    seen: u64,
}

impl PublishedRows {
    /// The committed rows now, and a watcher for everything after them. About `bytes_max` bytes of changes are kept for
    /// the slowest watcher; of several watchers, the greatest number counts.
    pub fn watch(self: &Arc<Self>, bytes_max: usize) -> Result<(CommittedRows, Watcher), StoreError> {
        // The owner publishes no commit between these two: the caller holds the lock that a commit needs.
        let rows = self.rows()?;
        let mut versions = self.lock();
        let recent = &mut versions.recent;
        if recent.watchers == 0 {
            (recent.complete_after, recent.bytes_max) = (recent.last, 0);
        }
        recent.watchers += 1;
        recent.bytes_max = recent.bytes_max.max(bytes_max);
        Ok((rows, Watcher { part: self.clone(), seen: recent.last }))
    }
}

impl Watcher {
    /// Appends what later commits changed, in the order of the commits.
    pub fn take(&mut self, out: &mut Vec<Changes>) -> Result<(), Lagged> {
        let versions = self.part.lock();
        let recent = &versions.recent;
        if self.seen < recent.complete_after {
            return Err(Lagged);
        }
        let seen = recent.changes.partition_point(|changes| changes.commit <= self.seen);
        out.extend(recent.changes.range(seen..).cloned());
        self.seen = recent.last;
        Ok(())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut versions = self.part.lock();
        let recent = &mut versions.recent;
        recent.watchers -= 1;
        if recent.watchers == 0 {
            recent.changes.clear();
            recent.bytes = 0;
        }
    }
}
