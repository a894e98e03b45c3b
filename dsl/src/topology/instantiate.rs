//! Makes the changing part of a task from the program.

use std::fmt;
use std::sync::Arc;

use super::{NodeKind, SourceRunner, SourceTopics, Subtopology, TaskSettings, Topology};
use crate::processor::{BoxError, Outputs, PartitionCounts, TaskParts, TaskState};
use crate::record::TopicName;
use crate::state::{ByteStore, CacheBudget, Changelog, StateStore, StoreSpec};

/// Opens the bytes below a store; `None` keeps its rows in memory.
pub type OpenStore<'a> = &'a mut dyn FnMut(&StoreSpec) -> Result<Option<Box<dyn ByteStore>>, BoxError>;

/// Which task to make, and from what.
pub struct TaskSpec<'a> {
    /// The sub-topologies that the task runs, by number. An application has a task for each; the test driver has one for
    /// all.
    pub subtopologies: &'a [usize],
    /// The partition that it works on.
    pub partition: u32,
    /// The application's id, which goes before the names of its own topics.
    pub application: &'a str,
    /// All topics that exist: sources by pattern choose among them.
    pub topics: &'a [TopicName],
    /// How many partitions topics have.
    pub counts: Arc<dyn PartitionCounts>,
    /// How the task works.
    pub settings: TaskSettings,
    /// Opens the bytes below a store that is kept on disk.
    pub open_store: OpenStore<'a>,
}

/// A topic that a task reads, and the source that it feeds. Its number in the list is the queue's.
pub struct SourceQueue {
    /// The topic's full name.
    pub topic: TopicName,
    /// The source.
    pub runner: Arc<dyn SourceRunner>,
}

impl Topology {
    /// Makes a task's state and the list of its queues.
    pub fn instantiate(&self, spec: TaskSpec<'_>) -> Result<(TaskState, Vec<SourceQueue>), InstantiateError> {
        let fail = |cause: BoxError| InstantiateError { partition: spec.partition, cause };
        let subtopologies: Vec<&Subtopology> = spec.subtopologies.iter().map(|id| &self.subtopologies()[*id]).collect();
        let in_task = |node: usize| subtopologies.iter().any(|sub| sub.nodes.contains(&node));
        let queues = self.queues(&spec, &subtopologies);
        let mut stores: Vec<Option<Box<dyn StateStore>>> = Vec::new();
        for (number, store) in self.stores().iter().enumerate() {
            let belongs =
                self.subtopology_of_store(store.name()).is_some_and(|sub| spec.subtopologies.contains(&sub.id));
            stores.push(if belongs {
                let below = (spec.open_store)(store).map_err(fail)?;
                let keeps_old = self.program.flushers[number].as_ref().is_some_and(|flusher| flusher.sends_old());
                Some(store.open(&spec.settings, keeps_old, below))
            } else {
                None
            });
        }
        let mut topics: Vec<TopicName> =
            self.program.outputs.iter().map(|topic| topic.resolve(spec.application)).collect();
        let mut changelogs = Vec::new();
        for store in &stores {
            let logged = store.as_ref().filter(|store| store.changelog() != Changelog::Off);
            changelogs.push(logged.map(|store| {
                topics.push(changelog_topic(spec.application, store.name()));
                topics.len() - 1
            }));
        }
        let (topology, application) = (self.clone(), spec.application.to_owned());
        let reads = Box::new(move |topic: &str| topology.reads(topic, &application));
        // The program numbers all sinks' topics, also those of other tasks, so they all get buffers here.
        let outputs = Outputs::new(topics, spec.counts.clone(), reads, spec.settings.record_bytes_max)
            .map_err(|error| fail(error.into()))?;
        let instances = self.program.suppliers.iter().map(|(node, supplier)| in_task(*node).then(supplier)).collect();
        let heads = queues.iter().map(|queue| queue.runner.new_head()).collect();
        let is_cached = |number: &usize| stores[*number].as_ref().is_some_and(|store| store.is_cached());
        let parts = TaskParts {
            partition: spec.partition,
            cached: self.program.flush_order.iter().copied().filter(is_cached).collect(),
            flushers: self.program.flushers.clone(),
            cache_budget: CacheBudget::new(spec.settings.cache_bytes),
            stores,
            changelogs,
            instances,
            processors: self.program.processors.clone(),
            heads,
            outputs,
            errors: spec.settings.errors.clone(),
        };
        Ok((TaskState::new(parts), queues))
    }

    fn queues(&self, spec: &TaskSpec<'_>, subtopologies: &[&Subtopology]) -> Vec<SourceQueue> {
        let mut queues = Vec::new();
        for (number, runner) in &self.program.sources {
            if !subtopologies.iter().any(|sub| sub.nodes.contains(number)) {
                continue;
            }
            let topics: Vec<TopicName> = match &self.program.nodes[*number].kind {
                NodeKind::Source(SourceTopics::Named(topics)) => {
                    topics.iter().map(|topic| topic.resolve(spec.application)).collect()
                }
                NodeKind::Source(SourceTopics::Matching(pattern)) => {
                    spec.topics.iter().filter(|topic| pattern.matches(topic)).cloned().collect()
                }
                _ => Vec::new(),
            };
            queues.extend(topics.into_iter().map(|topic| SourceQueue { topic, runner: runner.clone() }));
        }
        queues
    }

    /// Whether a source of this topology reads a topic.
    fn reads(&self, topic: &str, application: &str) -> bool {
        self.nodes().iter().any(|node| match &node.kind {
            NodeKind::Source(SourceTopics::Named(topics)) => {
                topics.iter().any(|known| *known.resolve(application) == *topic)
            }
            NodeKind::Source(SourceTopics::Matching(pattern)) => pattern.matches(topic),
            _ => false,
        })
    }
}

/// The full name of a store's changelog.
pub fn changelog_topic(application: &str, store: &str) -> TopicName {
    format!("{application}-{store}-changelog").into()
}

/// A task could not be made.
#[derive(Debug)]
pub struct InstantiateError {
    partition: u32,
    cause: BoxError,
}

impl fmt::Display for InstantiateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task for partition {} cannot be made: {}", self.partition, self.cause)
    }
}

impl std::error::Error for InstantiateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}
