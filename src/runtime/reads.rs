//! What the tasks of a topology read: which topics, and which task has which partition.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_dsl::record::{TopicName, TopicPartition};
use tidemill_dsl::topology::{NodeKind, SourceTopics, Subtopology, Topology};

use crate::task::TaskId;

/// The topics that each sub-topology reads, as they are when the application starts.
pub(super) struct Reads {
    topics: Vec<BTreeSet<TopicName>>,
    globals: BTreeSet<usize>,
}

impl Reads {
    /// Those of a topology; `names` are the topics that there are.
    pub(super) fn of(topology: &Topology, application: &str, names: &[TopicName]) -> Reads {
        let of = |sub: &Subtopology| topics_of(topology, sub, application, names);
        let globals = topology.subtopologies().iter().filter(|sub| sub.is_global()).map(|sub| sub.id).collect();
        Reads { topics: topology.subtopologies().iter().map(of).collect(), globals }
    }

    /// Whether a sub-topology fills global stores, which every process does for itself.
    pub(super) fn is_global(&self, subtopology: usize) -> bool {
        self.globals.contains(&subtopology)
    }

    /// The sub-topologies that read a topic.
    pub(super) fn readers(&self, topic: &TopicName) -> impl Iterator<Item = usize> {
        self.topics.iter().enumerate().filter(move |(_, topics)| topics.contains(topic)).map(|(sub, _)| sub)
    }

    /// The topics of each sub-topology.
    pub(super) fn by_subtopology(&self) -> &[BTreeSet<TopicName>] {
        &self.topics
    }

    /// The topics whose partitions the processes of an application share: all but those of global stores.
    pub(super) fn shared_topics(&self) -> BTreeSet<TopicName> {
        let shared = self.topics.iter().enumerate().filter(|(sub, _)| !self.globals.contains(sub));
        shared.flat_map(|(_, topics)| topics).cloned().collect()
    }

    /// All partitions that are read, by the number of partitions of each topic.
    pub(super) fn partitions(&self, count: impl Fn(&TopicName) -> u32) -> BTreeSet<TopicPartition> {
        let topics: BTreeSet<&TopicName> = self.topics.iter().flatten().collect();
        let of =
            |topic: &TopicName| (0..count(topic)).map(|number| TopicPartition::new(topic.clone(), number)).collect();
        topics.into_iter().flat_map(|topic| -> Vec<TopicPartition> { of(topic) }).collect()
    }

    /// The tasks that can run for whoever has these partitions: those whose inputs are all among them.
    pub(super) fn tasks(
        &self,
        owned: &BTreeSet<TopicPartition>,
        count: impl Fn(&TopicName) -> u32,
    ) -> BTreeSet<TaskId> {
        let complete = self.with_inputs(owned, count).into_iter().filter(|(_, complete)| *complete);
        complete.map(|(task, _)| task).collect()
    }

    /// All tasks, but for those of global stores.
    pub(super) fn all_tasks(&self, count: impl Fn(&TopicName) -> u32) -> BTreeSet<TaskId> {
        self.with_inputs(&BTreeSet::new(), count).into_keys().collect()
    }

    /// All tasks, and whether their inputs are all among these partitions.
    fn with_inputs(
        &self,
        owned: &BTreeSet<TopicPartition>,
        count: impl Fn(&TopicName) -> u32,
    ) -> BTreeMap<TaskId, bool> {
        let mut tasks: BTreeMap<TaskId, bool> = BTreeMap::new();
        for (sub, topics) in self.topics.iter().enumerate().filter(|(sub, _)| !self.globals.contains(sub)) {
            for topic in topics {
                for partition in 0..count(topic) {
                    let complete = tasks.entry(TaskId { subtopologies: vec![sub], partition }).or_insert(true);
                    *complete &= owned.contains(&TopicPartition::new(topic.clone(), partition));
                }
            }
        }
        tasks
    }
}

fn topics_of(topology: &Topology, sub: &Subtopology, application: &str, names: &[TopicName]) -> BTreeSet<TopicName> {
    let sources = topology.nodes_of(sub).filter_map(|node| match &node.kind {
        NodeKind::Source(topics) => Some(topics),
        _ => None,
    });
    let topics = sources.flat_map(|source| -> Vec<TopicName> {
        match source {
            SourceTopics::Named(topics) => topics.iter().map(|topic| topic.resolve(application)).collect(),
            SourceTopics::Matching(pattern) => names.iter().filter(|topic| pattern.matches(topic)).cloned().collect(),
        }
    });
    topics.collect()
}

#[cfg(test)]
mod tests {
    use tidemill_dsl::Topic;
    use tidemill_dsl::stream::StreamsBuilder;

    use super::*;

    const LEFT: Topic<String, i64> = Topic::of("left");
    const RIGHT: Topic<String, i64> = Topic::of("right");

    fn partition(topic: &str, number: u32) -> TopicPartition {
        TopicPartition::new(topic, number)
    }

    #[test]
    fn a_task_runs_where_all_of_its_inputs_are() {
        let builder = StreamsBuilder::new();
        let right = builder.table(&RIGHT);
        builder.stream(&LEFT).join(&right, |left, right| left + right).for_each(|_, _| ());
        let topology = builder.build().unwrap();
        let reads = Reads::of(&topology, "app", &["left".into(), "right".into(), "other".into()]);
        assert_eq!(reads.shared_topics(), ["left".into(), "right".into()].into());
        let tasks = |owned: &[TopicPartition]| {
            let tasks = reads.tasks(&owned.iter().cloned().collect(), |_| 2);
            tasks.into_iter().map(|task| task.partition).collect::<Vec<_>>()
        };
        assert_eq!(tasks(&[partition("left", 0), partition("right", 0), partition("left", 1)]), [0]);
        assert_eq!(tasks(&[partition("left", 0), partition("right", 1)]), [0_u32; 0]);
        assert_eq!(reads.partitions(|_| 2).len(), 4);
    }
}
