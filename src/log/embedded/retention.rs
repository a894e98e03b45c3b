//! Removes expired records by removing whole segments from the front of the log.
//!
//! Rule: a partition first begins later, durably; then the files go, the oldest first, each durably before the next. So no
//! crash leaves a hole, and records that a partition still has are never removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use tidemill_dsl::record::{Offset, Timestamp};

use super::folder::cannot;
use super::index::{Index, SegmentId, Share};
use super::journal::Journal;
use super::segment;
use crate::log::ledger::{Book, Change, Keep, Ledger, PartitionId};
use crate::log::{Cleaned, LogError};

impl Journal {
    /// Removes records that are older than their topic's retention at the time `now`, or beyond the bytes that it keeps.
    ///
    /// Records go by segment: a partition's records in a segment go when the youngest of them is too old, and the file
    /// when no partition has records in it.
    pub(super) fn expire(&self, ledger: &Ledger<Journal>, now: Timestamp) -> Result<Cleaned, LogError> {
        ledger.exclusively(|book, journal| {
            journal.usable()?;
            if expires_last(book, &journal.index(), now) { journal.roll(book) } else { Ok(()) }
        })?;
        let later = |book: &Book| Change { starts: later_starts(book, &self.index(), now), ..Change::default() };
        ledger.change(later)?;
        if ledger.exclusively(|book, journal| dead_segments(book, &journal.index()).is_empty()) {
            return Ok(Cleaned::default());
        }
        // A loss of power must not take the later beginning back when the records are gone.
        self.syncer.sync_all()?;
        ledger.exclusively(|book, journal| journal.remove_leading(book))
    }

    pub(super) fn index(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove_leading(&self, book: &Book) -> Result<Cleaned, LogError> {
        let mut expired = Cleaned::default();
        let dead = dead_segments(book, &self.index());
        for (id, first, bytes) in dead {
            let name = segment::name_of(first);
            self.index.write().unwrap_or_else(PoisonError::into_inner).remove_segment(id);
            self.close_file(id);
            let removed = self.files.remove(&name).and_then(|()| self.files.sync_folder());
            removed.map_err(|cause| cannot(&*self.files, &format!("remove `{name}`"), cause))?;
            expired.segments += 1;
            expired.bytes += bytes;
        }
        Ok(expired)
    }
}

/// From when on a partition keeps its records, and how many bytes of them.
#[derive(Clone, Copy, Default)]
struct Retention {
    since: Option<Timestamp>,
    bytes: Option<u64>,
}

impl Retention {
    /// Whether the records in a share are all too old, or beyond the bytes: `younger` of them follow.
    fn is_over(&self, share: &Share, younger: u64) -> bool {
        self.since.is_some_and(|since| share.time_max < since) || self.bytes.is_some_and(|bytes| younger >= bytes)
    }
}

/// The retention of every partition whose records may expire.
fn retentions(book: &Book, index: &Index, now: Timestamp) -> BTreeMap<PartitionId, Retention> {
    let (mut retentions, youngest) = (BTreeMap::new(), index.youngest());
    for (spec, first) in book.topics().filter(|(spec, _)| spec.config.cleanup.deletes()) {
        for partition in (first.0..first.0 + spec.partitions).map(PartitionId) {
            let present = if spec.config.cleanup.compacts() { present(&youngest, partition, now) } else { now };
            let since = spec.config.retention.map(|time| before(present, time));
            retentions.insert(partition, Retention { since, bytes: spec.config.retention_bytes });
        }
    }
    retentions
}

/// What counts as the present in a changelog: the time of its youngest record, unless that is in the future.
pub(super) fn present(
    youngest: &BTreeMap<PartitionId, Timestamp>,
    partition: PartitionId,
    now: Timestamp,
) -> Timestamp {
    youngest.get(&partition).map_or(now, |youngest| now.min(*youngest))
}

/// The time so long before another.
pub(super) fn before(present: Timestamp, time: Duration) -> Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(present.as_millis().saturating_sub(millis))
}

/// Whether the segment that is written now holds expired records; they can go only when it has ended.
fn expires_last(book: &Book, index: &Index, now: Timestamp) -> bool {
    let retentions = retentions(book, index, now);
    let shares = &index.last_segment().shares;
    shares.iter().any(|(partition, share)| retentions.get(partition).is_some_and(|keeps| keeps.is_over(share, 0)))
}

/// The partitions that begin later, because their first segments hold expired records only.
fn later_starts(book: &Book, index: &Index, now: Timestamp) -> Vec<(PartitionId, Offset)> {
    let retentions = retentions(book, index, now);
    let last = index.last_segment().first;
    let mut younger = BTreeMap::<PartitionId, u64>::new();
    for (partition, share) in index.segments().flat_map(|(_, segment)| &segment.shares) {
        *younger.entry(*partition).or_default() += share.bytes;
    }
    let (mut starts, mut stopped) = (BTreeMap::new(), BTreeSet::new());
    let ended = index.segments().filter(|(_, segment)| segment.first < last);
    for (partition, share) in ended.flat_map(|(_, segment)| &segment.shares) {
        let younger = younger.get_mut(partition).expect("every share was counted");
        *younger -= share.bytes;
        let is_over = retentions.get(partition).is_some_and(|retention| retention.is_over(share, *younger));
        if !is_over {
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
