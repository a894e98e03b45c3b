//! The committed rows of a store's part, for readers in other threads.
//!
//! Rule: a reader sees the rows of one commit, all of it, for as long as it holds them; the owner never waits for a reader,
//! and a store that nobody asked for publishes nothing.
//!
//! The owner prepares the next version with the commit's changed rows; whoever ends the commit makes it the one that readers
//! get. Over a checkpoint, a version has the rows that the checkpoint does not have yet, and a snapshot of the checkpoint is
//! taken when somebody asks. What the owner writes there between two commits is what the version says anyway, so it does not
//! matter how much of it the snapshot has.

mod block;
mod changes;
mod store;
mod tree;
mod walk;

use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::byte_store::{ByteSnapshot, TakeSnapshot};
use super::{Direction, KeyRange, RowFormat, Rows, StoreError};
use crate::record::Timestamp;
use changes::Recent;
use tree::{Deleted, RowTree};

pub(super) use block::RowBlock;
pub use changes::{Changes, Lagged, RowChange, Watcher};
pub use store::CommittedStore;
pub use walk::CommittedWalk;

/// A row as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowBytes {
    /// The key, as it stands in the changelog.
    pub key: Vec<u8>,
    /// The value, as it stands in the changelog.
    pub value: Vec<u8>,
    /// The time of the last update; 0 in a store without times.
    pub timestamp: Timestamp,
}

/// The committed rows of one store of one task, as they are at every commit. Shared between the task and its readers.
pub struct PublishedRows {
    format: RowFormat,
    /// How to take a snapshot of the rows below; `None` when the versions have all rows.
    below: Option<Arc<dyn TakeSnapshot>>,
    versions: Mutex<Versions>,
}

struct Versions {
    committed: RowTree,
    /// What has to be known besides the committed rows.
    note: Arc<[u8]>,
    prepared: Option<Prepared>,
    recent: Recent,
}

/// What the next commit will leave.
struct Prepared {
    rows: RowTree,
    note: Arc<[u8]>,
    changes: Arc<RowBlock>,
}

/// A version that readers no longer get. Dropping it may take a while: do it without a lock.
#[must_use = "what no reader holds is freed here"]
pub struct Superseded {
    _committed: RowTree,
}

impl PublishedRows {
    /// Rows as of now: these, over those that `below` has; and what has to be known besides them.
    pub(super) fn new(
        rows: &RowBlock,
        note: &[u8],
        format: RowFormat,
        below: Option<Arc<dyn TakeSnapshot>>,
    ) -> Arc<Self> {
        let committed = RowTree::default().changed(rows, Deleted::over(below.is_some()));
        let versions = Versions { committed, note: note.into(), prepared: None, recent: Recent::default() };
        Arc::new(PublishedRows { format, below, versions: Mutex::new(versions) })
    }

    fn lock(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the version with these changes, which readers get after the commit.
    pub(super) fn prepare(&self, changes: RowBlock, note: &[u8]) {
        // Nobody else changes the versions between two commits, so the work is done without the lock.
        let committed = self.lock().committed.clone();
        let rows = committed.changed(&changes, Deleted::over(self.below.is_some()));
        self.lock().prepared = Some(Prepared { rows, note: note.into(), changes: Arc::new(changes) });
    }

    /// The commit with this number was made: readers get what was prepared for it.
    pub fn commit(&self, number: u64) -> Option<Superseded> {
        let mut versions = self.lock();
        let Prepared { rows, note, changes } = versions.prepared.take()?;
        let committed = std::mem::replace(&mut versions.committed, rows);
        versions.note = note;
        versions.recent.add(number, changes);
        Some(Superseded { _committed: committed })
    }

    /// The rows below have all that was committed.
    pub(super) fn flushed(&self) {
        if self.below.is_some() {
            let old = std::mem::take(&mut self.lock().committed);
            drop(old);
        }
    }

    /// The rows of the last commit.
    pub fn rows(&self) -> Result<CommittedRows, StoreError> {
        let versions = self.lock();
        // Under the lock: otherwise a commit and a write below could come in between, and bring rows of a later commit.
        let below = self.below.as_ref().map(|below| below.take()).transpose()?;
        Ok(CommittedRows {
            changed: versions.committed.clone(),
            note: versions.note.clone(),
            below,
            format: self.format,
        })
    }
}

/// The rows of one store of one task as one commit left them. They never change; held long, they keep memory and old rows
/// on disk from being freed.
#[derive(Clone)]
pub struct CommittedRows {
    changed: RowTree,
    note: Arc<[u8]>,
    below: Option<Arc<dyn ByteSnapshot>>,
    format: RowFormat,
}

impl CommittedRows {
    /// Appends the value of a key to `out` and gives the row's time; `None` when there is no such row.
    pub fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<Option<Timestamp>, StoreError> {
        if let Some(row) = self.changed.get(key) {
            out.extend_from_slice(row.value.unwrap_or_default());
            return Ok(row.value.map(|_| row.timestamp));
        }
        let Some(below) = &self.below else { return Ok(None) };
        let mut bytes = Vec::new();
        if !below.get(key, &mut bytes)? {
            return Ok(None);
        }
        let (timestamp, value) = self.format.split(&bytes)?;
        out.extend_from_slice(value);
        Ok(Some(timestamp))
    }

    /// The first `limit` rows of a range, in the order of their keys' bytes.
    pub fn page(&self, range: &KeyRange, direction: Direction, limit: usize) -> Result<Vec<RowBytes>, StoreError> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let below: Rows<'_> = match &self.below {
            Some(below) => below.range(range, direction)?,
            None => Box::new(std::iter::empty()),
        };
        let mut page = Page { rows: Vec::new(), limit, below: below.peekable(), direction, format: self.format };
        let mut failure = None;
        let bounds = (slice(&range.from), slice(&range.to));
        self.changed.visit(bounds, direction, &mut |row| {
            page.changed(row).unwrap_or_else(|error| {
                failure = Some(error);
                ControlFlow::Break(())
            })
        });
        failure.map_or_else(|| page.finish(), Err)
    }

    /// About how many rows there are: exact in memory; on disk, rows that were changed or deleted may count twice.
    pub fn approximate_count(&self) -> u64 {
        self.changed.len() as u64 + self.below.as_ref().map_or(0, |below| below.approximate_count())
    }
}

fn slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// Rows from two sides, in one order; a changed row hides the one below it.
struct Page<'a> {
    rows: Vec<RowBytes>,
    limit: usize,
    below: std::iter::Peekable<Rows<'a>>,
    direction: Direction,
    format: RowFormat,
}

impl Page<'_> {
    fn changed(&mut self, row: block::PackedRow<'_>) -> Result<ControlFlow<()>, StoreError> {
        let direction = self.direction;
        let comes_first = |below: &[u8]| match direction {
            Direction::Forward => below < row.key,
            Direction::Backward => below > row.key,
        };
        self.take_below(|below| comes_first(below))?;
        self.below.next_if(|below| matches!(below, Ok((key, _)) if key == row.key));
        if let (Some(value), true) = (row.value, self.rows.len() < self.limit) {
            self.rows.push(RowBytes { key: row.key.to_vec(), value: value.to_vec(), timestamp: row.timestamp });
        }
        Ok(if self.rows.len() < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    fn take_below(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Result<(), StoreError> {
        while self.rows.len() < self.limit {
            let next = self.below.next_if(|row| row.as_ref().map_or(true, |(key, _)| wanted(key)));
            let Some((key, bytes)) = next.transpose()? else { break };
            let (timestamp, value) = self.format.split(&bytes)?;
            self.rows.push(RowBytes { key, value: value.to_vec(), timestamp });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<RowBytes>, StoreError> {
        self.take_below(|_| true)?;
        Ok(self.rows)
    }
}
