//! Gives room back: what is expired or deleted, and in compacted partitions what a later record of its key replaced.
//!
//! Rule: the last record of a key stays, and its tombstone until everything that it deletes is gone and its time is over.
//! Segments that have ended are rewritten without what nobody needs, when that is half of them, or when it lets many tombstones
//! go or begins their time; the new file is whole and durable before it takes the old one's name. So a crash leaves the old records or the new
//! ones, and readers who began on the old file end on it.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use tidemill_dsl::record::{Offset, Timestamp};

use super::body::StoredBatch;
use super::folder::cannot;
use super::index::{Index, SegmentId, Share};
use super::journal::Journal;
use super::latest::{Judged, Kind, Latest, Seen};
use super::retention::{before, present};
use super::rewrite::{Rewrite, visit_batches};
use super::segment;
use crate::log::ledger::{Book, Change, Ledger, PartitionId};
use crate::log::{Cleaned, LogError};

/// What became of the compacted partitions so far. They are gone through again when as much was added as was left.
#[derive(Default)]
pub(super) struct Cleaner {
    /// How many bytes of compacted partitions the ended segments had after the last time.
    left: u64,
}

/// A segment that has ended.
#[derive(Clone)]
pub(super) struct Ended {
    pub(super) id: SegmentId,
    pub(super) first: u64,
    pub(super) next: u64,
    pub(super) bytes: u64,
    shares: BTreeMap<PartitionId, Share>,
}

impl Ended {
    /// How many bytes its records in partitions have for which `counts` holds.
    fn bytes_of(&self, counts: impl Fn(PartitionId, &Share) -> bool) -> u64 {
        self.shares.iter().filter(|(partition, share)| counts(**partition, share)).map(|(_, share)| share.bytes).sum()
    }
}

/// What is needed of every partition.
#[derive(Default)]
pub(super) struct Needs {
    starts: Vec<Offset>,
    /// How long tombstones stay; for compacted partitions.
    tombstones: BTreeMap<PartitionId, Duration>,
    /// Before when a record replaces earlier ones, where that matters.
    replacing: BTreeMap<PartitionId, Timestamp>,
}

impl Needs {
    fn of(book: &Book, index: &Index, now: Timestamp) -> Needs {
        let starts = book.partitions().map(|(_, bounds)| bounds.start).collect();
        let (mut tombstones, mut replacing) = (BTreeMap::new(), BTreeMap::new());
        let youngest = index.youngest();
        for (spec, first) in book.topics().filter(|(spec, _)| spec.config.cleanup.compacts()) {
            let lag = spec.config.compaction_lag;
            for partition in (first.0..first.0 + spec.partitions).map(PartitionId) {
                tombstones.insert(partition, spec.config.tombstones);
                if !lag.is_zero() {
                    replacing.insert(partition, before(present(&youngest, partition, now), lag));
                }
            }
        }
        Needs { starts, tombstones, replacing }
    }

    /// Whether a record of this time replaces earlier ones of its key.
    fn replaces(&self, partition: PartitionId, time: Timestamp) -> bool {
        self.replacing.get(&partition).is_none_or(|before| time < *before)
    }

    /// The first offset that is kept; a deleted topic keeps none.
    pub(super) fn start(&self, partition: PartitionId) -> Offset {
        self.starts[partition.index()]
    }

    /// How long tombstones of a partition stay, if it is compacted.
    pub(super) fn tombstones(&self, partition: PartitionId) -> Option<Duration> {
        self.tombstones.get(&partition).copied()
    }

    fn is_compacted(&self, partition: PartitionId) -> bool {
        self.tombstones.contains_key(&partition)
    }
}

impl Journal {
    /// See [`Log::clean`](crate::log::Log::clean).
    pub(super) fn give_back(&self, ledger: &Ledger<Journal>, now: Timestamp) -> Result<Cleaned, LogError> {
        let Ok(mut cleaner) = self.cleaning.try_lock() else { return Ok(Cleaned::default()) };
        let mut cleaned = self.expire(ledger, now)?;
        let (needs, ended) =
            ledger.exclusively(|book, journal| (Needs::of(book, &journal.index(), now), journal.ended()));
        let judged = self.judge(&cleaner, &needs, &ended, now)?;
        if judged.thorough {
            let complete_from = judged.due_ends.into_iter().collect();
            ledger.change(|_| Change { complete_from, ..Change::default() })?;
        }
        let groups = groups(&needs, &ended, &judged.segments, judged.thorough, self.settings.segment_bytes);
        if !groups.is_empty() {
            // What says that records are not needed has to be known after a loss of power, when they are gone.
            self.syncer.sync_all()?;
        }
        for group in groups {
            let rewrite = Rewrite { journal: self, needs: &needs, now, thorough: judged.thorough };
            let (segments, marks) = (&ended[group.clone()], judged.segments.get(group));
            let made = rewrite.write(segments, marks.unwrap_or_default())?;
            let bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
            cleaned.bytes += bytes.saturating_sub(made.bytes);
            cleaned.segments += segments.len() - 1;
            cleaned.rewritten += 1;
            self.put_in_place(ledger, segments, &made)?;
        }
        if judged.looked {
            let compacted = |partition, _: &Share| needs.is_compacted(partition);
            let ended = ledger.exclusively(|_, journal| journal.ended());
            cleaner.left = ended.iter().map(|segment| segment.bytes_of(compacted)).sum();
        }
        Ok(cleaned)
    }

    /// The segments that are written no more, the oldest first.
    fn ended(&self) -> Vec<Ended> {
        let index = self.index();
        let ended = index.segments().filter_map(|(id, segment)| {
            let next = segment.next?;
            Some(Ended { id, first: segment.first, next, bytes: segment.bytes, shares: segment.shares.clone() })
        });
        ended.collect()
    }

    /// Finds out what the compacted partitions do not need, if enough was added since the last time.
    fn judge(&self, cleaner: &Cleaner, needs: &Needs, ended: &[Ended], now: Timestamp) -> Result<Judgement, LogError> {
        let compacted = |partition, share: &Share| needs.is_compacted(partition) && share.end > needs.start(partition);
        let bytes: u64 = ended.iter().map(|segment| segment.bytes_of(compacted)).sum();
        let enough = cleaner.left.max(self.settings.segment_bytes / 4);
        if bytes == 0 || bytes - bytes.min(cleaner.left) < enough {
            return Ok(Judgement::default());
        }
        let mut latest = Latest::new(ended.len(), self.settings.clean_bytes);
        loop {
            for (segment, ended) in (0..).zip(ended) {
                if ended.bytes_of(compacted) > 0 {
                    self.look(needs, ended, segment, now, &mut latest)?;
                }
            }
            if !latest.next_slice() {
                break;
            }
        }
        let Latest { judged, due_ends, .. } = latest;
        let due: u64 = judged.iter().map(|judged| judged.due_bytes).sum();
        let replaced: u64 = judged.iter().map(|judged| judged.replaced_bytes).sum();
        let thorough = due > 0 && due * 4 >= bytes.saturating_sub(replaced);
        Ok(Judgement { looked: true, thorough, segments: judged, due_ends })
    }

    fn look(
        &self,
        needs: &Needs,
        ended: &Ended,
        segment: u32,
        now: Timestamp,
        latest: &mut Latest,
    ) -> Result<(), LogError> {
        let mut record = 0;
        visit_batches(self, ended, |stored, batch| {
            if !needs.is_compacted(stored.partition) {
                return Ok(());
            }
            let tombstone = match stored.thinned.and_then(|thinned| thinned.horizon) {
                None => Kind::Untimed,
                Some(horizon) if horizon <= now => Kind::Due,
                Some(_) => Kind::Timed,
            };
            batch()?.for_each(|offset, stored_record| {
                let replaces = needs.replaces(stored.partition, stored_record.timestamp);
                if replaces && offset >= needs.start(stored.partition) {
                    let kind = if stored_record.value.is_none() { tombstone } else { Kind::Row };
                    latest.see(stored.partition, offset, &stored_record, Seen { segment, record }, kind);
                }
                record += 1;
                Ok(())
            })
        })
    }

    /// Gives the new file the name of the first old one, and removes the others.
    fn put_in_place(&self, ledger: &Ledger<Journal>, old: &[Ended], made: &Made) -> Result<(), LogError> {
        let name = segment::name_of(old[0].first);
        let ids: Vec<SegmentId> = old.iter().map(|segment| segment.id).collect();
        let next = old[old.len() - 1].next;
        let failed = |what: &str, cause| cannot(&*self.files, &format!("{what} `{name}`"), cause);
        ledger.exclusively(|_, _| {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            self.files.rename(&made.name, &name).map_err(|cause| failed("replace", cause))?;
            index.replace(&ids, next, made.bytes, &made.stored);
            ids.iter().for_each(|id| self.close_file(*id));
            Ok::<_, LogError>(())
        })?;
        // Only when the new file is known to stay may the others go.
        self.files.sync_folder().map_err(|cause| failed("replace", cause))?;
        for covered in &old[1..] {
            let name = segment::name_of(covered.first);
            self.files.remove(&name).map_err(|cause| cannot(&*self.files, &format!("remove `{name}`"), cause))?;
        }
        self.files.sync_folder().map_err(|cause| failed("replace", cause))
    }
}

/// A file that can take the place of segments.
pub(super) struct Made {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// Its batches, each with the place at which its frame's body begins.
    pub(super) stored: Vec<(StoredBatch, u64)>,
}

/// What is known of the segments.
#[derive(Default)]
struct Judgement {
    /// Whether their records were looked at.
    looked: bool,
    /// Whether tombstones go; then everything that they delete goes before them.
    thorough: bool,
    segments: Vec<Judged>,
    due_ends: BTreeMap<PartitionId, Offset>,
}

/// The runs of segments that are rewritten, each into one.
fn groups(
    needs: &Needs,
    ended: &[Ended],
    judged: &[Judged],
    thorough: bool,
    segment_bytes: u64,
) -> Vec<std::ops::Range<usize>> {
    let mut groups: Vec<(std::ops::Range<usize>, u64, bool)> = Vec::new();
    for (at, segment) in ended.iter().enumerate() {
        let judged = judged.get(at);
        let records = segment.bytes_of(|_, _| true);
        let kept = segment.bytes_of(|partition, share| share.end > needs.start(partition));
        let live = kept.saturating_sub(judged.map_or(0, |judged| judged.replaced_bytes));
        let goes = thorough && judged.is_some_and(|judged| judged.replaced_bytes + judged.due_bytes > 0);
        let untimed = judged.is_some_and(|judged| judged.untimed_bytes > 0 && judged.untimed_bytes * 4 >= live);
        let wanted = goes || untimed || (live * 2 <= records && live < records);
        let small = live <= segment_bytes / 8;
        match groups.last_mut() {
            Some((range, bytes, wants)) if range.end == at && (wanted || small) && *bytes + live <= segment_bytes => {
                range.end = at + 1;
                *bytes += live;
                *wants = true;
            }
            _ if wanted || small => groups.push((at..at + 1, live, wanted)),
            _ => {}
        }
    }
    groups.into_iter().filter(|(_, _, wants)| *wants).map(|(range, ..)| range).collect()
}
