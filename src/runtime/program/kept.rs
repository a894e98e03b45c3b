//! The program that an application's log keeps: compared at a start, replaced once the start goes on.
//!
//! Rule: it is replaced after what was dropped or renamed is gone, so an interrupted start is finished by the next one.

use std::collections::BTreeSet;
use std::convert::Infallible;

use tidemill_dsl::record::{BatchBuilder, Offset, StoredRecord, TopicPartition};
use tidemill_dsl::state::Changelog;
use tidemill_dsl::topology::{TopicPlan, Topology, changelog_topic};

use super::diff::{Comparison, Diff};
use super::{Counts, Decisions, Program, Rows, text};
use crate::error::{Error, ErrorKind};
use crate::log::{Append, Log, LogError, Notes};

/// The name of the note.
const NOTE: &str = "program";
/// So many bytes are copied at a time.
const PIECE_BYTES: usize = 1 << 20;

/// The scope of the notes about an application's program.
pub(crate) fn scope(application: &str) -> String {
    format!("program/{application}")
}

/// A program that may start: the text to keep from now on, if it is another one than before.
#[derive(Default)]
pub(in crate::runtime) struct Accepted(Option<String>);

/// Compares a program with the kept one, and carries out in the log what it decides.
pub(in crate::runtime) fn accept(
    log: &dyn Log,
    (topology, application): (&Topology, &str),
    changelog: Changelog,
    plan: &TopicPlan,
    decisions: &Decisions,
) -> Result<Accepted, Error> {
    let new = Program::of(topology, application, changelog, plan);
    let now = text::write(&new);
    let Some(kept) = read(log, application)? else { return Ok(Accepted(Some(now))) };
    let mut old = text::read(&kept).ok_or_else(|| not_understood(application))?;
    let old_counts = what_is_there(log, application, &mut old, &new)?;
    let new_counts = plan.internal.iter().map(|need| (need.name.to_string(), need.partitions)).collect();
    let comparison = Comparison { application, old: &old, old_counts: &old_counts, new: &new, new_counts: &new_counts };
    let diff = comparison.decided(decisions);
    if !diff.open.is_empty() {
        return Err(refused(application, &diff));
    }
    if !diff.dropped.is_empty() || !diff.renamed.is_empty() {
        check_alone(log, application)?;
    }
    for (name, to) in &diff.renamed {
        rename(log, application, plan, (name, to))?;
    }
    for name in &diff.dropped {
        tracing::warn!(application, name, "its records are deleted, as the program says");
        let topic =
            if old.stores.contains_key(name) { changelog_topic(application, name).to_string() } else { name.clone() };
        delete(log, &topic)?;
    }
    Ok(Accepted((kept != now).then_some(now)))
}

fn refused(application: &str, diff: &Diff) -> Error {
    let lines: String = diff.open.iter().map(|difference| format!("\n- {difference}")).collect();
    let message = format!(
        "the program does not fit the state that application `{application}` has kept; nothing of it was changed:{lines}"
    );
    Error::new(ErrorKind::Invalid, message)
}

/// Moves the rows of a store to the changelog of its new name. The old one goes last: what an interrupted move has left is begun again.
fn rename(log: &dyn Log, application: &str, plan: &TopicPlan, (name, to): (&str, &str)) -> Result<(), Error> {
    tracing::info!(application, name, to, "a store gets its new name");
    let (from, to) = (changelog_topic(application, name), changelog_topic(application, to));
    delete(log, &to)?;
    let need = plan.internal.iter().find(|need| *need.name == *to);
    need.map_or(Ok(()), |need| log.create_own_topic(need))?;
    let partitions = log.topic(&from)?.map_or(0, |spec| spec.partitions);
    for partition in 0..partitions {
        copy(log, &TopicPartition::new(&*from, partition), &TopicPartition::new(&*to, partition))?;
    }
    delete(log, &from)
}

/// Appends the records of a partition to another one.
fn copy(log: &dyn Log, from: &TopicPartition, to: &TopicPartition) -> Result<(), Error> {
    let bounds = log.bounds(from)?;
    let mut next = bounds.start;
    while next < bounds.end {
        let batches = log.read(from, next, PIECE_BYTES)?;
        let Some(end) = batches.last().map(|batch| batch.end()) else { break };
        let mut records = BatchBuilder::default();
        for batch in batches {
            let each = |offset, record: StoredRecord<'_>| {
                if offset >= next {
                    records.push_stored(&record);
                }
                Ok::<_, Infallible>(())
            };
            match batch.for_each(each) {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
        if !records.is_empty() {
            log.append(vec![Append { to: to.clone(), records: records.finish(Offset::ZERO) }], "", Notes::new())?;
        }
        next = end.max(next.next());
    }
    Ok(())
}

fn delete(log: &dyn Log, topic: &str) -> Result<(), Error> {
    match log.topic(topic)? {
        Some(_) => Ok(log.delete_topic(topic)?),
        None => Ok(()),
    }
}

impl Accepted {
    /// Replaces the kept program.
    pub(in crate::runtime) fn keep(self, log: &dyn Log, application: &str) -> Result<(), Error> {
        match self.0 {
            Some(text) => Ok(write(log, application, text)?),
            None => Ok(()),
        }
    }
}

/// Forgets the program of an application that begins again.
pub(crate) fn forget(log: &dyn Log, application: &str) -> Result<(), Error> {
    match read(log, application)? {
        Some(_) => Ok(write(log, application, String::new())?),
        None => Ok(()),
    }
}

/// The kept text; an empty one is none.
fn read(log: &dyn Log, application: &str) -> Result<Option<String>, Error> {
    let kept = log.notes(&scope(application))?.remove(NOTE).filter(|kept| !kept.is_empty());
    kept.map(|kept| String::from_utf8(kept).map_err(|_| not_understood(application))).transpose()
}

fn write(log: &dyn Log, application: &str, text: String) -> Result<(), LogError> {
    log.append(Vec::new(), &scope(application), Notes::from([(NOTE.to_owned(), text.into_bytes())])).map(drop)
}

/// Leaves in the old program what there still is: topics may have been deleted by hand, and a repartition topic whose records were all
/// processed has nothing to lose. Says how many partitions the topics have.
fn what_is_there(log: &dyn Log, application: &str, old: &mut Program, new: &Program) -> Result<Counts, Error> {
    let mut counts = Counts::new();
    let changelogs = old.stores.iter().filter(|(_, store)| store.rows == Rows::Changelog);
    let changelogs = changelogs.map(|(name, _)| changelog_topic(application, name).to_string());
    for topic in changelogs.chain(old.repartitions.iter().cloned()) {
        if let Some(spec) = log.topic(&topic)? {
            counts.insert(topic, spec.partitions);
        }
    }
    let mut processed = BTreeSet::new();
    for topic in old.repartitions.difference(&new.repartitions) {
        if is_processed(log, application, topic, counts.get(topic).copied().unwrap_or(0))? {
            processed.insert(topic.clone());
        }
    }
    old.stores.retain(|name, store| {
        store.rows == Rows::Disk || counts.contains_key(changelog_topic(application, name).as_ref())
    });
    old.repartitions.retain(|topic| counts.contains_key(topic) && !processed.contains(topic));
    Ok(counts)
}

fn is_processed(log: &dyn Log, application: &str, topic: &str, partitions: u32) -> Result<bool, Error> {
    let progress = log.progress(application)?;
    for partition in 0..partitions {
        let partition = TopicPartition::new(topic, partition);
        let bounds = log.bounds(&partition)?;
        let next = progress.inputs.get(&partition).map_or(bounds.start, |at| at.next);
        if next < bounds.end {
            return Ok(false);
        }
    }
    Ok(true)
}

fn check_alone(log: &dyn Log, application: &str) -> Result<(), Error> {
    let members = log.members(application)?;
    if members.is_empty() {
        return Ok(());
    }
    let message = format!(
        "state of application `{application}` is to be dropped or renamed while others work for it ({}): close them first; nothing was changed",
        members.join(", ")
    );
    Err(Error::new(ErrorKind::Locked, message))
}

fn not_understood(application: &str) -> Error {
    let message = format!(
        "the log keeps a program of application `{application}` in a form that this version does not know: start it with the version \
         that wrote it, or a later one"
    );
    Error::new(ErrorKind::Corrupt, message)
}
