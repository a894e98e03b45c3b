//! What does not change during a search: the topology, its tasks and partitions, the scripts, the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill::processor::{GlobalStores, PartitionCounts};
use tidemill::record::{Batch, TopicName, TopicPartition};
use tidemill::state::{Changelog, StateStore};
use tidemill::task::Task;
use tidemill::topology::{TaskSettings, TaskSpec, TopicRef, Topology, changelog_topic};

use super::backend::{Budgets, Guarantee, Rules};

/// The application's id, which goes before the names of its own topics.
pub(super) const APPLICATION: &str = "explored";

pub(super) struct Model {
    topology: Topology,
    settings: TaskSettings,
    counts: Counts,
    globals: Arc<GlobalStores>,
    pub(super) rules: Rules,
    pub(super) budgets: Budgets,
    /// Whether steps that nobody can tell apart are taken once.
    pub(super) reduces: bool,
    pub(super) partitions: Vec<TopicPartition>,
    numbers: BTreeMap<TopicPartition, usize>,
    /// Partitions that are no outcome: changelogs and repartition topics.
    pub(super) internal: Vec<bool>,
    /// Changelogs.
    changelogs: Vec<bool>,
    pub(super) tasks: Vec<TaskPlace>,
    /// The tasks of each thread.
    pub(super) threads: Vec<Vec<usize>>,
    pub(super) scripts: Vec<Script>,
    /// What lies in the partitions before anything starts, and is known to do so.
    pub(super) given: Vec<Script>,
    /// Scripts that may as well be sent before anything starts.
    pub(super) early: Vec<Script>,
    /// Whether anybody can see that a commit happened.
    pub(super) commits_show: bool,
    /// By partition: whether nobody can see how long its records were on their way.
    pub(super) at_once: Vec<bool>,
}

/// A task of the application.
pub(super) struct TaskPlace {
    pub(super) subtopology: usize,
    pub(super) partition: u32,
    /// By queue the number of the partition that it reads.
    pub(super) inputs: BTreeMap<usize, usize>,
    /// The queues and their partitions, those that make tables first: as a developer imagines it.
    pub(super) fetch_order: Vec<(usize, usize)>,
}

/// Records for a partition, one by one.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) log: usize,
    pub(super) records: Vec<Arc<Batch>>,
}

/// How many partitions topics have: one where nothing else was said.
#[derive(Clone, Default)]
pub(super) struct Counts(pub(super) BTreeMap<TopicName, u32>);

impl PartitionCounts for Counts {
    fn partitions(&self, topic: &str) -> Option<u32> {
        Some(self.0.get(topic).copied().unwrap_or(1))
    }
}

/// Records by the partition that they go to.
pub(super) type Records = BTreeMap<TopicPartition, Vec<Arc<Batch>>>;

/// What a search is made from.
pub(super) struct Parts<'a> {
    pub(super) topology: &'a Topology,
    pub(super) settings: &'a TaskSettings,
    pub(super) counts: &'a Counts,
    pub(super) rules: Rules,
    pub(super) budgets: Budgets,
    pub(super) one_thread: bool,
    pub(super) reduces: bool,
    /// Whether a question looks at worlds on the way, and not at ends and single records only.
    pub(super) looks_on_the_way: bool,
    pub(super) script: &'a Records,
    pub(super) given: &'a Records,
}

impl Model {
    /// # Panics
    ///
    /// When the topology does not fit the topics, or maintains global stores.
    pub(super) fn new(parts: Parts<'_>) -> Model {
        let Parts { topology, settings, rules, budgets, .. } = parts;
        let mut counts = parts.counts.clone();
        let known: Vec<TopicName> = counts.0.keys().cloned().collect();
        let plan = topology.plan(APPLICATION, settings.changelog, &known, &counts);
        let plan = plan.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(
            !topology.subtopologies().iter().any(|sub| sub.is_global()),
            "the explorer does not know global stores yet: explore the topology without them"
        );
        counts.0.extend(plan.internal.iter().map(|need| (need.name.clone(), need.partitions)));
        let mut model = Model {
            topology: topology.clone(),
            settings: settings.clone(),
            counts,
            globals: topology.global_stores(),
            rules,
            budgets,
            reduces: parts.reduces,
            partitions: Vec::new(),
            numbers: BTreeMap::new(),
            internal: Vec::new(),
            changelogs: Vec::new(),
            tasks: Vec::new(),
            threads: Vec::new(),
            scripts: Vec::new(),
            given: Vec::new(),
            early: Vec::new(),
            commits_show: true,
            at_once: Vec::new(),
        };
        model.add_partitions(&plan.internal.iter().map(|need| need.name.clone()).collect::<Vec<_>>());
        for (subtopology, tasks) in plan.tasks.iter().enumerate() {
            (0..*tasks).for_each(|partition| model.add_task(subtopology, partition));
        }
        model.threads = if parts.one_thread {
            vec![(0..model.tasks.len()).collect()]
        } else {
            (0..model.tasks.len()).map(|task| vec![task]).collect()
        };
        model.given = model.scripts_of(parts.given);
        let scripts = model.scripts_of(parts.script);
        (model.early, model.scripts) = scripts.into_iter().partition(|script| model.may_come_early(script.log));
        model.commits_show = model.do_commits_show();
        model.at_once =
            (0..model.partitions.len()).map(|log| model.may_arrive_at_once(log, parts.looks_on_the_way)).collect();
        model
    }

    fn add_partitions(&mut self, internal: &[TopicName]) {
        let topics = self.topology.source_topics().into_iter().chain(self.topology.sink_topics());
        let external = topics.filter_map(|topic| match topic {
            TopicRef::External(name) => Some(name.clone()),
            _ => None,
        });
        let mut names: Vec<(TopicName, bool)> = external.map(|name| (name, false)).collect();
        names.extend(internal.iter().map(|name| (name.clone(), true)));
        names.sort();
        names.dedup();
        let stores = self.topology.stores();
        let changelogs: Vec<TopicName> =
            stores.iter().map(|store| changelog_topic(APPLICATION, store.name())).collect();
        for (name, is_internal) in names {
            for partition in 0..self.counts.partitions(&name).unwrap_or(1) {
                let to = TopicPartition::new(name.clone(), partition);
                self.numbers.insert(to.clone(), self.partitions.len());
                self.partitions.push(to);
                self.internal.push(is_internal);
                self.changelogs.push(changelogs.contains(&name));
            }
        }
    }

    fn add_task(&mut self, subtopology: usize, partition: u32) {
        let task = self.make_task(subtopology, partition);
        let inputs: BTreeMap<usize, usize> = task.inputs().map(|(queue, input)| (queue, self.number(input))).collect();
        let written: Vec<&TopicRef> = self.topology.sink_topics();
        let mut fetch_order: Vec<(usize, usize)> = inputs.iter().map(|(queue, log)| (*queue, *log)).collect();
        // What the application writes itself is what its tables are made of.
        let own = |log: usize| written.iter().any(|topic| topic.resolve(APPLICATION) == self.partitions[log].topic);
        fetch_order.sort_by_key(|(queue, log)| (!own(*log), *queue));
        self.tasks.push(TaskPlace { subtopology, partition, inputs, fetch_order });
    }

    /// Whether "it is there, and not fetched yet" is the same as "it is not there yet": nobody knows how far the partition
    /// reaches, and no other records come between.
    fn may_come_early(&self, log: usize) -> bool {
        let own = |topic: &&TopicRef| topic.resolve(APPLICATION) == self.partitions[log].topic;
        let is_known = self.rules.idling && (self.rules.exact_ends || self.budgets.has_faults());
        self.reduces && !is_known && !self.topology.sink_topics().iter().any(own)
    }

    /// Whether nobody can see how long a partition's records were on their way: no task reads them, no other producer's come
    /// between, and nobody looks, or they are part of a transaction that shows them at its end.
    fn may_arrive_at_once(&self, log: usize, looks_on_the_way: bool) -> bool {
        if self.rules.instant_appends {
            return true;
        }
        let unread = !self.tasks.iter().any(|task| task.inputs.values().any(|input| *input == log));
        let unseen = match self.rules.guarantee {
            Guarantee::ExactlyOnce => true,
            // A crash loses what is on its way.
            Guarantee::AtLeastOnce => !looks_on_the_way && !self.budgets.has_faults(),
        };
        self.reduces && unread && unseen && (self.changelogs[log] || self.tasks.len() == 1)
    }

    fn scripts_of(&self, records: &Records) -> Vec<Script> {
        let script = |(to, records): (&TopicPartition, &Vec<Arc<Batch>>)| {
            let log = self.numbers.get(to).copied();
            let log =
                log.unwrap_or_else(|| panic!("the topology neither reads nor writes `{to}`: give it another input"));
            Script { log, records: records.clone() }
        };
        records.iter().map(script).collect()
    }

    /// Without faults nobody reads positions and changelogs; a commit then shows by what becomes visible or leaves a cache.
    fn do_commits_show(&self) -> bool {
        let holds_back = |task: &TaskPlace| {
            let mut task = self.make_task(task.subtopology, task.partition);
            task.state().stores().any(|(_, store): (usize, &dyn StateStore)| store.is_cached())
        };
        !self.reduces
            || self.rules.one_epoch
            || self.rules.guarantee == Guarantee::ExactlyOnce
            || self.budgets.has_faults()
            || self.tasks.iter().any(holds_back)
    }

    /// A task as it is before it has done anything.
    pub(super) fn make_task(&self, subtopology: usize, partition: u32) -> Task {
        let topics: Vec<TopicName> = self.counts.0.keys().cloned().collect();
        let spec = TaskSpec {
            subtopologies: &[subtopology],
            partition,
            application: APPLICATION,
            topics: &topics,
            counts: Arc::new(self.counts.clone()),
            settings: self.settings.clone(),
            globals: self.globals.clone(),
            open_store: &mut |_| Ok(None),
        };
        Task::new(&self.topology, spec).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The number of a partition.
    pub(super) fn number(&self, partition: &TopicPartition) -> usize {
        let number = self.numbers.get(partition).copied();
        number.unwrap_or_else(|| panic!("`{partition}` is written, but the topology does not name its topic"))
    }

    /// The partitions of a topic.
    pub(super) fn logs_of(&self, topic: &str) -> impl Iterator<Item = usize> {
        let of_topic = |(_, partition): &(usize, &TopicPartition)| *partition.topic == *topic;
        self.partitions.iter().enumerate().filter(of_topic).map(|(log, _)| log).collect::<Vec<_>>().into_iter()
    }

    pub(super) fn is_changelog(&self, log: usize) -> bool {
        self.changelogs[log]
    }

    /// Whether changelogs are ever read.
    pub(super) fn restores(&self) -> bool {
        self.budgets.has_faults() && self.settings.changelog != Changelog::Off
    }

    /// How a task is called: sub-topology and partition.
    pub(super) fn task_name(&self, task: usize) -> String {
        format!("{}_{}", self.tasks[task].subtopology, self.tasks[task].partition)
    }
}
