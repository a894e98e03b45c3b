//! The committed state of a log: topics, where partitions begin and end, progress and notes.
//!
//! Rule: the book changes by whole [`Change`]s only, in the order of the log; a running log and a log that is opened
//! again apply them with the same code.

use std::collections::BTreeMap;
use std::fmt;

use tidemill_dsl::record::{Offset, TopicName, TopicPartition};

use super::change::{Change, Note, NoteOwner, Step};
use crate::log::{Bounds, LogError, LogErrorKind, Notes, Progress, TopicSpec};

/// How many partitions a log may ever have had, those of deleted topics included: each takes some hundred bytes of memory.
pub(super) const PARTITIONS_MAX: u32 = 1 << 22;

/// A partition's number in the log, counted over all topics in the order of their creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::log) struct PartitionId(pub(in crate::log) u32);

impl PartitionId {
    pub(in crate::log) fn index(self) -> usize {
        self.0 as usize
    }
}

struct Topic {
    spec: TopicSpec,
    first: PartitionId,
}

struct Partition {
    name: TopicPartition,
    bounds: Bounds,
    /// Whether its topic was deleted.
    gone: bool,
    /// The offset after the last tombstone that was removed.
    complete_from: Offset,
}

impl Partition {
    fn new(name: TopicPartition) -> Self {
        let bounds = Bounds { start: Offset::ZERO, end: Offset::ZERO };
        Partition { name, bounds, gone: false, complete_from: Offset::ZERO }
    }
}

/// Topics, bounds, progress and notes, as committed.
#[derive(Default)]
pub(in crate::log) struct Book {
    topics: BTreeMap<TopicName, Topic>,
    partitions: Vec<Partition>,
    applications: BTreeMap<String, Progress>,
    scopes: BTreeMap<String, Notes>,
}

impl Book {
    pub(in crate::log) fn topic(&self, name: &str) -> Option<&TopicSpec> {
        self.topics.get(name).map(|topic| &topic.spec)
    }

    /// The first partition of a topic.
    pub(in crate::log) fn first_of(&self, name: &str) -> Option<PartitionId> {
        self.topics.get(name).map(|topic| topic.first)
    }

    /// All topics by name, each with its first partition.
    pub(in crate::log) fn topics(&self) -> impl Iterator<Item = (&TopicSpec, PartitionId)> {
        self.topics.values().map(|topic| (&topic.spec, topic.first))
    }

    /// The number that the first partition of the next topic gets.
    pub(in crate::log) fn next_partition(&self) -> PartitionId {
        PartitionId(u32::try_from(self.partitions.len()).expect("topics are refused before there are 2^32 partitions"))
    }

    pub(in crate::log) fn partition(&self, name: &TopicPartition) -> Result<PartitionId, LogError> {
        let topic = self.topics.get(&*name.topic).ok_or_else(|| no_topic(&name.topic))?;
        if name.partition >= topic.spec.partitions {
            let message = format!(
                "there is no partition {} of topic `{}`: it has {}, counted from 0",
                name.partition, name.topic, topic.spec.partitions
            );
            return Err(LogError::new(LogErrorKind::UnknownTopic, message));
        }
        Ok(PartitionId(topic.first.0 + name.partition))
    }

    pub(in crate::log) fn name(&self, partition: PartitionId) -> &TopicPartition {
        &self.partitions[partition.index()].name
    }

    pub(in crate::log) fn bounds(&self, partition: PartitionId) -> Bounds {
        self.partitions[partition.index()].bounds
    }

    /// The offset after the last tombstone that was removed from a partition.
    pub(in crate::log) fn complete_from(&self, partition: PartitionId) -> Offset {
        self.partitions[partition.index()].complete_from
    }

    /// All partitions in the order of their numbers.
    pub(in crate::log) fn partitions(&self) -> impl Iterator<Item = (PartitionId, Bounds)> {
        (0..).map(PartitionId).zip(self.partitions.iter().map(|partition| partition.bounds))
    }

    /// The applications that have committed something.
    pub(in crate::log) fn applications(&self) -> impl Iterator<Item = &String> {
        self.applications.keys()
    }

    pub(in crate::log) fn progress(&self, application: &str) -> Progress {
        self.applications.get(application).cloned().unwrap_or_default()
    }

    pub(in crate::log) fn notes(&self, scope: &str) -> Notes {
        self.scopes.get(scope).cloned().unwrap_or_default()
    }

    /// Everything but bounds and records as one change: what a reader who begins here has to know.
    pub(in crate::log) fn summary(&self) -> Change {
        let mut topics: Vec<_> = self.topics.values().map(|topic| (topic.spec.clone(), topic.first)).collect();
        topics.sort_by_key(|(_, first)| *first);
        let mut change = Change { topics, gone: self.gone(), ..Change::default() };
        change.complete_from = (0..)
            .map(PartitionId)
            .zip(&self.partitions)
            .filter(|(_, known)| known.complete_from > Offset::ZERO)
            .map(|(partition, known)| (partition, known.complete_from))
            .collect();
        for (application, progress) in &self.applications {
            change.steps.extend(progress.inputs.iter().map(|(input, progress)| Step {
                application: application.clone(),
                partition: self.partition(input).expect("progress is checked before it is committed"),
                progress: *progress,
            }));
            change.notes.extend(notes_of(&NoteOwner::Application(application.clone()), &progress.notes));
        }
        for (scope, notes) in &self.scopes {
            change.notes.extend(notes_of(&NoteOwner::Scope(scope.clone()), notes));
        }
        change
    }

    /// The partitions of deleted topics, in runs.
    fn gone(&self) -> Vec<(PartitionId, u32)> {
        let mut runs: Vec<(PartitionId, u32)> = Vec::new();
        for (partition, _) in (0..).map(PartitionId).zip(&self.partitions).filter(|(_, known)| known.gone) {
            match runs.last_mut() {
                Some((first, count)) if first.0 + *count == partition.0 => *count += 1,
                _ => runs.push((partition, 1)),
            }
        }
        runs
    }

    /// Applies a change as a whole. Its batches must continue their partitions.
    pub(in crate::log) fn apply(&mut self, change: &Change) -> Result<(), Contradiction> {
        let mut gone = change.gone.iter().peekable();
        for (spec, first) in &change.topics {
            while let Some((partition, count)) = gone.next_if(|(partition, _)| partition < first) {
                self.remove_partitions(*partition, *count)?;
            }
            self.add_topic(spec, *first)?;
        }
        for (partition, count) in gone {
            self.remove_partitions(*partition, *count)?;
        }
        for (partition, batch) in &change.batches {
            self.extend(*partition, batch.base(), batch.count())?;
        }
        for application in &change.forgotten {
            self.applications.remove(application);
        }
        for step in &change.steps {
            let known = self.known(step.partition)?;
            if known.gone {
                continue;
            }
            let name = known.name.clone();
            self.applications.entry(step.application.clone()).or_default().inputs.insert(name, step.progress);
        }
        for note in &change.notes {
            let notes = match &note.owner {
                NoteOwner::Application(name) => &mut self.applications.entry(name.clone()).or_default().notes,
                NoteOwner::Scope(name) => self.scopes.entry(name.clone()).or_default(),
            };
            notes.insert(note.name.clone(), note.value.clone());
        }
        for (partition, start) in &change.starts {
            let bounds = &mut self.known(*partition)?.bounds;
            bounds.start = bounds.start.max(*start);
        }
        for (partition, from) in &change.complete_from {
            let known = self.known(*partition)?;
            known.complete_from = known.complete_from.max(*from);
        }
        Ok(())
    }

    /// Deletes the topic of these partitions. Their numbers are never used again; a log that begins behind the topic's
    /// creation hears of them here for the first time.
    fn remove_partitions(&mut self, first: PartitionId, count: u32) -> Result<(), Contradiction> {
        let end = end_of(first, count)?;
        let nameless = || Partition::new(TopicPartition::new("", 0));
        self.partitions.resize_with(self.partitions.len().max(end), nameless);
        for known in &mut self.partitions[first.index()..end] {
            known.gone = true;
            known.bounds.start = known.bounds.end;
        }
        self.topics.retain(|_, topic| !(first.0..first.0 + count).contains(&topic.first.0));
        let topics = &self.topics;
        for progress in self.applications.values_mut() {
            progress.inputs.retain(|input, _| topics.contains_key(&*input.topic));
        }
        Ok(())
    }

    /// Counts records that were appended to a partition.
    pub(in crate::log) fn extend(
        &mut self,
        partition: PartitionId,
        base: Offset,
        count: u32,
    ) -> Result<(), Contradiction> {
        let known = self.known(partition)?;
        if known.bounds.end != base {
            return Err(Contradiction(format!(
                "records of `{}` begin at offset {base}, the last ones ended at {}",
                known.name, known.bounds.end
            )));
        }
        let end = base.get().checked_add(u64::from(count));
        let end = end.ok_or_else(|| Contradiction(format!("offsets of `{}` overflow", known.name)))?;
        known.bounds.end = Offset::new(end);
        if known.gone {
            known.bounds.start = known.bounds.end;
        }
        Ok(())
    }

    /// Sets the bounds of a partition whose earlier records are gone.
    pub(in crate::log) fn set_bounds(&mut self, partition: PartitionId, bounds: Bounds) -> Result<(), Contradiction> {
        self.known(partition)?.bounds = bounds;
        Ok(())
    }

    fn known(&mut self, partition: PartitionId) -> Result<&mut Partition, Contradiction> {
        self.partitions
            .get_mut(partition.index())
            .ok_or_else(|| Contradiction(format!("partition number {} was never created", partition.0)))
    }

    fn add_topic(&mut self, spec: &TopicSpec, first: PartitionId) -> Result<(), Contradiction> {
        if let Some(topic) = self.topics.get(&*spec.name) {
            let same = topic.spec == *spec && topic.first == first;
            return if same { Ok(()) } else { Err(Contradiction(format!("topic `{}` was created twice", spec.name))) };
        }
        end_of(first, spec.partitions)?;
        if first != self.next_partition() {
            return Err(Contradiction(format!("topic `{}` begins with partition number {}", spec.name, first.0)));
        }
        let names = (0..spec.partitions).map(|partition| TopicPartition::new(spec.name.clone(), partition));
        self.partitions.extend(names.map(Partition::new));
        self.topics.insert(spec.name.clone(), Topic { spec: spec.clone(), first });
        Ok(())
    }
}

/// The number behind the last of some partitions. Stored numbers are believed only as far as there may be partitions.
fn end_of(first: PartitionId, count: u32) -> Result<usize, Contradiction> {
    let end = first.0.checked_add(count).filter(|end| *end <= PARTITIONS_MAX);
    let end =
        end.ok_or_else(|| Contradiction(format!("{count} partitions from number {} on are too many", first.0)))?;
    Ok(end as usize)
}

pub(in crate::log) fn no_topic(name: &str) -> LogError {
    LogError::new(LogErrorKind::UnknownTopic, format!("there is no topic `{name}`: create it first"))
}

fn notes_of<'a>(owner: &'a NoteOwner, notes: &'a Notes) -> impl Iterator<Item = Note> + 'a {
    notes.iter().map(move |(name, value)| Note { owner: owner.clone(), name: name.clone(), value: value.clone() })
}

/// A change does not fit to what was there: the stored changes are wrong.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::log) struct Contradiction(pub(in crate::log) String);

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
