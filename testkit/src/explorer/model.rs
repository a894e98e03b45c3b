//! What does not change during a search: the topology, its tasks and partitions, the scripts, the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill::processor::{GlobalStores, PartitionCounts};
use tidemill::record::{Batch, TopicName, TopicPartition};
use tidemill::state::{ByteStore, Changelog, StateStore};
use tidemill::task::Task;
use tidemill::topology::{NodeKind, NodeView, SinkTopic, TaskSettings, TaskSpec, TopicRef, Topology, changelog_topic};

use super::backend::{Budgets, Guarantee, Rules};

/// The application's id, which goes before the names of its own topics.
pub(super) const APPLICATION: &str = "explored";

pub(super) struct Model {
    topology: Topology,
    settings: TaskSettings,
    counts: Counts,
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
    /// By process: the task that maintains its global stores, if the topology has any.
    pub(super) global_tasks: Vec<Option<usize>>,
    pub(super) scripts: Vec<Script>,
    /// What lies in the partitions before anything starts, and is known to do so.
    pub(super) given: Vec<Script>,
    /// Scripts that may as well be sent before anything starts.
    pub(super) early: Vec<Script>,
    /// Whether anybody can see that a commit happened.
    pub(super) commits_show: bool,
    /// By partition, where it is no changelog: the tasks that may write to it.
    writers: Vec<Vec<usize>>,
    /// By partition: whether nobody can see how long its records were on their way.
    pub(super) at_once: Vec<bool>,
}

/// A task of the application.
pub(super) struct TaskPlace {
    pub(super) subtopologies: Vec<usize>,
    pub(super) partition: u32,
    /// Where it runs: tasks of a process share its global stores.
    pub(super) process: usize,
    /// Whether it maintains the global stores of its process.
    pub(super) is_global: bool,
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
    /// When the topology does not fit the topics.
    pub(super) fn new(parts: Parts<'_>) -> Model {
        let Parts { topology, settings, rules, budgets, .. } = parts;
        let mut counts = parts.counts.clone();
        let known: Vec<TopicName> = counts.0.keys().cloned().collect();
        let plan = topology.plan(APPLICATION, settings.changelog, &known, &counts);
        let plan = plan.unwrap_or_else(|errors| panic!("{errors}"));
        counts.0.extend(plan.internal.iter().map(|need| (need.name.clone(), need.partitions)));
        let mut model = Model {
            topology: topology.clone(),
            settings: settings.clone(),
            counts,
            rules,
            budgets,
            reduces: parts.reduces,
            partitions: Vec::new(),
            numbers: BTreeMap::new(),
            internal: Vec::new(),
            changelogs: Vec::new(),
            tasks: Vec::new(),
            threads: Vec::new(),
            global_tasks: Vec::new(),
            scripts: Vec::new(),
            given: Vec::new(),
            early: Vec::new(),
            commits_show: true,
            writers: Vec::new(),
            at_once: Vec::new(),
        };
        model.add_partitions(&plan.internal.iter().map(|need| need.name.clone()).collect::<Vec<_>>());
        for (subtopology, tasks) in plan.tasks.iter().enumerate() {
            for partition in 0..*tasks {
                let process = if parts.one_thread || rules.one_epoch { 0 } else { model.tasks.len() };
                model.add_task((vec![subtopology], partition), process, false);
            }
        }
        model.threads = if parts.one_thread {
            vec![(0..model.tasks.len()).collect()]
        } else {
            (0..model.tasks.len()).map(|task| vec![task]).collect()
        };
        model.add_global_tasks();
        model.given = model.scripts_of(parts.given);
        let scripts = model.scripts_of(parts.script);
        (model.early, model.scripts) = scripts.into_iter().partition(|script| model.may_come_early(script.log));
        model.commits_show = model.do_commits_show();
        model.writers = (0..model.partitions.len()).map(|log| model.writers_of(log)).collect();
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
        // Those that the topology reads by a pattern are known by how many partitions they have.
        let counted = self.counts.0.keys().filter(|name| !internal.contains(name));
        names.extend(counted.map(|name| (name.clone(), false)));
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

    /// Every process maintains the global stores for itself, by its first thread. On the embedded log there is one process; on
    /// Kafka each thread may be in a process of its own.
    fn add_global_tasks(&mut self) {
        let subtopologies = self.topology.subtopologies().iter().filter(|sub| sub.is_global());
        let subtopologies: Vec<usize> = subtopologies.map(|sub| sub.id).collect();
        for process in 0..if self.rules.one_epoch { 1 } else { self.threads.len() } {
            let number = (!subtopologies.is_empty()).then_some(self.tasks.len());
            self.global_tasks.push(number);
            if let Some(number) = number {
                self.add_task((subtopologies.clone(), 0), process, true);
                // A topology of global stores alone has no other task.
                if self.threads.is_empty() {
                    self.threads.push(Vec::new());
                }
                self.threads[process].insert(0, number);
            }
        }
    }

    fn add_task(&mut self, (subtopologies, partition): (Vec<usize>, u32), process: usize, is_global: bool) {
        let task = self.make_task((&subtopologies, partition), &self.global_stores());
        let inputs: BTreeMap<usize, usize> = task.inputs().map(|(queue, input)| (queue, self.number(input))).collect();
        let written: Vec<&TopicRef> = self.topology.sink_topics();
        let mut fetch_order: Vec<(usize, usize)> = inputs.iter().map(|(queue, log)| (*queue, *log)).collect();
        // What the application writes itself is what its tables are made of.
        let own = |log: usize| written.iter().any(|topic| topic.resolve(APPLICATION) == self.partitions[log].topic);
        fetch_order.sort_by_key(|(queue, log)| (!own(*log), *queue));
        self.tasks.push(TaskPlace { subtopologies, partition, process, is_global, inputs, fetch_order });
    }

    /// Whether "it is there, and not fetched yet" is the same as "it is not there yet": nobody knows how far the partition
    /// reaches, and no other records come between.
    fn may_come_early(&self, log: usize) -> bool {
        let own = |topic: &&TopicRef| topic.resolve(APPLICATION) == self.partitions[log].topic;
        // A process that begins reads its global stores' topics to their ends.
        let fills_globals =
            self.tasks.iter().any(|task| task.is_global && task.inputs.values().any(|input| *input == log));
        let knows_ends = self.rules.idling || fills_globals;
        let is_known = (self.rules.idling && self.rules.exact_ends) || (knows_ends && self.budgets.has_faults());
        self.reduces && !is_known && !self.topology.sink_topics().iter().any(own)
    }

    /// Whether nobody can see how long a partition's records were on their way: no other producer's come between, and they
    /// are part of a transaction that shows them at its end, or nobody looks, and a reader may come as late as it likes.
    fn may_arrive_at_once(&self, log: usize, looks_on_the_way: bool) -> bool {
        if self.rules.instant_appends {
            return true;
        }
        let unread = !self.tasks.iter().any(|task| task.inputs.values().any(|input| *input == log));
        let unseen = match self.rules.guarantee {
            // What a former owner has sent holds up readers until it is taken back.
            Guarantee::ExactlyOnce => unread || self.budgets.rebalances == 0,
            // A crash loses what is on its way, and whoever knows the end of the partition waits for what has arrived.
            Guarantee::AtLeastOnce => {
                !looks_on_the_way && !self.budgets.has_faults() && (unread || !self.rules.exact_ends)
            }
        };
        self.reduces && unseen && (self.changelogs[log] || self.writers[log].len() == 1)
    }

    /// The tasks whose sinks write a partition's topic, or choose topics by the record. Dead letters come from every task.
    fn writers_of(&self, log: usize) -> Vec<usize> {
        let topic = &self.partitions[log].topic;
        let takes_letters = self.settings.errors.dead_letter_topics().any(|dead| dead == topic);
        let writes = |node: &NodeView| match &node.kind {
            NodeKind::Sink(SinkTopic::Fixed(to)) => to.resolve(APPLICATION) == *topic,
            NodeKind::Sink(SinkTopic::Chosen) => true,
            _ => false,
        };
        let may_write = |task: &TaskPlace| {
            let subtopologies = task.subtopologies.iter().map(|number| &self.topology.subtopologies()[*number]);
            takes_letters || subtopologies.flat_map(|sub| self.topology.nodes_of(sub)).any(writes)
        };
        (0..self.tasks.len()).filter(|number| may_write(&self.tasks[*number])).collect()
    }

    /// Whether the search counts on it that a task may write to a partition.
    pub(super) fn expects(&self, task: usize, log: usize) -> bool {
        !self.reduces || self.writers[log].contains(&task)
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
            let mut task = self.make_task((&task.subtopologies, task.partition), &self.global_stores());
            task.state().stores().any(|(_, store): (usize, &dyn StateStore)| store.is_cached())
        };
        !self.reduces
            || self.rules.one_epoch
            || self.rules.guarantee == Guarantee::ExactlyOnce
            || self.budgets.has_faults()
            || self.tasks.iter().any(holds_back)
    }

    /// Global stores of a process, all empty.
    pub(super) fn global_stores(&self) -> Arc<GlobalStores> {
        self.topology.global_stores()
    }

    /// A task as it is before it has done anything, of a process with these global stores. Its rows lie in memory.
    pub(super) fn make_task(&self, of: (&[usize], u32), globals: &Arc<GlobalStores>) -> Task {
        self.make_task_on(of, globals, &mut |_| None)
    }

    /// The same with stores that lie where `open` says.
    pub(super) fn make_task_on(
        &self,
        (subtopologies, partition): (&[usize], u32),
        globals: &Arc<GlobalStores>,
        open: &mut dyn FnMut(&str) -> Option<Box<dyn ByteStore>>,
    ) -> Task {
        let topics: Vec<TopicName> = self.counts.0.keys().cloned().collect();
        let spec = TaskSpec {
            subtopologies,
            partition,
            application: APPLICATION,
            topics: &topics,
            counts: Arc::new(self.counts.clone()),
            settings: self.settings.clone(),
            globals: globals.clone(),
            open_store: &mut |store| Ok(open(store.name())),
        };
        Task::new(&self.topology, spec).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Whether there is such a partition.
    pub(super) fn knows(&self, partition: &TopicPartition) -> bool {
        self.numbers.contains_key(partition)
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

    pub(super) fn has_globals(&self) -> bool {
        self.global_tasks.iter().any(Option::is_some)
    }

    /// The task that maintains the global stores that a thread's tasks read.
    pub(super) fn global_task(&self, thread: usize) -> Option<usize> {
        self.global_tasks[if self.rules.one_epoch { 0 } else { thread }]
    }

    /// How a task is called: sub-topology and partition.
    pub(super) fn task_name(&self, task: usize) -> String {
        let TaskPlace { subtopologies, partition, process, is_global, .. } = &self.tasks[task];
        if !is_global {
            return format!("{}_{partition}", subtopologies[0]);
        }
        let beside = self.threads[*process].iter().find(|other| !self.tasks[**other].is_global);
        match beside.filter(|_| self.global_tasks.len() > 1) {
            Some(beside) => format!("global (beside {})", self.task_name(*beside)),
            None => "global".to_owned(),
        }
    }
}
