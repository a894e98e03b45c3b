//! An application's progress as offsets that its group has committed.
//!
//! Rule: a note stays with the partition that it belongs to, in what is committed with its offset; so whoever reads the partition
//! next has it, and no other process's commit can replace it. Notes without such a place go to the topic of notes.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::TopicPartitionList;
use tidemill_dsl::record::{Offset, TopicPartition};

use super::super::{InputProgress, LogError, Notes, Progress, note_name, note_parts};
use super::fault::fault;
use super::native::Committed;
use super::offset_metadata::OffsetMetadata;
use super::reader::number;

/// What is committed of each partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<TopicPartition, Place>);

#[derive(Clone, Debug)]
struct Place {
    next: Offset,
    metadata: OffsetMetadata,
}

impl Places {
    /// Takes in what a group has committed.
    pub(super) fn update(&mut self, committed: Vec<Committed>) {
        let place = |committed: Committed| {
            let next = Offset::new(committed.next);
            let metadata = OffsetMetadata::decode(&committed.metadata, next);
            (committed.partition, Place { next, metadata })
        };
        self.0.extend(committed.into_iter().map(place));
    }

    /// Whether there is a place in a partition.
    pub(super) fn has(&self, partition: &TopicPartition) -> bool {
        self.0.contains_key(partition)
    }

    /// The partitions that a commit of `progress` changes and that have no place here.
    pub(super) fn missing(&self, progress: &Progress) -> BTreeSet<TopicPartition> {
        let homes = progress.notes.keys().filter_map(|name| note_parts(name)).map(|(_, home)| home);
        progress.inputs.keys().cloned().chain(homes).filter(|partition| !self.has(partition)).collect()
    }

    /// Whether anything is committed.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The partitions of which something is committed, without those that `progress` names.
    pub(super) fn besides(&self, progress: &Progress) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in self.0.keys().filter(|partition| !progress.inputs.contains_key(partition)) {
            list.add_partition(&partition.topic, number(partition));
        }
        list
    }

    /// Takes over what is not known here.
    pub(super) fn learn(&mut self, others: Places) {
        for (partition, place) in others.0 {
            self.0.entry(partition).or_insert(place);
        }
    }

    /// Forgets a partition that others may commit from now on.
    pub(super) fn forget(&mut self, partition: &TopicPartition) {
        self.0.remove(partition);
    }

    /// The progress that was committed, with notes from elsewhere.
    pub(super) fn progress(&self, notes: Notes) -> Progress {
        let mut progress = Progress { inputs: BTreeMap::new(), notes };
        for (partition, Place { next, metadata }) in &self.0 {
            let reached = InputProgress { next: *next, partition_time: metadata.partition_time };
            progress.inputs.insert(partition.clone(), reached);
            let named = metadata.notes.iter().map(|(what, value)| (note_name(what, partition), value.clone()));
            progress.notes.extend(named);
        }
        progress
    }

    /// These places once `progress` is committed too, the partitions that it changes, and the notes that have no place here.
    pub(super) fn with(&self, progress: &Progress) -> (Places, Vec<TopicPartition>, Notes) {
        let (mut after, mut elsewhere) = (self.clone(), Notes::new());
        let mut changed: Vec<TopicPartition> = Vec::new();
        for (partition, reached) in &progress.inputs {
            let place = after
                .0
                .entry(partition.clone())
                .or_insert_with(|| Place { next: reached.next, metadata: OffsetMetadata::default() });
            place.next = reached.next;
            place.metadata.partition_time = reached.partition_time;
            changed.push(partition.clone());
        }
        for (name, value) in &progress.notes {
            let home = note_parts(name).and_then(|(what, home)| Some((what, after.0.get_mut(&home)?, home)));
            let Some((what, place, home)) = home else {
                elsewhere.insert(name.clone(), value.clone());
                continue;
            };
            let notes = &mut place.metadata.notes;
            match notes.iter_mut().find(|(known, _)| known == what) {
                Some((_, known)) => known.clone_from(value),
                None => notes.push((what.to_owned(), value.clone())),
            }
            if !changed.contains(&home) {
                changed.push(home);
            }
        }
        (after, changed, elsewhere)
    }

    /// What the client is told to commit of these partitions.
    pub(super) fn offsets(&self, of: &[TopicPartition]) -> Result<TopicPartitionList, LogError> {
        let mut list = TopicPartitionList::with_capacity(of.len());
        for (partition, Place { next, metadata }) in of.iter().filter_map(|of| self.0.get_key_value(of)) {
            let text = metadata.encode(*next, &format!("the offset of `{partition}`"))?;
            let mut element = list.add_partition(&partition.topic, number(partition));
            let at = rdkafka::Offset::Offset(next.get().cast_signed());
            element.set_offset(at).map_err(|error| fault("cannot commit offsets", &error))?;
            element.set_metadata(text);
        }
        Ok(list)
    }
}
