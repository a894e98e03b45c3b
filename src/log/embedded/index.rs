//! Where committed batches stand, and the youngest of them in memory.
//!
//! Rule: a partition's places are in the order of offsets and without a gap; the batches in memory are the last ones of
//! their partition, and all together they stay within a budget of bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tidemill_dsl::record::{Batch, Offset, Timestamp};

use super::body::StoredBatch;
use crate::log::ledger::PartitionId;

/// A segment's number in this index; greater is later. Not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentId(pub(super) u32);

/// Where a batch stands. 24 bytes, because a long log has many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base: Offset,
    pub(super) count: u32,
    pub(super) segment: SegmentId,
    /// Where in the segment the batch's crc stands.
    pub(super) at: u32,
    /// How many bytes its records have.
    pub(super) length: u32,
}

impl Place {
    pub(super) fn end(&self) -> Offset {
        self.base.plus(u64::from(self.count))
    }
}

/// What a segment holds of one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) end: Offset,
    pub(super) time_max: Timestamp,
}

/// One segment.
pub(super) struct Segment {
    /// The number of its first frame, which names its file.
    pub(super) first: u64,
    pub(super) bytes: u64,
    pub(super) shares: BTreeMap<PartitionId, Share>,
}

#[derive(Default)]
struct Partition {
    places: VecDeque<Place>,
    recent: VecDeque<Arc<Batch>>,
}

/// A batch that a reader asked for.
pub(super) enum Wanted {
    InMemory(Arc<Batch>),
    OnDisk(Place),
}

/// The index of a log.
pub(super) struct Index {
    partitions: Vec<Partition>,
    segments: BTreeMap<SegmentId, Segment>,
    next_segment: u32,
    recent: VecDeque<PartitionId>,
    recent_bytes: usize,
    recent_bytes_max: usize,
}

impl Index {
    pub(super) fn new(recent_bytes_max: usize) -> Self {
        Index {
            partitions: Vec::new(),
            segments: BTreeMap::new(),
            next_segment: 0,
            recent: VecDeque::new(),
            recent_bytes: 0,
            recent_bytes_max,
        }
    }

    /// Begins a segment; what is added from now on stands in it.
    pub(super) fn add_segment(&mut self, first: u64) -> SegmentId {
        let id = SegmentId(self.next_segment);
        self.next_segment += 1;
        self.segments.insert(id, Segment { first, bytes: 0, shares: BTreeMap::new() });
        id
    }

    /// Counts the bytes of the last segment.
    pub(super) fn grow(&mut self, bytes: u64) {
        self.segments.last_entry().expect("a log has a segment").get_mut().bytes += bytes;
    }

    /// Adds a batch that stands in the last segment, in the frame body that begins at `body_at`.
    pub(super) fn add(&mut self, stored: &StoredBatch, body_at: u64) {
        let mut last = self.segments.last_entry().expect("a log has a segment");
        let segment = *last.key();
        let at = u32::try_from(body_at + stored.at as u64).expect("segments are limited to far less than 4 GiB");
        let place = Place { base: stored.base, count: stored.count, segment, at, length: stored.length };
        let share = last.get_mut().shares.entry(stored.partition);
        let share = share.or_insert(Share { end: place.end(), time_max: stored.time_max });
        *share = Share { end: place.end(), time_max: share.time_max.max(stored.time_max) };
        self.partition(stored.partition).places.push_back(place);
    }

    /// Keeps the last batch of a partition in memory, within the budget.
    pub(super) fn remember(&mut self, partition: PartitionId, batch: Arc<Batch>) {
        self.recent_bytes += batch.bytes().len();
        self.partition(partition).recent.push_back(batch);
        self.recent.push_back(partition);
        while self.recent_bytes > self.recent_bytes_max {
            let Some(oldest) = self.recent.pop_front() else { return };
            let batch = self.partition(oldest).recent.pop_front().expect("every remembered batch is in the list once");
            self.recent_bytes -= batch.bytes().len();
        }
    }

    /// The batches that hold records of `from..end`, at most `bytes_max` bytes, but at least one.
    pub(super) fn find(&self, partition: PartitionId, from: Offset, end: Offset, bytes_max: usize) -> Vec<Wanted> {
        let Some(partition) = self.partitions.get(partition.index()) else { return Vec::new() };
        let recent_from = partition.places.len() - partition.recent.len();
        let first = partition.places.partition_point(|place| place.end() <= from);
        let (mut wanted, mut bytes) = (Vec::new(), 0);
        for (at, place) in partition.places.iter().enumerate().skip(first) {
            bytes += place.length as usize;
            if place.base >= end || (bytes > bytes_max && !wanted.is_empty()) {
                break;
            }
            wanted.push(match at.checked_sub(recent_from) {
                Some(recent) => Wanted::InMemory(partition.recent[recent].clone()),
                None => Wanted::OnDisk(*place),
            });
        }
        wanted
    }

    /// Where the first batch of a partition stands.
    pub(super) fn first_place(&self, partition: PartitionId) -> Option<&Place> {
        self.partitions.get(partition.index())?.places.front()
    }

    /// Forgets the batches before `start`.
    pub(super) fn drop_before(&mut self, partition: PartitionId, start: Offset) {
        let known = self.partition(partition);
        let gone = known.places.partition_point(|place| place.end() <= start);
        // Recent batches stay: a budget holds them, and `find` counts them from the end.
        let gone = gone.min(known.places.len() - known.recent.len());
        known.places.drain(..gone);
    }

    /// The segment itself.
    pub(super) fn segment(&self, id: SegmentId) -> Option<&Segment> {
        self.segments.get(&id)
    }

    /// All segments, the oldest first.
    pub(super) fn segments(&self) -> impl Iterator<Item = (SegmentId, &Segment)> {
        self.segments.iter().map(|(id, segment)| (*id, segment))
    }

    /// The segment that is written now.
    pub(super) fn last_segment(&self) -> &Segment {
        self.segments.last_key_value().expect("a log has a segment").1
    }

    /// Forgets a segment that is removed.
    pub(super) fn remove_segment(&mut self, id: SegmentId) {
        self.segments.remove(&id);
    }

    fn partition(&mut self, partition: PartitionId) -> &mut Partition {
        if self.partitions.len() <= partition.index() {
            self.partitions.resize_with(partition.index() + 1, Partition::default);
        }
        &mut self.partitions[partition.index()]
    }
}
