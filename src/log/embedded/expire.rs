//! Removes expired records by removing whole segments from the front of the log.
//!
//! Rule: a partition first begins later; then the files go, the oldest first, each durably before the next. So no crash
//! leaves a hole, and records that a partition still has are never removed. Should a crash take back the later beginning
//! but not the removal, opening finds that the partition begins with the first records that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use tidemill_dsl::record::{Offset, Timestamp};

use super::EmbeddedLog;
use super::folder::cannot;
use super::index::{Index, SegmentId, Share};
use super::journal::Journal;
use super::segment;
use crate::log::ledger::{Book, Change, Keep, PartitionId};
use crate::log::{Cleanup, LogError};

/// What an `expire` removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many segments are gone.
    pub segments: usize,
    /// How many bytes they had.
    pub bytes: u64,
}

impl EmbeddedLog {
    /// Removes records that are older than their topic's retention at the time `now`.
    ///
    /// Records go by segment: a partition's records in a segment go when the youngest of them is too old, and the file
    /// when no partition has records in it. Topics without a retention, and compacted ones, keep all their records, and
    /// with them the segments. Call it every now and then; nothing is removed otherwise.
    pub fn expire(&self, now: Timestamp) -> Result<Expired, LogError> {
        let journal = self.0.keep();
        self.0.roll_if(|book, journal| expires_last(book, &journal.index(), now))?;
        let later = |book: &Book| Change { starts: later_starts(book, &journal.index(), now), ..Change::default() };
        self.0.change(later)?;
        self.0.exclusively(|book, journal| journal.remove_leading(book))
    }
}

impl crate::log::ledger::Ledger<Journal> {
    fn roll_if(&self, condition: impl FnOnce(&Book, &Journal) -> bool) -> Result<(), LogError> {
        self.exclusively(|book, journal| {
            journal.usable()?;
            if condition(book, journal) { journal.roll(book) } else { Ok(()) }
        })
    }
}

impl Journal {
    fn index(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove_leading(&self, book: &Book) -> Result<Expired, LogError> {
        let mut expired = Expired::default();
        let dead = dead_segments(book, &self.index());
        for (id, first, bytes) in dead {
            let name = segment::name_of(first);
            self.index.write().unwrap_or_else(PoisonError::into_inner).remove_segment(id);
            self.close_file(id);
            let removed = self.files.remove(&name).and_then(|()| self.files.sync_folder());
            removed.map_err(|cause| cannot(&*self.files, &format!("remove `{name}`"), cause))?;
            expired = Expired { segments: expired.segments + 1, bytes: expired.bytes + bytes };
        }
        Ok(expired)
    }
}

/// Whether a partition's records in this share are all too old.
fn is_expired(retention: Option<i64>, share: &Share, now: Timestamp) -> bool {
    retention.is_some_and(|millis| share.time_max.as_millis() < now.as_millis().saturating_sub(millis))
}

/// The retention of every partition whose records may expire, in milliseconds.
fn retentions(book: &Book) -> BTreeMap<PartitionId, i64> {
    let mut retentions = BTreeMap::new();
    for (spec, first) in book.topics() {
        if let (Cleanup::Delete, Some(retention)) = (spec.config.cleanup, spec.config.retention) {
            let millis = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
            retentions.extend((0..spec.partitions).map(|partition| (PartitionId(first.0 + partition), millis)));
        }
    }
    retentions
}

/// Whether the segment that is written now holds expired records; they can go only when it has ended.
fn expires_last(book: &Book, index: &Index, now: Timestamp) -> bool {
    let retentions = retentions(book);
    let shares = &index.last_segment().shares;
    shares.iter().any(|(partition, share)| is_expired(retentions.get(partition).copied(), share, now))
}

/// The partitions that begin later, because their first segments hold expired records only.
fn later_starts(book: &Book, index: &Index, now: Timestamp) -> Vec<(PartitionId, Offset)> {
    let retentions = retentions(book);
    let last = index.last_segment().first;
    let (mut starts, mut stopped) = (BTreeMap::new(), BTreeSet::new());
    let ended = index.segments().filter(|(_, segment)| segment.first < last);
    for (partition, share) in ended.flat_map(|(_, segment)| &segment.shares) {
        if !is_expired(retentions.get(partition).copied(), share, now) {
            stopped.insert(*partition);
        } else if !stopped.contains(partition) {
            starts.insert(*partition, share.end);
        }
    }
    starts.into_iter().filter(|(partition, end)| *end > book.bounds(*partition).start).collect()
}

/// The segments at the front in which no partition has records any more.
fn dead_segments(book: &Book, index: &Index) -> Vec<(SegmentId, u64, u64)> {
    let last = index.last_segment().first;
    let is_dead = |shares: &BTreeMap<PartitionId, Share>| {
        shares.iter().all(|(partition, share)| share.end <= book.bounds(*partition).start)
    };
    let leading = index.segments().take_while(|(_, segment)| segment.first < last && is_dead(&segment.shares));
    leading.map(|(id, segment)| (id, segment.first, segment.bytes)).collect()
}
