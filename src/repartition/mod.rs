//! Gives a topic another number of partitions: its records are placed anew by their keys.
//!
//! Rule: records of one key stay in their order, and nothing happens while an application has a place in the topic or state that was cut by
//! its partitions. The records lie in a second topic before the first is deleted, so an interruption loses none.

mod merge;

use std::fmt;

use tidemill_dsl::record::{BatchBuilder, Offset, TopicName, TopicPartition, partition_of_record};

use crate::error::{Error, ErrorKind};
use crate::log::{Append, Log, Notes, TopicId, TopicSpec};
use crate::reset::Reset;
use merge::Merge;

/// So many bytes are written at a time.
const PIECE_BYTES: usize = 1 << 20;
/// What the name of the second topic ends with.
const ASIDE: &str = ".repartitioning";
/// The note with the id of the second topic.
const ID: &str = "aside";
/// The note that says that the second topic has all records.
const COPIED: &str = "copied";

/// A topic that gets another number of partitions, for logs that one process has for itself.
///
/// Each record goes where Kafka's partitioner puts its key (a record without one, where its value is put). The records of several
/// partitions come together in the order of their times, as a task would read them. Offsets are other ones.
///
/// ```
/// use tidemill::log::{Log, MemoryLog, TopicSpec};
/// use tidemill::repartition::Repartition;
///
/// let log = MemoryLog::new();
/// log.create_topic(&TopicSpec::new("orders", 2))?;
/// let repartition = Repartition::plan(&log, "orders", 6)?;
/// assert_eq!(repartition.to_string(), "orders: 6 partitions instead of 2, up to 0 records placed anew\n");
/// repartition.carry_out(&log, &mut |_| ())?;
/// assert_eq!(log.topic("orders")?.map(|spec| spec.partitions), Some(6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repartition {
    /// What the topic is then.
    pub spec: TopicSpec,
    /// How many partitions it has; those of the second topic, where an interrupted repartition goes on with that.
    pub partitions_before: u32,
    /// How many records there are at most.
    pub records_max: u64,
    /// The applications that must be reset before, because they have read the topic.
    pub to_reset: Vec<String>,
    /// Whether an earlier one was interrupted when all records lay in the second topic.
    is_copied: bool,
}

impl Repartition {
    /// Looks at the log and says what would be done. Changes nothing.
    ///
    /// # Errors
    ///
    /// `Invalid` for a topic that is not there, that has so many partitions already, or that is an application's own: those are made anew
    /// by a start behind a reset. What the log says when it cannot be read.
    pub fn plan(log: &dyn Log, topic: &str, partitions: u32) -> Result<Repartition, Error> {
        let notes = log.notes(&scope(topic))?;
        let aside = log.topic(&aside_of(topic))?;
        let is_noted = aside.is_some() && is_noted(log, topic, &notes)?;
        let is_copied = is_noted && notes.get(COPIED).is_some_and(|copied| !copied.is_empty());
        if let (Some(aside), true) = (&aside, is_copied) {
            if aside.partitions != partitions {
                let message = format!(
                    "an interrupted repartition of `{topic}` to {} partitions has all its records: finish it first, with that number",
                    aside.partitions
                );
                return Err(invalid(message));
            }
            let spec = TopicSpec { name: topic.into(), ..aside.clone() };
            let records_max = count(log, aside)?;
            return Ok(Repartition {
                spec,
                partitions_before: partitions,
                records_max,
                to_reset: Vec::new(),
                is_copied,
            });
        }
        // One that was just made is noted a moment later.
        if let Some(aside) = aside.filter(|_| !is_noted)
            && count(log, &aside)? > 0
        {
            let message = format!("topic `{}` is in the way: delete it, or give it another name", aside_of(topic));
            return Err(invalid(message));
        }
        let before = log.topic(topic)?.ok_or_else(|| invalid(format!("there is no topic `{topic}`")))?;
        if before.partitions == partitions || partitions == 0 {
            let message = format!("topic `{topic}` has {} partitions: name another number", before.partitions);
            return Err(invalid(message));
        }
        let mut to_reset = Vec::new();
        for application in log.applications()? {
            let own = Reset::of(&*application).plan(log)?;
            if own.topics.iter().any(|name| **name == *topic) {
                let message = format!(
                    "topic `{topic}` is `{application}`'s own: reset the application, and its next start makes it with as many partitions as \
                     its inputs have"
                );
                return Err(invalid(message));
            }
            // One that begins at the start and has nothing of its own is as if it had never run.
            let begins = log.progress(&application)?.inputs.into_iter().filter(|(input, _)| *input.topic == *topic);
            let places: Vec<_> = begins.collect();
            let mut has_read = false;
            for (input, at) in &places {
                has_read |= at.next > log.bounds(input)?.start;
            }
            if has_read || (!places.is_empty() && !own.topics.is_empty()) {
                to_reset.push(application);
            }
        }
        let records_max = count(log, &before)?;
        let partitions_before = before.partitions;
        let spec = TopicSpec { partitions, ..before };
        Ok(Repartition { spec, partitions_before, records_max, to_reset, is_copied })
    }

    /// Does it, and calls `progress` with the number of records that were written, which is twice that of the topic in the end. When it is
    /// interrupted, plan and carry it out again.
    ///
    /// # Errors
    ///
    /// `Invalid` while applications have to be reset; nothing was done then. As [`plan`](Self::plan), and what the log says.
    pub fn carry_out(&self, log: &dyn Log, progress: &mut dyn FnMut(u64)) -> Result<(), Error> {
        let (topic, partitions) = (&self.spec.name, self.spec.partitions);
        // The plan may be old.
        let plan = Repartition::plan(log, topic, partitions)?;
        if !plan.to_reset.is_empty() {
            let message = format!(
                "`{}` has read `{topic}`: its places and its state belong to {} partitions; reset it first, it then processes all records \
                 again",
                plan.to_reset.join("`, `"),
                plan.partitions_before
            );
            return Err(invalid(message));
        }
        let (aside, mut written) = (TopicSpec { name: aside_of(topic).as_str().into(), ..plan.spec.clone() }, 0);
        let mut tell = |records: u64| {
            written += records;
            progress(written);
        };
        if !plan.is_copied {
            make(log, &aside)?;
            // In one step: that an earlier one was copied must not be believed of this one.
            note(log, topic, [(ID, id_of(log, &aside.name)?), (COPIED, Vec::new())])?;
            let old = TopicSpec { partitions: plan.partitions_before, ..plan.spec.clone() };
            copy(log, &old, &aside, &mut tell)?;
            note(log, topic, [(COPIED, vec![1])])?;
        }
        make(log, &plan.spec)?;
        copy(log, &aside, &plan.spec, &mut tell)?;
        log.delete_topic(&aside.name)?;
        Ok(())
    }
}

/// Makes a topic, in place of what an interrupted repartition has left.
fn make(log: &dyn Log, spec: &TopicSpec) -> Result<(), Error> {
    if log.topic(&spec.name)?.is_some() {
        log.delete_topic(&spec.name)?;
    }
    Ok(log.create_topic(spec)?)
}

/// Copies a topic into an empty one, each record to its place there.
fn copy(log: &dyn Log, from: &TopicSpec, to: &TopicSpec, tell: &mut dyn FnMut(u64)) -> Result<(), Error> {
    let mut records: Vec<BatchBuilder> = (0..to.partitions).map(|_| BatchBuilder::default()).collect();
    let (mut count, mut bytes) = (0, 0);
    let mut write = |records: &mut Vec<BatchBuilder>, count: &mut u64| -> Result<(), Error> {
        let of = |(partition, records): (u32, &mut BatchBuilder)| Append {
            to: TopicPartition::new(to.name.clone(), partition),
            records: records.finish(Offset::ZERO),
        };
        let appends = (0..).zip(records.iter_mut()).filter(|(_, records)| records.size() > 0).map(of).collect();
        log.append(appends, "", Notes::new())?;
        tell(std::mem::take(count));
        Ok(())
    };
    let mut merge = Merge::new(log, from)?;
    while let Some(record) = merge.next()? {
        let place = partition_of_record(record.key.as_deref(), record.value.as_deref(), to.partitions);
        let into = &mut records[place as usize];
        let before = into.size();
        into.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
        bytes += into.size() - before;
        count += 1;
        if bytes >= PIECE_BYTES {
            write(&mut records, &mut count)?;
            bytes = 0;
        }
    }
    if count > 0 { write(&mut records, &mut count) } else { Ok(()) }
}

fn count(log: &dyn Log, spec: &TopicSpec) -> Result<u64, Error> {
    (0..spec.partitions).try_fold(0, |count, partition| {
        let bounds = log.bounds(&TopicPartition::new(spec.name.clone(), partition))?;
        Ok(count + bounds.end.get() - bounds.start.get())
    })
}

fn scope(topic: &str) -> String {
    format!("repartition/{topic}")
}

fn aside_of(topic: &str) -> String {
    format!("{topic}{ASIDE}")
}

fn note<const N: usize>(log: &dyn Log, topic: &TopicName, notes: [(&str, Vec<u8>); N]) -> Result<(), Error> {
    let notes = notes.map(|(name, value)| (name.to_owned(), value));
    log.append(Vec::new(), &scope(topic), Notes::from(notes))?;
    Ok(())
}

fn id_of(log: &dyn Log, topic: &str) -> Result<Vec<u8>, Error> {
    Ok(log.topic_id(topic)?.map(TopicId::as_u128).unwrap_or_default().to_be_bytes().to_vec())
}

/// Whether the second topic is one that a repartition has made.
fn is_noted(log: &dyn Log, topic: &str, notes: &Notes) -> Result<bool, Error> {
    let id = id_of(log, &aside_of(topic))?;
    Ok(notes.get(ID).is_some_and(|noted| *noted == id))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

impl fmt::Display for Repartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, new, old, records) =
            (&self.spec.name, self.spec.partitions, self.partitions_before, self.records_max);
        if self.is_copied {
            return writeln!(f, "{name}: finish what was interrupted, up to {records} records in {new} partitions");
        }
        self.to_reset.iter().try_for_each(|application| {
            writeln!(f, "before that: reset {application}, whose places and state belong to {old} partitions")
        })?;
        writeln!(f, "{name}: {new} partitions instead of {old}, up to {records} records placed anew")
    }
}
