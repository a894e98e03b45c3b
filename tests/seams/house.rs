//! Runs whole applications on the memory log in the calling thread: an executor with all tasks, and what it leaves behind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tidemill::exec::{Chooser, Committer, Executor, Settings, Step, TraceEvent};
use tidemill::log::{Append, Log, MemoryLog, Notes, Session, TopicSpec};
use tidemill::processor::{GlobalStores, PartitionCounts};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicName, TopicPartition, partition_of_record};
use tidemill::state::{ByteStore, Changelog, Checkpoint};
use tidemill::task::Task;
use tidemill::topology::{TaskSettings, TaskSpec, Topology};
use tidemill::{ManualClock, Topic};

use super::shared_memory::SharedMemory;

pub(crate) const APPLICATION: &str = "app";

/// A log with the topics of an application.
pub(crate) struct House {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) clock: ManualClock,
    topology: Topology,
    disk: Disk,
}

/// The bytes below the stores, by store and partition; they stay when an executor ends.
pub(crate) type Disk = Arc<Mutex<BTreeMap<(String, u32), SharedMemory>>>;

struct LogCounts(Arc<MemoryLog>);

impl PartitionCounts for LogCounts {
    fn partitions(&self, topic: &str) -> Option<u32> {
        self.0.topic(topic).unwrap().map(|topic| topic.partitions)
    }
}

/// A record's key and value, in bytes.
pub(crate) type KeyValue = (Vec<u8>, Option<Vec<u8>>);

/// What an executor did.
pub(crate) type Events = Arc<Mutex<Vec<TraceEvent>>>;

impl House {
    /// Creates the topics, each with this number of partitions, and what the application needs besides.
    pub(crate) fn new(topology: &Topology, topics: &[(&str, u32)]) -> House {
        let (log, clock) = (Arc::new(MemoryLog::new()), ManualClock::default());
        for (topic, partitions) in topics {
            log.create_topic(&TopicSpec::new(*topic, *partitions)).unwrap();
        }
        let counts = LogCounts(log.clone());
        let plan = topology.plan(APPLICATION, Changelog::LastPerCommit, &[], &counts).unwrap();
        for need in plan.internal {
            log.create_topic(&TopicSpec::new(need.name, need.partitions)).unwrap();
        }
        House { log, clock, topology: topology.clone(), disk: Disk::default() }
    }

    /// The same with stores that lie here.
    pub(crate) fn on(self, disk: &Disk) -> House {
        House { disk: disk.clone(), ..self }
    }

    /// Appends a record to the partition of its key.
    pub(crate) fn send<K, V>(&self, topic: &Topic<K, V>, key: impl Into<K>, value: V, at: i64) {
        let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
        topic.key_serde().write(&key.into(), &mut key_bytes).unwrap();
        topic.value_serde().write(&value, &mut value_bytes).unwrap();
        let partitions = self.log.topic(topic.name()).unwrap().unwrap().partitions;
        let partition = partition_of_record(Some(&key_bytes), Some(&value_bytes), partitions);
        let mut records = BatchBuilder::default();
        records.push(Timestamp::from_millis(at), Some(&key_bytes), Some(&value_bytes), &Headers::NONE);
        let to = TopicPartition::new(topic.name(), partition);
        let append = Append { to, records: records.finish(Offset::ZERO) };
        self.log.append(vec![append], "", Notes::new()).unwrap();
    }

    pub(crate) fn session(&self) -> Arc<dyn Session> {
        self.log.session(APPLICATION).unwrap().into()
    }

    /// An executor that goes on where the application's last commit was.
    pub(crate) fn executor(&self, settings: Settings) -> (Executor, Events) {
        let session = self.session();
        self.executor_on(session.clone(), Arc::new(session), settings)
    }

    /// The same, with the number of changelog records that it restored.
    pub(crate) fn restored(&self, settings: Settings) -> (Executor, u64) {
        let session = self.session();
        self.add_tasks(session.clone(), Arc::new(session), settings)
    }

    /// The same with a committer of the test's own.
    pub(crate) fn executor_on(
        &self,
        session: Arc<dyn Session>,
        committer: Arc<dyn Committer>,
        settings: Settings,
    ) -> (Executor, Events) {
        let (mut executor, _) = self.add_tasks(session, committer, settings);
        let events = Events::default();
        let into = events.clone();
        executor.trace(move |event| into.lock().unwrap().push(event));
        (executor, events)
    }

    /// How much of its changelog each store has written down.
    pub(crate) fn checkpoints(&self) -> Vec<Option<Checkpoint>> {
        self.disk.lock().unwrap().values().map(|bytes| bytes.checkpoint().unwrap()).collect()
    }

    fn add_tasks(
        &self,
        session: Arc<dyn Session>,
        committer: Arc<dyn Committer>,
        settings: Settings,
    ) -> (Executor, u64) {
        let progress = session.progress().unwrap();
        let clock = Arc::new(self.clock.clone());
        let mut executor = Executor::new(self.log.clone(), session, committer, clock, settings);
        let mut restored = 0;
        let globals = self.topology.global_stores();
        let global: Vec<usize> =
            self.topology.subtopologies().iter().filter(|sub| sub.is_global()).map(|sub| sub.id).collect();
        let mut ids = vec![(global, 0)];
        for (sub, partitions) in self.tasks().into_iter().enumerate() {
            ids.extend((0..partitions).map(|partition| (vec![sub], partition)));
        }
        for (subtopologies, partition) in ids.into_iter().filter(|(subs, _)| !subs.is_empty()) {
            let task = self.task(&subtopologies, partition, &globals);
            restored += executor.add_task(task, APPLICATION, &progress).unwrap();
        }
        (executor, restored)
    }

    fn tasks(&self) -> Vec<u32> {
        let counts = LogCounts(self.log.clone());
        self.topology.plan(APPLICATION, Changelog::LastPerCommit, &[], &counts).unwrap().tasks
    }

    /// A task that is not with an executor yet.
    pub(crate) fn newcomer(&self, subtopology: usize, partition: u32) -> Task {
        self.task(&[subtopology], partition, &self.topology.global_stores())
    }

    fn task(&self, subtopologies: &[usize], partition: u32, globals: &Arc<GlobalStores>) -> Task {
        let spec = TaskSpec {
            subtopologies,
            partition,
            application: APPLICATION,
            topics: &[],
            counts: Arc::new(LogCounts(self.log.clone())),
            settings: TaskSettings::default(),
            globals: globals.clone(),
            open_store: &mut |store| {
                let bytes = self.disk.lock().unwrap().entry((store.name().to_string(), partition)).or_default().clone();
                Ok(Some(Box::new(bytes)))
            },
        };
        Task::new(&self.topology, spec).unwrap()
    }

    /// The committed records of a topic by partition.
    pub(crate) fn records(&self, topic: &str) -> Vec<Vec<KeyValue>> {
        let partitions = self.log.topic(topic).unwrap().unwrap().partitions;
        let read = |partition| {
            let mut records = Vec::new();
            let partition = TopicPartition::new(topic, partition);
            let start = self.log.bounds(&partition).unwrap().start;
            for batch in self.log.read(&partition, start, usize::MAX).unwrap() {
                let add = |_, record: tidemill::record::StoredRecord<'_>| {
                    records.push((record.key.unwrap().to_vec(), record.value.map(<[u8]>::to_vec)));
                    Ok::<_, ()>(())
                };
                batch.for_each(add).unwrap();
            }
            records
        };
        (0..partitions).map(read).collect()
    }

    /// The last committed value of every key of a topic.
    pub(crate) fn last_values(&self, topic: &str) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        self.records(topic).into_iter().flatten().collect()
    }

    /// The committed end of every partition of every topic.
    pub(crate) fn ends(&self) -> BTreeMap<(TopicName, u32), Offset> {
        let topics = self.log.topics().unwrap().into_iter();
        let partitions = topics.flat_map(|topic| (0..topic.partitions).map(move |number| (topic.name.clone(), number)));
        let end = |(topic, number): (TopicName, u32)| {
            let end = self.log.bounds(&TopicPartition::new(topic.clone(), number)).unwrap().end;
            ((topic, number), end)
        };
        partitions.map(end).collect()
    }
}

/// Takes steps until nothing is left to do but to wait for the next commit.
pub(crate) fn run(executor: &mut Executor, chooser: &mut dyn Chooser) -> Vec<Step> {
    std::iter::from_fn(|| executor.step(chooser).unwrap()).collect()
}

/// Chooses by a seed (SplitMix64).
pub(crate) struct SeededChooser(pub(crate) u64);

impl Chooser for SeededChooser {
    fn choose(&mut self, enabled: &[Step]) -> Option<usize> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let count = enabled.len() as u64;
        usize::try_from((z ^ (z >> 31)) % count).ok()
    }
}
