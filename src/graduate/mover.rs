//! Copies records from one log to another, and translates how far applications are.
//!
//! Rule: a piece of records is written so that every place of an application is the first of a piece; where the piece went is then
//! where the application goes on.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_dsl::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

use crate::error::{Error, ErrorKind};
use crate::log::{Append, InputProgress, Log, Notes, Progress};
use crate::runtime::{feed_scope, program_scope};

/// So many bytes are written at a time.
const PIECE_BYTES: usize = 1 << 20;

/// How far a graduation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many records are on the new log.
    pub records: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

pub(super) struct Mover<'a> {
    from: &'a dyn Log,
    to: &'a dyn Log,
    applications: BTreeMap<String, Progress>,
    /// Where the records are that applications go on with.
    places: BTreeMap<(TopicPartition, Offset), Offset>,
    moved: Moved,
    report: &'a mut dyn FnMut(Moved),
}

impl<'a> Mover<'a> {
    pub(super) fn new(
        from: &'a dyn Log,
        to: &'a dyn Log,
        applications: &[String],
        report: &'a mut dyn FnMut(Moved),
    ) -> Result<Self, Error> {
        let progress = |application: &String| Ok((application.clone(), from.progress(application)?));
        let applications = applications.iter().map(progress).collect::<Result<_, Error>>()?;
        Ok(Mover { from, to, applications, places: BTreeMap::new(), moved: Moved::default(), report })
    }

    /// Copies the records of a partition that is empty on the new log.
    pub(super) fn partition(&mut self, partition: &TopicPartition) -> Result<(), Error> {
        let bounds = self.from.bounds(partition)?;
        let mut cuts: BTreeSet<Offset> =
            self.applications.values().filter_map(|progress| Some(progress.inputs.get(partition)?.next)).collect();
        let (mut piece, mut next) = (Piece::default(), bounds.start);
        while next < bounds.end {
            let batches = self.from.read(partition, next, PIECE_BYTES)?;
            let Some(end) = batches.last().map(|batch| batch.end()) else { break };
            for batch in batches {
                batch.for_each(|offset, record| {
                    if offset < next {
                        return Ok(());
                    }
                    // What was removed is behind nobody and before nobody: its reader goes on with the next record.
                    let reached: Vec<Offset> = cuts.range(..=offset).copied().collect();
                    if !reached.is_empty() || piece.bytes >= PIECE_BYTES {
                        self.write(partition, &mut piece)?;
                    }
                    for cut in reached {
                        cuts.remove(&cut);
                        piece.begins.push(cut);
                    }
                    let headers = record.headers().map_err(|cause| unreadable(partition, offset, &cause))?;
                    piece.push(record.timestamp, record.key, record.value, &headers);
                    Ok::<_, Error>(())
                })?;
            }
            next = end.max(next.next());
        }
        self.write(partition, &mut piece)?;
        if !cuts.is_empty() {
            let end = self.to.bounds(partition)?.end;
            self.places.extend(cuts.into_iter().map(|cut| ((partition.clone(), cut), end)));
        }
        Ok(())
    }

    fn write(&mut self, partition: &TopicPartition, piece: &mut Piece) -> Result<(), Error> {
        let Piece { mut records, count, bytes, begins } = std::mem::take(piece);
        if count == 0 {
            return Ok(());
        }
        let append = Append { to: partition.clone(), records: records.finish(Offset::ZERO) };
        let firsts = self.to.append(vec![append], "", Notes::new())?;
        let first = firsts[0];
        self.places.extend(begins.into_iter().map(|begin| ((partition.clone(), begin), first)));
        self.moved = Moved { records: self.moved.records + count, bytes: self.moved.bytes + bytes as u64 };
        (self.report)(self.moved);
        Ok(())
    }

    /// Lets applications and feeds be where they were, and the next program be compared with the last one.
    pub(super) fn progress(self) -> Result<Moved, Error> {
        for (application, progress) in &self.applications {
            let place = |(partition, at): (&TopicPartition, &InputProgress)| {
                // Of every partition that an application has a place in the records were copied.
                let next = self.places[&(partition.clone(), at.next)];
                (partition.clone(), InputProgress { next, ..*at })
            };
            let inputs = progress.inputs.iter().map(place).collect();
            self.to.set_progress(application, &Progress { inputs, notes: progress.notes.clone() })?;
            for scope in [feed_scope(application), program_scope(application)] {
                let notes = self.from.notes(&scope)?;
                if !notes.is_empty() {
                    self.to.append(Vec::new(), &scope, notes)?;
                }
            }
        }
        Ok(self.moved)
    }
}

/// Records that are written together.
#[derive(Default)]
struct Piece {
    records: BatchBuilder,
    count: u64,
    bytes: usize,
    /// The places of applications that its first record stands for.
    begins: Vec<Offset>,
}

impl Piece {
    fn push(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &Headers) {
        let before = self.records.size();
        self.records.push(timestamp, key, value, headers);
        self.bytes += self.records.size() - before;
        self.count += 1;
    }
}

fn unreadable(partition: &TopicPartition, offset: Offset, cause: &dyn std::fmt::Display) -> Error {
    let message =
        format!("the headers of record {offset} of `{partition}` cannot be read: {cause}; see `tidemill log dump`");
    Error::new(ErrorKind::Invalid, message)
}
