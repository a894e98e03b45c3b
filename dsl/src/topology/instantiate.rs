//! Makes the changing part of a task from the program.

use std::fmt;
use std::sync::Arc;

use super::{NodeKind, OffsetReset, SourceRunner, SourceTopics, Subtopology, TaskSettings, Topology};
use crate::processor::{
    BoxError, ErrorSettings, GlobalStores, Outputs, PartialEffects, PartitionCounts, TaskParts, TaskState,
};
use crate::record::TopicName;
use crate::state::{ByteStore, CacheBudget, Changelog, PositionedStore, Positions, StateStore, StoreSpec, Undoable};
use crate::window::millis;

/// Opens the bytes below a store; `None` keeps its rows in memory.
pub type OpenStore<'a> = &'a mut dyn FnMut(&StoreSpec) -> Result<Option<Box<dyn ByteStore>>, BoxError>;

/// Which task to make, and from what.
pub struct TaskSpec<'a> {
    /// The sub-topologies that the task runs, by number: one, or all global ones. An application has a task for each; the
    /// test driver has one for all that are not global.
    pub subtopologies: &'a [usize],
    /// The partition that it works on; a task of global sub-topologies works on all.
    pub partition: u32,
    /// The application's id, which goes before the names of its own topics.
    pub application: &'a str,
    /// All topics that exist: sources by pattern choose among them.
    pub topics: &'a [TopicName],
    /// How many partitions topics have.
    pub counts: Arc<dyn PartitionCounts>,
    /// How the task works.
    pub settings: TaskSettings,
    /// The process's global stores, the same for all its tasks.
    pub globals: Arc<GlobalStores>,
    /// Opens the bytes below a store that is kept on disk.
    pub open_store: OpenStore<'a>,
}

/// A partition that a task reads, and the source that it feeds. Its number in the list is the queue's.
pub struct SourceQueue {
    /// The topic's full name.
    pub topic: TopicName,
    /// The partition.
    pub partition: u32,
    /// The source.
    pub runner: Arc<dyn SourceRunner>,
    /// The number of the store that its records fill, if they do nothing else.
    pub fills: Option<usize>,
    /// Where to begin when the application has no place in the partition.
    pub reset: OffsetReset,
}

/// The stores of a task, by the program's number.
#[derive(Default)]
struct OpenedStores {
    stores: Vec<Option<Box<dyn StateStore>>>,
    positions: Vec<Option<Positions>>,
}

impl Topology {
    /// Places for the global stores of a process, all empty: the task that maintains them fills them.
    pub fn global_stores(&self) -> Arc<GlobalStores> {
        Arc::new(GlobalStores::new(self.stores().len()))
    }

    /// Makes a task's state and the list of its queues.
    pub fn instantiate(&self, mut spec: TaskSpec<'_>) -> Result<(TaskState, Vec<SourceQueue>), InstantiateError> {
        let partition = spec.partition;
        let fail = |cause: BoxError| InstantiateError { partition, cause };
        let subtopologies: Vec<&Subtopology> = spec.subtopologies.iter().map(|id| &self.subtopologies()[*id]).collect();
        let in_task = |node: usize| subtopologies.iter().any(|sub| sub.nodes.contains(&node));
        let queues = self.queues(&spec, &subtopologies);
        self.check_restores(&spec).map_err(fail)?;
        let global = subtopologies.iter().any(|sub| sub.is_global());
        assert!(
            !global || subtopologies.iter().all(|sub| sub.is_global()),
            "a task is global as a whole or not at all"
        );
        let errors = if global { spec.settings.errors.of_globals() } else { spec.settings.errors.clone() };
        let OpenedStores { mut stores, positions } = self.open_stores(&mut spec, &errors).map_err(fail)?;
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
        let maintained: Box<[usize]> = (0..stores.len()).filter(|number| global && stores[*number].is_some()).collect();
        for number in &maintained {
            if let Some(store) = stores[*number].take() {
                spec.globals.put(*number, store);
            }
        }
        let fills = |name: &Arc<str>| self.program.filled.iter().flatten().any(|filled| filled.processor == *name);
        let processors = self.program.processors.iter().enumerate();
        let filling = processors.filter(|(_, processor)| fills(processor.name())).map(|(slot, _)| slot).collect();
        let is_cached = |number: &usize| stores[*number].as_ref().is_some_and(|store| store.is_cached());
        let parts = TaskParts {
            partition,
            cached: self.program.flush_order.iter().copied().filter(is_cached).collect(),
            flushers: self.program.flushers.clone(),
            cache_budget: CacheBudget::new(spec.settings.cache_bytes),
            stores,
            changelogs,
            positions,
            globals: spec.globals,
            maintained,
            filling,
            instances,
            times: self.program.timed.iter().map(|node| (node.clone(), Undoable::default())).collect(),
            following: self
                .program
                .following
                .iter()
                .filter(|(node, _)| in_task(*node))
                .map(|(_, node)| node.clone())
                .collect(),
            emit_interval: millis(spec.settings.emit_interval),
            idle_advance: spec.settings.idle_advance.filter(|_| !global).map(|idle| millis(idle).max(1)),
            processors: self.program.processors.clone(),
            heads,
            outputs,
            errors,
        };
        Ok((TaskState::new(parts), queues))
    }

    fn open_stores(&self, spec: &mut TaskSpec<'_>, errors: &ErrorSettings) -> Result<OpenedStores, BoxError> {
        let mut opened = OpenedStores::default();
        for (number, (store, filled)) in self.stores().iter().zip(&self.program.filled).enumerate() {
            let of_task =
                self.subtopology_of_store(store.name()).is_some_and(|sub| spec.subtopologies.contains(&sub.id));
            if !of_task {
                opened.stores.push(None);
                opened.positions.push(None);
                continue;
            }
            let (mut below, mut positions) = ((spec.open_store)(store)?, None);
            if filled.is_some()
                && let Some(bytes) = below.take()
            {
                let (positioned, places) = PositionedStore::over(bytes)?;
                (below, positions) = (Some(positioned), Some(places));
            }
            let keeps_old = self.program.flushers[number].as_ref().is_some_and(|flusher| flusher.sends_old());
            let mut state = store.open(&spec.settings, keeps_old, below);
            state.journal(errors.may_skip_halfway());
            opened.stores.push(Some(state));
            opened.positions.push(positions);
        }
        Ok(opened)
    }

    /// A topic that a store restores from has every record; a row whose change was taken back would come again.
    fn check_restores(&self, spec: &TaskSpec<'_>) -> Result<(), BoxError> {
        let errors = &spec.settings.errors;
        let undoes = errors.partial_effects == PartialEffects::Undo && errors.may_skip_halfway();
        match self.stores().iter().find(|store| undoes && store.source_topic().is_some()) {
            Some(store) => Err(format!(
                "store `{}` is restored from topic `{}`, which still has the records that a handler skips and whose changes \
                 are undone: keep partial effects, or name what the store's changelog gets, so that it has one of its own",
                store.name(),
                store.source_topic().unwrap_or_default()
            )
            .into()),
            None => Ok(()),
        }
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
            let name = &self.program.nodes[*number].name;
            let fills =
                self.program.filled.iter().position(|filled| filled.as_ref().is_some_and(|f| f.source == *name));
            let global = subtopologies.iter().any(|sub| sub.is_global());
            for topic in topics {
                let all = 0..if global { spec.counts.partitions(&topic).unwrap_or(0) } else { 0 };
                let partitions = all.chain((!global).then_some(spec.partition));
                let chosen = runner.reset().unwrap_or(spec.settings.offset_reset);
                let reset = if global { OffsetReset::Earliest } else { chosen };
                queues.extend(partitions.map(|partition| SourceQueue {
                    topic: topic.clone(),
                    partition,
                    runner: runner.clone(),
                    fills,
                    reset,
                }));
            }
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
