//! The staged records of open epochs.
//!
//! Rule: a partition has staged records of at most one session, and they stand right behind the committed ones. So the
//! offsets that a session was told stay true until its epoch ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidemill_dsl::record::{Batch, BatchBuilder, Offset};

/// Staged batches are gathered up to this size: large enough to be cheap, small enough to be a unit of reading.
pub(super) const BATCH_BYTES: usize = 256 << 10;
/// A buffer that grew beyond this is given back at the end of the epoch.
const BUFFER_KEPT: usize = 64 << 10;

/// A session's number; never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionId(pub(super) u64);

/// What is staged in one partition, and who watches its end.
#[derive(Default)]
pub(super) struct Slot {
    owner: Option<SessionId>,
    sealed: Vec<Arc<Batch>>,
    sealed_bytes: usize,
    open: BatchBuilder,
    count: u64,
    watches: Vec<(SessionId, Arc<AtomicU64>)>,
}

impl Slot {
    /// The session that has staged records here.
    pub(super) fn owner(&self) -> Option<SessionId> {
        self.owner
    }

    /// Where the partition ends for `session`; `end` is the end of the committed records.
    pub(super) fn end_for(&self, session: SessionId, end: Offset) -> Offset {
        if self.owner == Some(session) { end.plus(self.count) } else { end }
    }

    /// Adds records behind `end`, the end of the committed ones.
    pub(super) fn stage(&mut self, session: SessionId, end: Offset, records: &Batch) -> Offset {
        debug_assert!(self.owner.is_none_or(|owner| owner == session), "the caller asks for the owner first");
        let at = end.plus(self.count);
        if self.open.size() + records.bytes().len() > BATCH_BYTES {
            self.seal(end);
        }
        self.owner = Some(session);
        self.open.extend(records);
        self.count += u64::from(records.count());
        at
    }

    /// The staged batches from `from` on, as they stand behind `end`.
    pub(super) fn read(&mut self, end: Offset, from: Offset) -> &[Arc<Batch>] {
        self.seal(end);
        &self.sealed[self.sealed.partition_point(|batch| batch.end() <= from)..]
    }

    /// Ends the epoch in this partition; the result is what was staged, in order.
    pub(super) fn take(&mut self, end: Offset) -> Vec<Arc<Batch>> {
        self.seal(end);
        let staged = std::mem::take(&mut self.sealed);
        if self.sealed_bytes > BUFFER_KEPT {
            self.open = BatchBuilder::default();
        }
        (self.owner, self.count, self.sealed_bytes) = (None, 0, 0);
        staged
    }

    fn seal(&mut self, end: Offset) {
        if self.open.is_empty() {
            return;
        }
        let base = self.sealed.last().map_or(end, |batch| batch.end());
        self.sealed_bytes += self.open.size();
        self.sealed.push(Arc::new(self.open.finish(base)));
    }

    /// A counter that follows the partition's end as `session` sees it.
    pub(super) fn watch(&mut self, session: SessionId, end: Offset) -> Arc<AtomicU64> {
        if let Some((_, watch)) = self.watches.iter().find(|(watcher, _)| *watcher == session) {
            return watch.clone();
        }
        let watch = Arc::new(AtomicU64::new(self.end_for(session, end).get()));
        self.watches.push((session, watch.clone()));
        watch
    }

    /// Brings the watches up to date.
    pub(super) fn tell(&self, end: Offset) {
        for (session, watch) in &self.watches {
            watch.store(self.end_for(*session, end).get(), Ordering::Release);
        }
    }

    /// Forgets the watch of a session that ended.
    pub(super) fn unwatch(&mut self, session: SessionId) {
        self.watches.retain(|(watcher, _)| *watcher != session);
    }
}
