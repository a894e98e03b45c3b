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
    /// How many offsets it takes.
    pub(super) span: u32,
    pub(super) segment: SegmentId,
    /// Where in the segment the batch's crc stands.
    pub(super) at: u32,
    extent: Extent,
}

/// How many bytes a batch's records have (less than 2 GiB), and in the highest bit whether some were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent(u32);

const THINNED: u32 = 1 << 31;

impl Place {
    fn of(stored: &StoredBatch, segment: SegmentId, body_at: u64) -> Place {
        let at = u32::try_from(body_at + stored.at as u64).expect("segments are limited to far less than 4 GiB");
        let extent = Extent(stored.length | if stored.thinned.is_some() { THINNED } else { 0 });
        Place { base: stored.base, span: stored.span, segment, at, extent }
    }

    pub(super) fn end(&self) -> Offset {
        self.base.plus(u64::from(self.span))
    }

    /// How many bytes its records have.
    pub(super) fn length(&self) -> u32 {
        self.extent.0 & !THINNED
    }

    /// Whether records were removed from it.
    pub(super) fn is_thinned(&self) -> bool {
        self.extent.0 & THINNED != 0
    }
}

/// What a segment holds of one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) end: Offset,
    pub(super) time_max: Timestamp,
    pub(super) bytes: u64,
}

/// One segment.
pub(super) struct Segment {
    /// The number of its first frame, which names its file.
    pub(super) first: u64,
    /// The number of the first frame of the next segment, once this one has ended.
    pub(super) next: Option<u64>,
    pub(super) bytes: u64,
    pub(super) shares: BTreeMap<PartitionId, Share>,
}

impl Segment {
    /// Counts a batch.
    fn count(&mut self, stored: &StoredBatch, end: Offset) {
        if stored.is_empty() {
            return;
        }
        let empty = Share { end, time_max: stored.time_max, bytes: 0 };
        let share = self.shares.entry(stored.partition).or_insert(empty);
        let bytes = share.bytes + u64::from(stored.length);
        *share = Share { end, time_max: share.time_max.max(stored.time_max), bytes };
    }
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

    /// The time of every partition's youngest record.
    pub(super) fn youngest(&self) -> BTreeMap<PartitionId, Timestamp> {
        let mut youngest = BTreeMap::new();
        for (partition, share) in self.segments.values().flat_map(|segment| &segment.shares) {
            let time = youngest.entry(*partition).or_insert(share.time_max);
            *time = share.time_max.max(*time);
        }
        youngest
    }

    /// Begins a segment; what is added from now on stands in it.
    pub(super) fn add_segment(&mut self, first: u64) -> SegmentId {
        let id = SegmentId(self.next_segment);
        self.next_segment += 1;
        if let Some(mut last) = self.segments.last_entry() {
            last.get_mut().next = Some(first);
        }
        self.segments.insert(id, Segment { first, next: None, bytes: 0, shares: BTreeMap::new() });
        id
    }

    /// Counts the bytes of the last segment.
    pub(super) fn grow(&mut self, bytes: u64) {
        self.segments.last_entry().expect("a log has a segment").get_mut().bytes += bytes;
    }

    /// Adds a batch that stands in the last segment, in the frame body that begins at `body_at`.
    pub(super) fn add(&mut self, stored: &StoredBatch, body_at: u64) {
        let mut last = self.segments.last_entry().expect("a log has a segment");
        let place = Place::of(stored, *last.key(), body_at);
        last.get_mut().count(stored, place.end());
        if !stored.is_empty() {
            self.partition(stored.partition).places.push_back(place);
        }
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
            bytes += place.length() as usize;
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

    /// Puts one segment in the place of some that stand one after another; its batches stand in these frame bodies.
    pub(super) fn replace(&mut self, old: &[SegmentId], next: u64, bytes: u64, stored: &[(StoredBatch, u64)]) {
        let (id, last) = (old[0], old[old.len() - 1]);
        let mut segment = Segment { first: self.segments[&id].first, next: Some(next), bytes, shares: BTreeMap::new() };
        let mut places: BTreeMap<PartitionId, Vec<Place>> = BTreeMap::new();
        for id in old {
            // Partitions of which nothing is left lose their places too.
            let gone = self.segments.remove(id).into_iter().flat_map(|segment| segment.shares.into_keys());
            places.extend(gone.map(|partition| (partition, Vec::new())));
        }
        for (stored, body_at) in stored {
            let place = Place::of(stored, id, *body_at);
            segment.count(stored, place.end());
            if !stored.is_empty() {
                places.entry(stored.partition).or_default().push(place);
            }
        }
        self.segments.insert(id, segment);
        for (partition, places) in places {
            self.replace_places(partition, id..=last, places);
        }
    }

    fn replace_places(&mut self, partition: PartitionId, old: std::ops::RangeInclusive<SegmentId>, new: Vec<Place>) {
        let known = self.partition(partition);
        let from = known.places.partition_point(|place| place.segment < *old.start());
        let to = known.places.partition_point(|place| place.segment <= *old.end());
        let behind = known.places.split_off(to);
        known.places.truncate(from);
        known.places.extend(new);
        // Batches in memory that were among the replaced ones go: they stand for places that are no more.
        let forget = known.recent.len().saturating_sub(behind.len());
        known.places.extend(behind);
        let forgotten: usize = known.recent.drain(..forget).map(|batch| batch.bytes().len()).sum();
        self.recent_bytes -= forgotten;
        let mut left = forget;
        self.recent.retain(|remembered| {
            let goes = left > 0 && *remembered == partition;
            left -= usize::from(goes);
            !goes
        });
    }

    fn partition(&mut self, partition: PartitionId) -> &mut Partition {
        if self.partitions.len() <= partition.index() {
            self.partitions.resize_with(partition.index() + 1, Partition::default);
        }
        &mut self.partitions[partition.index()]
    }
}
