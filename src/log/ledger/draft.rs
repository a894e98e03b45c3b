//! Gathers what one change will write, and gives every batch its offset.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_dsl::record::{Batch, BatchBuilder, Offset, TopicPartition, name_fault};

use super::book::{Book, PARTITIONS_MAX, PartitionId};
use super::change::{Change, Note, NoteOwner, Step};
use super::staging::BATCH_BYTES;
use crate::log::{LogError, LogErrorKind, Notes, Progress};

/// A change that is being put together.
#[derive(Default)]
pub(super) struct Draft {
    batches: BTreeMap<PartitionId, Vec<Arc<Batch>>>,
    ends: BTreeMap<PartitionId, Offset>,
    change: Change,
}

impl Draft {
    /// Adds records to a partition and says where they will stand.
    pub(super) fn append(&mut self, book: &Book, to: PartitionId, records: Arc<Batch>) -> Offset {
        let end = self.ends.entry(to).or_insert_with(|| book.bounds(to).end);
        let at = *end;
        if records.count() > 0 {
            *end = at.plus(u64::from(records.count()));
            self.batches.entry(to).or_default().push(records);
        }
        at
    }

    /// Lets go of everything that is known of an application but for what is added here.
    pub(super) fn forget(&mut self, application: &str) {
        self.change.forgotten.push(application.to_owned());
    }

    /// Adds how far an application is.
    pub(super) fn progress(&mut self, book: &Book, application: &str, progress: &Progress) -> Result<(), LogError> {
        for (input, reached) in &progress.inputs {
            let partition = book.partition(input)?;
            self.change.steps.push(Step { application: application.to_owned(), partition, progress: *reached });
        }
        self.notes(NoteOwner::Application(application.to_owned()), &progress.notes)
    }

    /// Adds notes.
    pub(super) fn notes(&mut self, owner: NoteOwner, notes: &Notes) -> Result<(), LogError> {
        for (name, value) in notes {
            check_name("a note", name)?;
            self.change.notes.push(Note { owner: owner.clone(), name: name.clone(), value: value.clone() });
        }
        Ok(())
    }

    /// The change. Neighbouring batches of a partition are put together, up to a size that is still good to read.
    pub(super) fn finish(self) -> Change {
        let Draft { batches, ends, mut change } = self;
        for (partition, batches) in batches {
            let count: u64 = batches.iter().map(|batch| u64::from(batch.count())).sum();
            let base = Offset::new(ends[&partition].get() - count);
            change.batches.extend(coalesced(base, batches).into_iter().map(|batch| (partition, batch)));
        }
        change
    }
}

/// The records with consecutive offsets, as every appended one gets the next.
pub(super) fn dense(records: Batch) -> Batch {
    if records.distances().is_none() {
        return records;
    }
    let mut builder = BatchBuilder::default();
    builder.extend(&records);
    builder.finish(records.base())
}

fn coalesced(mut base: Offset, batches: Vec<Arc<Batch>>) -> Vec<Arc<Batch>> {
    let mut out: Vec<Arc<Batch>> = Vec::with_capacity(1);
    let mut rest = &batches[..];
    let mut builder = BatchBuilder::default();
    while let Some(first) = rest.first() {
        let mut bytes = first.bytes().len();
        let more = rest[1..].iter().take_while(|batch| {
            bytes += batch.bytes().len();
            bytes <= BATCH_BYTES
        });
        let (run, after) = rest.split_at(1 + more.count());
        let batch = match run {
            [one] if one.base() == base => one.clone(),
            run => {
                run.iter().for_each(|batch| builder.extend(batch));
                Arc::new(builder.finish(base))
            }
        };
        (base, rest) = (batch.end(), after);
        out.push(batch);
    }
    out
}

/// Names of applications, scopes and notes are stored with a length of two bytes.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), LogError> {
    let longest = usize::from(u16::MAX);
    if name.len() <= longest {
        return Ok(());
    }
    let message = format!("the name of {what} has {} bytes, at most {longest} are stored: shorten it", name.len());
    Err(LogError::new(LogErrorKind::Invalid, message))
}

/// Topic names are Kafka's, so that a program moves from one log to another.
pub(super) fn check_topic(name: &str, partitions: u32, next: PartitionId) -> Result<(), LogError> {
    let invalid = |why: String| Err(LogError::new(LogErrorKind::Invalid, why));
    if name_fault(name, 249).is_some() {
        return invalid(format!(
            "`{}` is no topic name: use 1 to 249 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`",
            name.chars().take(300).collect::<String>().escape_debug()
        ));
    }
    let left = PARTITIONS_MAX.saturating_sub(next.0);
    if !(1..=left).contains(&partitions) {
        return invalid(format!("topic `{name}` cannot have {partitions} partitions: give it 1 to {left}"));
    }
    Ok(())
}

/// The message for an offset that a partition does not have.
pub(super) fn out_of_range(partition: &TopicPartition, from: Offset, start: Offset, end: Offset) -> LogError {
    let message = format!(
        "offset {from} of `{partition}` is not in the log, which has {start} to {end}: begin at the start or at the end"
    );
    LogError::new(LogErrorKind::OutOfRange, message)
}
