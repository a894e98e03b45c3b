//! Finds out which records of compacted partitions a later record of the same key replaced.
//!
//! Rule: a record is replaced only if a later one was seen. Keys are told apart by 128 bits of a hash with a seed of its
//! own in every run, so nobody can choose keys that fall together.
//!
//! The keys that are kept in mind at a time have a budget of bytes; when there are more, the records are gone through
//! several times, each time for another part of the keys.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::HashMap;
use tidemill_dsl::record::{Offset, StoredRecord};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::log::ledger::PartitionId;

/// About what a key takes.
const KEY_BYTES: usize = 40;

/// A record's place among those that were gone through: the segment's place in the list, and the record's number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) segment: u32,
    pub(super) record: u32,
}

/// Which records of a segment go, by their number among those of compacted partitions.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Vec<u64>);

impl Marks {
    pub(super) fn has(&self, record: u32) -> bool {
        let word = self.0.get(record as usize / 64).copied().unwrap_or(0);
        word >> (record % 64) & 1 == 1
    }

    /// Adds a record, and says whether it is new.
    fn add(&mut self, record: u32) -> bool {
        let is_new = !self.has(record);
        let word = record as usize / 64;
        self.0.resize(self.0.len().max(word + 1), 0);
        self.0[word] |= 1 << (record % 64);
        is_new
    }
}

/// What is known of one segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    /// Records that were replaced.
    pub(super) replaced: Marks,
    /// How many bytes those have.
    pub(super) replaced_bytes: u64,
    /// Tombstones whose time is over.
    pub(super) due: Marks,
    /// How many bytes those have, also those that were replaced.
    pub(super) due_bytes: u64,
    /// How many bytes tombstones have whose time has not begun: it does when their segment is rewritten.
    pub(super) untimed_bytes: u64,
}

/// What a record is to a compacted partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Row,
    /// A tombstone whose time has not begun.
    Untimed,
    /// A tombstone whose time is not over.
    Timed,
    /// A tombstone whose time is over.
    Due,
}

// A key that was looked at before the parts became smaller is looked at again; its records count once.
impl Judged {
    fn is_replaced(&mut self, record: u32, bytes: u32) {
        self.replaced_bytes += if self.replaced.add(record) { u64::from(bytes) } else { 0 };
    }

    fn is_due(&mut self, record: u32, bytes: u32) {
        self.due_bytes += if self.due.add(record) { u64::from(bytes) } else { 0 };
    }
}

/// Goes through the records of compacted partitions, the oldest first.
pub(super) struct Latest {
    seed: u64,
    keys_max: usize,
    /// This part of the keys is looked at, of so many.
    slice: u128,
    slices: u128,
    keys: HashMap<u128, (Seen, u32)>,
    pub(super) judged: Vec<Judged>,
    /// For each partition the offset after its last tombstone whose time is over.
    pub(super) due_ends: BTreeMap<PartitionId, Offset>,
}

impl Latest {
    pub(super) fn new(segments: usize, budget: usize) -> Self {
        Latest {
            seed: foldhash::quality::RandomState::default().hash_one(0),
            keys_max: (budget / KEY_BYTES).max(1),
            slice: 0,
            slices: 1,
            keys: HashMap::new(),
            judged: vec![Judged::default(); segments],
            due_ends: BTreeMap::new(),
        }
    }

    /// Looks at a record.
    pub(super) fn see(
        &mut self,
        partition: PartitionId,
        offset: Offset,
        record: &StoredRecord<'_>,
        seen: Seen,
        kind: Kind,
    ) {
        // A record without a key has nothing that could replace it.
        let Some(key) = record.key else { return };
        let hash = xxh3_128_with_seed(key, self.seed ^ u64::from(partition.0).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if hash % self.slices != self.slice {
            return;
        }
        let bytes = size_of_record(record);
        match kind {
            Kind::Due => {
                self.judged[seen.segment as usize].is_due(seen.record, bytes);
                let end = self.due_ends.entry(partition).or_default();
                *end = (*end).max(offset.next());
            }
            Kind::Untimed => self.judged[seen.segment as usize].untimed_bytes += u64::from(bytes),
            Kind::Row | Kind::Timed => {}
        }
        if let Some((replaced, bytes)) = self.keys.insert(hash, (seen, bytes)) {
            self.judged[replaced.segment as usize].is_replaced(replaced.record, bytes);
        }
        while self.keys.len() > self.keys_max {
            self.narrow();
        }
    }

    /// Halves the part of the keys that is looked at. Those that go were not replaced so far, and are looked at later.
    fn narrow(&mut self) {
        self.slices *= 2;
        let (slice, slices) = (self.slice, self.slices);
        self.keys.retain(|hash, _| hash % slices == slice);
    }

    /// Goes on to the next part of the keys; `false` when all were looked at. Every part is gone through from the oldest
    /// record on.
    pub(super) fn next_slice(&mut self) -> bool {
        self.keys.clear();
        self.slice += 1;
        self.slice < self.slices
    }
}

/// About how many bytes a record takes in its batch.
fn size_of_record(record: &StoredRecord<'_>) -> u32 {
    let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    u32::try_from(20 + length(record.key) + length(record.value)).unwrap_or(u32::MAX)
}
