//! What a graduation would do, and what stands in its way.
//!
//! Rule: all that stands in its way is said at once, before anything is done.

use std::fmt;

use tidemill_dsl::record::{TopicName, TopicPartition};

use super::claims::Claims;
use super::mover::{Moved, Mover};
use crate::error::{Error, ErrorKind};
use crate::log::{Log, TopicSpec};

/// Moves everything that lies on a log to another one: topics, how far applications are, and positions of feeds.
///
/// Nobody may write to either log for these applications meanwhile; whoever opens a folder for itself alone has seen to that there. A graduation that was
/// interrupted is carried out again: topics that it has made are deleted and made anew. Stores need no moving, because they are made of their
/// changelogs. Offsets are other ones, where records were removed and where the new log puts marks between records, as Kafka does behind
/// each transaction; so positions that a program remembered by itself ([`Position`](crate::Position)) do not hold there.
///
/// ```
/// use tidemill::graduate::Graduation;
/// use tidemill::log::{Append, Log, MemoryLog, Notes, TopicSpec};
/// use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
///
/// let (old, new) = (MemoryLog::new(), MemoryLog::new());
/// old.create_topic(&TopicSpec::new("orders", 1))?;
/// let mut batch = BatchBuilder::default();
/// batch.push(Timestamp::ZERO, Some(b"alice"), Some(b"10"), &Headers::NONE);
/// let to = TopicPartition::new("orders", 0);
/// old.append(vec![Append { to: to.clone(), records: batch.finish(Offset::ZERO) }], "", Notes::new())?;
///
/// let graduation = Graduation::plan(&old, &new)?;
/// assert_eq!(graduation.to_string(), "topic orders: 1 partition, up to 1 record\n");
/// let moved = graduation.carry_out(&old, &new, &mut |_| ())?;
/// assert_eq!((moved.records, new.bounds(&to)?.end), (1, Offset::new(1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graduation {
    /// The topics, by name.
    pub topics: Vec<TopicMove>,
    /// The applications whose progress is moved, by name.
    pub applications: Vec<String>,
    /// Whether an earlier graduation of this log was interrupted.
    pub is_resumed: bool,
}

/// A topic that is moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMove {
    /// What it is created with.
    pub spec: TopicSpec,
    /// How many offsets are kept, which is how many records it has at most.
    pub records_max: u64,
    /// Whether an interrupted graduation has made it: it is deleted first.
    pub again: bool,
}

impl Graduation {
    /// Looks at both logs and says what would be done. Changes nothing.
    ///
    /// # Errors
    ///
    /// `Invalid` when everything was moved already, and with all that stands in the way: topics that have records, other numbers of
    /// partitions, applications that are at work or have been on the new log. What the logs say when they cannot be read.
    pub fn plan(from: &dyn Log, to: &dyn Log) -> Result<Graduation, Error> {
        let claims = Claims::read(from)?;
        claims.check_open()?;
        let (mut topics, mut faults) = (Vec::new(), Vec::new());
        for spec in from.topics()? {
            let mut records_max = 0;
            for partition in partitions(&spec) {
                let bounds = from.bounds(&partition)?;
                records_max += bounds.end.get() - bounds.start.get();
            }
            let again = claims.has(&spec.name, to.topic_id(&spec.name)?);
            if !again {
                faults.extend(in_the_way(&spec, to)?);
            }
            topics.push(TopicMove { spec, records_max, again });
        }
        let applications = from.applications()?;
        let known = to.applications()?;
        for application in &applications {
            let members = to.members(application)?;
            if !members.is_empty() {
                faults.push(format!("application `{application}` is running there ({}): close it", members.join(", ")));
            } else if known.contains(application) && !claims.any() {
                faults.push(format!(
                    "application `{application}` has been there already: `reset` it there if its progress may go"
                ));
            }
        }
        if !faults.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, format!("nothing was moved: {}", faults.join("; "))));
        }
        Ok(Graduation { topics, applications, is_resumed: claims.any() })
    }

    /// Does it, and calls `progress` after every few megabytes. When it fails or is killed, plan and carry it out again; until then
    /// no application may start on the new log.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan), which is made anew, and what the logs say.
    pub fn carry_out(&self, from: &dyn Log, to: &dyn Log, progress: &mut dyn FnMut(Moved)) -> Result<Moved, Error> {
        // The plan may be old.
        let plan = Graduation::plan(from, to)?;
        let mut claims = Claims::read(from)?;
        let mut mover = Mover::new(from, to, &plan.applications, progress)?;
        for TopicMove { spec, again, .. } in &plan.topics {
            if *again {
                to.delete_topic(&spec.name)?;
            }
            to.create_topic(spec)?;
            let id = to.topic_id(&spec.name)?.ok_or_else(|| gone(&spec.name))?;
            claims.note(from, &spec.name, id)?;
        }
        for TopicMove { spec, .. } in &plan.topics {
            partitions(spec).try_for_each(|partition| mover.partition(&partition))?;
        }
        let moved = mover.progress()?;
        claims.finish(from)?;
        Ok(moved)
    }
}

fn partitions(spec: &TopicSpec) -> impl Iterator<Item = TopicPartition> + '_ {
    (0..spec.partitions).map(|partition| TopicPartition::new(spec.name.clone(), partition))
}

fn gone(topic: &TopicName) -> Error {
    Error::new(ErrorKind::Unavailable, format!("topic `{topic}` was deleted while it was filled: graduate again"))
}

/// Why a topic cannot be filled on the new log.
fn in_the_way(spec: &TopicSpec, to: &dyn Log) -> Result<Option<String>, Error> {
    let Some(there) = to.topic(&spec.name)? else { return Ok(None) };
    let name = &spec.name;
    if there.partitions != spec.partitions {
        let (new, old) = (there.partitions, spec.partitions);
        return Ok(Some(format!(
            "topic `{name}` has {new} partitions there and {old} here: delete it there, and it is made with {old}"
        )));
    }
    for partition in partitions(spec) {
        let bounds = to.bounds(&partition)?;
        if bounds.start < bounds.end {
            return Ok(Some(format!("topic `{name}` has records there: delete it there if they may go, or rename it")));
        }
    }
    Ok(None)
}

impl fmt::Display for Graduation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: u64, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
        for TopicMove { spec, records_max, again } in &self.topics {
            let (parts, records) = (counted(spec.partitions.into(), "partition"), counted(*records_max, "record"));
            let again = if *again { ", once more from its start" } else { "" };
            writeln!(f, "topic {}: {parts}, up to {records}{again}", spec.name)?;
        }
        self.applications.iter().try_for_each(|application| writeln!(f, "progress of application {application}"))
    }
}
