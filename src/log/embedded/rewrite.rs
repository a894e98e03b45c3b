//! Writes segments anew, without what nobody needs.
//!
//! Rule: whoever reads the new segment knows as much as whoever read the old ones: the state before them, everything that they
//! changed, and every offset that they took. Only records are fewer, and those of a partition stand in larger batches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemill_dsl::record::{Batch, BatchBuilder, Offset, Timestamp};

use super::body::{self, Body, StoredBatch};
use super::clean::{Ended, Made, Needs};
use super::files::LogFile;
use super::folder::cannot;
use super::frame::{self, HEADER};
use super::journal::Journal;
use super::latest::Judged;
use super::recover::damaged;
use super::segment::{self, Found, SEGMENT_HEADER, Scanner};
use crate::log::LogError;
use crate::log::ledger::{Change, Note, NoteOwner, PartitionId, Step};

/// The ending of a file that is not in its place yet.
pub(super) const UNFINISHED: &str = ".rewriting";
/// Batches of a partition are put together up to this many bytes.
const BATCH_BYTES: usize = 256 << 10;
/// A frame ends when its body has this many bytes.
const FRAME_BYTES: usize = 1 << 20;

/// How segments are rewritten.
pub(super) struct Rewrite<'a> {
    pub(super) journal: &'a Journal,
    pub(super) needs: &'a Needs,
    pub(super) now: Timestamp,
    /// Whether tombstones whose time is over go.
    pub(super) thorough: bool,
}

impl Rewrite<'_> {
    /// Writes a new segment for some that follow one another, and makes it durable.
    pub(super) fn write(&self, old: &[Ended], judged: &[Judged]) -> Result<Made, LogError> {
        let (first, next) = (old[0].first, old[old.len() - 1].next);
        let name = format!("{first:020}{UNFINISHED}");
        let files = &self.journal.files;
        let failed = |cause| cannot(&**files, &format!("write `{name}`"), cause);
        let mut made = NewSegment::create(self.journal, &name, (first, next)).map_err(failed)?;
        let result = self.fill(old, judged, &mut made).and_then(|()| made.finish().map_err(failed));
        match result {
            Ok(made) => Ok(made),
            Err(error) => {
                // It would be in the way of the next attempt; opening the log removes it too.
                let _ = files.remove(&name);
                Err(error)
            }
        }
    }

    fn fill(&self, old: &[Ended], judged: &[Judged], made: &mut NewSegment) -> Result<(), LogError> {
        let failed = |cause| cannot(&*self.journal.files, "rewrite a segment", cause);
        let mut others = Others::default();
        for (at, segment) in old.iter().enumerate() {
            visit_frames(self.journal, segment, |number, bytes, body| {
                match (number == segment.first, at) {
                    (true, 0) => made.frame.extend_from_slice(bytes),
                    // What the state was there follows from the segment before it.
                    (true, _) => {}
                    (false, _) => others.add(body.change),
                }
                Ok(())
            })?;
        }
        made.end_frame().map_err(failed)?;
        body::encode(&others.into_change(), HEADER, &mut made.frame);
        let mut kept: BTreeMap<PartitionId, Kept> = BTreeMap::new();
        for (at, segment) in old.iter().enumerate() {
            let judged = judged.get(at);
            let mut record = 0;
            visit_batches(self.journal, segment, |stored, batch| {
                let partition = stored.partition;
                let (end, start) = (stored.base.plus(stored.span.into()), self.needs.start(partition));
                let kept = kept.entry(partition).or_insert_with(|| Kept::new(stored.base));
                if end <= start && self.needs.tombstones(partition).is_none() {
                    return kept.skip_to(end, partition, made).map_err(failed);
                }
                let batch = batch()?;
                let horizon = self.horizon(stored, &batch);
                if !kept.takes(stored, &batch, horizon) {
                    kept.end_batch(partition, made).map_err(failed)?;
                }
                kept.horizon = kept.horizon.or(horizon);
                let compacted = self.needs.tombstones(partition).is_some();
                batch.for_each(|offset, stored_record| {
                    let goes = compacted && judged.is_some_and(|judged| self.goes(judged, record));
                    record += u32::from(compacted);
                    if offset >= start && !goes {
                        kept.add(offset, &stored_record);
                    }
                    Ok::<_, LogError>(())
                })?;
                kept.end = end;
                Ok(())
            })?;
        }
        kept.into_iter().try_for_each(|(partition, mut kept)| kept.end_batch(partition, made)).map_err(failed)
    }

    fn goes(&self, judged: &Judged, record: u32) -> bool {
        judged.replaced.has(record) || (self.thorough && judged.due.has(record))
    }

    /// From when on the tombstones of a batch may go; decided when they are met for the first time.
    fn horizon(&self, stored: &StoredBatch, batch: &Batch) -> Option<Timestamp> {
        let tombstones = self.needs.tombstones(stored.partition)?;
        stored.thinned.and_then(|thinned| thinned.horizon).or_else(|| {
            let mut has_tombstone = false;
            let looked = batch.for_each(|_, record| {
                has_tombstone |= record.value.is_none();
                Ok::<_, std::convert::Infallible>(())
            });
            match looked {
                Ok(()) => {}
                Err(never) => match never {},
            }
            let later = i64::try_from(tombstones.as_millis()).unwrap_or(i64::MAX);
            has_tombstone.then(|| Timestamp::from_millis(self.now.as_millis().saturating_add(later)))
        })
    }
}

/// What is kept of a partition and not written yet: what is left of the offsets `base..end`.
struct Kept {
    base: Offset,
    end: Offset,
    distances: Vec<u32>,
    records: BatchBuilder,
    horizon: Option<Timestamp>,
}

impl Kept {
    fn new(base: Offset) -> Kept {
        Kept { base, end: base, distances: Vec::new(), records: BatchBuilder::default(), horizon: None }
    }

    fn add(&mut self, offset: Offset, record: &tidemill_dsl::record::StoredRecord<'_>) {
        let distance = offset.get() - self.base.get();
        self.distances.push(u32::try_from(distance).expect("a batch ends before its span is too long"));
        self.records.push_stored(record);
    }

    /// Whether the records of another batch can be added.
    fn takes(&self, stored: &StoredBatch, batch: &Batch, horizon: Option<Timestamp>) -> bool {
        let span = self.end.get() - self.base.get() + u64::from(stored.span);
        let same_horizon = self.horizon.is_none() || horizon.is_none() || self.horizon == horizon;
        same_horizon
            && u32::try_from(span).is_ok()
            && (self.records.is_empty() || self.records.size() + batch.bytes().len() <= BATCH_BYTES)
    }

    /// Leaves out everything up to `end`.
    fn skip_to(&mut self, end: Offset, partition: PartitionId, made: &mut NewSegment) -> std::io::Result<()> {
        if u32::try_from(end.get() - self.base.get()).is_err() {
            self.end_batch(partition, made)?;
        }
        self.end = end;
        Ok(())
    }

    fn end_batch(&mut self, partition: PartitionId, made: &mut NewSegment) -> std::io::Result<()> {
        if self.base == self.end {
            return Ok(());
        }
        let span = self.end.get() - self.base.get();
        let horizon = self.horizon.take();
        let dense = horizon.is_none() && u64::from(self.records.count()) == span;
        let batch = if dense {
            self.records.finish(self.base)
        } else {
            self.records.finish_sparse(self.base, self.end, &self.distances)
        };
        self.distances.clear();
        self.base = self.end;
        made.add(partition, &batch, (!dense).then_some(horizon))
    }
}

/// What segments changed besides records, the last of everything.
#[derive(Default)]
struct Others {
    change: Change,
    forgotten: BTreeSet<String>,
    steps: BTreeMap<(String, PartitionId), Step>,
    notes: BTreeMap<(bool, String, String), Note>,
    starts: BTreeMap<PartitionId, Offset>,
    complete_from: BTreeMap<PartitionId, Offset>,
}

impl Others {
    fn add(&mut self, change: Change) {
        self.change.topics.extend(change.topics);
        self.change.gone.extend(change.gone);
        for application in change.forgotten {
            self.steps.retain(|(of, _), _| *of != application);
            self.notes.retain(|(of_application, owner, _), _| !of_application || *owner != application);
            self.forgotten.insert(application);
        }
        for step in change.steps {
            self.steps.insert((step.application.clone(), step.partition), step);
        }
        for note in change.notes {
            let (of_application, owner) = match &note.owner {
                NoteOwner::Application(name) => (true, name.clone()),
                NoteOwner::Scope(name) => (false, name.clone()),
            };
            self.notes.insert((of_application, owner, note.name.clone()), note);
        }
        later(&mut self.starts, change.starts);
        later(&mut self.complete_from, change.complete_from);
    }

    fn into_change(self) -> Change {
        Change {
            forgotten: self.forgotten.into_iter().collect(),
            steps: self.steps.into_values().collect(),
            notes: self.notes.into_values().collect(),
            starts: self.starts.into_iter().collect(),
            complete_from: self.complete_from.into_iter().collect(),
            ..self.change
        }
    }
}

/// Keeps the greatest offset of each partition.
fn later(known: &mut BTreeMap<PartitionId, Offset>, new: Vec<(PartitionId, Offset)>) {
    for (partition, offset) in new {
        let known = known.entry(partition).or_insert(offset);
        *known = (*known).max(offset);
    }
}

/// A segment that is being written.
struct NewSegment {
    file: Arc<dyn LogFile>,
    made: Made,
    /// The frame that is being put together.
    frame: Vec<u8>,
    in_frame: Vec<StoredBatch>,
    number: u64,
    next: u64,
}

impl NewSegment {
    fn create(journal: &Journal, name: &str, (first, next): (u64, u64)) -> std::io::Result<NewSegment> {
        let file = journal.files.create(name)?;
        file.append(&segment::encode_header(first, Some(next)))?;
        let mut frame = Vec::new();
        frame::begin(&mut frame);
        let made = Made { name: name.to_owned(), bytes: SEGMENT_HEADER as u64, stored: Vec::new() };
        Ok(NewSegment { file, made, frame, in_frame: Vec::new(), number: first, next })
    }

    /// Adds a batch; `thinned` says when its tombstones may go, if records were removed from it.
    fn add(
        &mut self,
        partition: PartitionId,
        batch: &Batch,
        thinned: Option<Option<Timestamp>>,
    ) -> std::io::Result<()> {
        let stored = match thinned {
            None => body::encode_records(partition, batch, HEADER, &mut self.frame),
            Some(horizon) => body::encode_thinned(partition, batch, horizon, HEADER, &mut self.frame),
        };
        self.in_frame.push(stored);
        if self.frame.len() >= FRAME_BYTES { self.end_frame() } else { Ok(()) }
    }

    fn end_frame(&mut self) -> std::io::Result<()> {
        frame::finish(&mut self.frame, self.number, self.next);
        self.file.append(&self.frame)?;
        let body_at = self.made.bytes + HEADER as u64;
        self.made.stored.extend(self.in_frame.drain(..).map(|stored| (stored, body_at)));
        self.made.bytes += self.frame.len() as u64;
        self.number += 1;
        frame::begin(&mut self.frame);
        Ok(())
    }

    fn finish(mut self) -> std::io::Result<Made> {
        if self.frame.len() > HEADER {
            self.end_frame()?;
        }
        self.file.sync()?;
        Ok(self.made)
    }
}

/// Visits the frames of a segment that has ended: number, body as bytes, body.
fn visit_frames(
    journal: &Journal,
    segment: &Ended,
    mut visit: impl FnMut(u64, &[u8], Body) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let name = segment::name_of(segment.first);
    let unreadable = |cause| cannot(&*journal.files, &format!("read `{name}`"), cause);
    let file = journal.files.open(&name).map_err(unreadable)?;
    let mut scanner = Scanner::new(file).map_err(unreadable)?;
    let (mut at, mut number) = (SEGMENT_HEADER as u64, segment.first);
    loop {
        let header = match scanner.frame(at, number).map_err(unreadable)? {
            Found::Frame(header) => header,
            Found::End => return Ok(()),
            Found::Broken => {
                return Err(damaged(&*journal.files, &name, at, "a frame was whole when the log was opened"));
            }
        };
        let bytes = scanner.body(at, &header).map_err(unreadable)?;
        let body = body::decode(bytes).map_err(|why| damaged(&*journal.files, &name, at, why))?;
        visit(number, bytes, body)?;
        (at, number) = (at + header.frame_len(), number + 1);
    }
}

/// Visits the batches of a segment that has ended; `visit` gets what is known of a batch, and what reads it.
pub(super) fn visit_batches(
    journal: &Journal,
    segment: &Ended,
    mut visit: impl FnMut(&StoredBatch, &dyn Fn() -> Result<Batch, LogError>) -> Result<(), LogError>,
) -> Result<(), LogError> {
    visit_frames(journal, segment, |number, bytes, body| {
        for stored in &body.batches {
            let read = || {
                let thinned = stored.thinned.is_some();
                body::decode_records(stored.base, stored.span, thinned, &bytes[stored.at..]).map_err(|why| {
                    let name = segment::name_of(segment.first);
                    damaged(&*journal.files, &name, stored.at as u64, &format!("frame {number}: {why}"))
                })
            };
            visit(stored, &read)?;
        }
        Ok(())
    })
}
