//! Runs a topology in the calling thread, one record at a time, on a clock that moves when told.
//!
//! Rule: the driver only decides when records are handed to tasks and when they commit; everything else is the task's own
//! code. By default it does what Kafka's `TopologyTestDriver` does: one partition, all sub-topologies in one task, a commit
//! after every record, and what the topology writes to topics that it reads itself is processed before `send` returns.

mod calls;
mod error;
mod input;
mod output;
mod store_view;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill::processor::{Answer, CallId, DropCounts, ErrorSettings, GlobalStores};
use tidemill::record::{
    Batch, BatchBuilder, Headers, Offset, Timestamp, TopicName, TopicPartition, partition_of_record,
};
use tidemill::serde::Data;
use tidemill::state::{Changelog, Descriptor};
use tidemill::task::Task;
use tidemill::topology::{TaskSettings, TaskSpec, Topology};
use tidemill::{Clock, ManualClock, Topic};

pub use calls::Calls;
pub use error::DriverError;
pub use input::Input;
pub use output::{Output, OutputRecord, RawRecord};
pub use store_view::StoreView;

use calls::OpenCalls;
use topics::Topics;

/// When the driver commits. What a topology writes becomes visible, to itself and to the test, at the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commit {
    /// After every record, as `TopologyTestDriver` does. Loops look safe that are not safe on a cluster.
    #[default]
    EveryRecord,
    /// After so many records.
    Every(u64),
    /// When [`TestDriver::commit`] is called: as on a cluster between two commits.
    OnDemand,
}

/// Which topics' records the driver keeps for the test to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// All, changelogs and repartition topics included.
    #[default]
    All,
    /// These.
    Topics(Vec<String>),
    /// None: for long runs.
    None,
}

/// Runs a topology in a test, in the calling thread, one record at a time.
///
/// By default it does what Kafka's `TopologyTestDriver` does: one partition, all sub-topologies in one task, a commit after
/// every record, and what the topology writes to topics that it reads itself is processed before `send` returns.
///
/// Settings come first, in a chain; the first input starts the tasks.
///
/// ```
/// use tidemill::{Topic, stream::StreamsBuilder};
/// use tidemill_testkit::TestDriver;
///
/// const IN: Topic<String, i64> = Topic::of("in");
/// const OUT: Topic<String, i64> = Topic::of("out");
///
/// let builder = StreamsBuilder::new();
/// builder.stream(&IN).filter(|_key, value| *value > 0).to(&OUT);
///
/// let mut driver = TestDriver::new(&builder.build()?).partitions("in", 3);
/// driver.input(&IN).at(7).send("a", -1);
/// driver.input(&IN).at(8).send("b", 2);
/// assert_eq!(driver.output(&OUT).key_values(), [("b".into(), 2)]);
/// # Ok::<(), tidemill::topology::TopologyErrors>(())
/// ```
pub struct TestDriver {
    topology: Topology,
    application: String,
    topics: Topics,
    commit: Commit,
    capture: Capture,
    calls: Calls,
    settings: TaskSettings,
    /// What was said by itself, which holds whatever the settings say.
    changelog: Option<Changelog>,
    errors: Option<ErrorSettings>,
    clock: ManualClock,
    running: Option<Running>,
}

/// Tasks and topics of a driver that has started.
struct Running {
    tasks: Vec<Task>,
    /// Which queue of which task reads a partition.
    readers: BTreeMap<TopicPartition, (usize, usize)>,
    ends: BTreeMap<TopicPartition, Offset>,
    captured: BTreeMap<TopicName, Vec<RawRecord>>,
    /// Records processed since the last commit.
    uncommitted: u64,
    calls: OpenCalls,
}

impl TestDriver {
    /// A driver with one partition per topic, a commit after every record, and every update in the changelogs.
    pub fn new(topology: &Topology) -> Self {
        TestDriver {
            topology: topology.clone(),
            application: "test".into(),
            topics: Topics::default(),
            commit: Commit::default(),
            capture: Capture::default(),
            calls: Calls::default(),
            settings: TaskSettings {
                changelog: Changelog::EveryUpdate,
                emit_interval: Duration::ZERO,
                ..TaskSettings::default()
            },
            changelog: None,
            errors: None,
            clock: ManualClock::default(),
            running: None,
        }
    }

    /// Sets the application's id, which goes before the names of its own topics.
    #[must_use]
    pub fn application(self, id: &str) -> Self {
        TestDriver { application: id.into(), ..self }
    }

    /// Gives a topic this number of partitions, and makes it known to sources that choose topics by pattern.
    ///
    /// With more than one partition anywhere, every sub-topology and partition has a task of its own, as in an application.
    #[must_use]
    pub fn partitions(mut self, topic: &str, partitions: u32) -> Self {
        self.topics.declare(topic, partitions);
        self
    }

    /// Says when the driver commits.
    #[must_use]
    pub fn commits(self, commit: Commit) -> Self {
        TestDriver { commit, ..self }
    }

    /// Says which topics' records are kept for the test to read.
    #[must_use]
    pub fn capture(self, capture: Capture) -> Self {
        TestDriver { capture, ..self }
    }

    /// Says when calls of `map_async` end: at once, or when the test says so.
    #[must_use]
    pub fn calls(self, calls: Calls) -> Self {
        TestDriver { calls, ..self }
    }

    /// Says what changelogs get where the topology does not say.
    #[must_use]
    pub fn changelog(self, changelog: Changelog) -> Self {
        TestDriver { changelog: Some(changelog), ..self }
    }

    /// Says what becomes of records that cannot be read, processed or written. By default they fail their task.
    #[must_use]
    pub fn errors(self, errors: ErrorSettings) -> Self {
        TestDriver { errors: Some(errors), ..self }
    }

    /// Sets the tasks' settings, such as the size of caches, but for those that [`changelog`](Self::changelog) and
    /// [`errors`](Self::errors) say, in whichever order they are called.
    ///
    /// `TaskSettings::default()` is an application's: it differs from what a driver has by itself in that changelogs get the
    /// last value per commit, and that windows that are closed are looked for once a second, on the driver's clock.
    #[must_use]
    pub fn settings(self, settings: TaskSettings) -> Self {
        TestDriver { settings, ..self }
    }

    /// Makes the tasks, if that has not been done yet; the first input does it too, and panics where this gives an error.
    pub fn start(&mut self) -> Result<(), DriverError> {
        if self.running.is_some() { Ok(()) } else { self.begin() }
    }

    #[cold]
    fn begin(&mut self) -> Result<(), DriverError> {
        if let Some(changelog) = self.changelog.take() {
            self.settings.changelog = changelog;
        }
        if let Some(errors) = self.errors.take() {
            self.settings.errors = errors;
        }
        let known = self.topics.names();
        let plan = self.topology.plan(&self.application, self.settings.changelog, &known, &self.topics)?;
        for need in &plan.internal {
            self.topics.declare(&need.name, need.partitions);
        }
        let ids: Vec<(Vec<usize>, u32)> = if plan.tasks.iter().all(|tasks| *tasks <= 1) {
            vec![(self.subtopologies(false), 0)]
        } else {
            let tasks = plan.tasks.iter().enumerate();
            tasks.flat_map(|(sub, count)| (0..*count).map(move |partition| (vec![sub], partition))).collect()
        };
        let global = (self.subtopologies(true), 0);
        let (mut tasks, mut readers) = (Vec::new(), BTreeMap::new());
        let globals = self.topology.global_stores();
        for (subtopologies, partition) in ids.into_iter().chain([global]).filter(|(subs, _)| !subs.is_empty()) {
            let task = self.make_task((&subtopologies, partition), &known, &globals)?;
            readers.extend(task.inputs().map(|(queue, input)| (input.clone(), (tasks.len(), queue))));
            tasks.push(task);
        }
        for task in &mut tasks {
            task.state().set_now(self.clock.now());
            task.begin()?;
        }
        let (ends, captured) = (BTreeMap::new(), BTreeMap::new());
        self.running = Some(Running { tasks, readers, ends, captured, uncommitted: 0, calls: OpenCalls::default() });
        Ok(())
    }

    /// The numbers of the sub-topologies that maintain global stores, or of those that do not.
    fn subtopologies(&self, global: bool) -> Vec<usize> {
        let subtopologies = self.topology.subtopologies().iter().filter(|sub| sub.is_global() == global);
        subtopologies.map(|sub| sub.id).collect()
    }

    fn make_task(
        &self,
        (subtopologies, partition): (&[usize], u32),
        known: &[TopicName],
        globals: &Arc<GlobalStores>,
    ) -> Result<Task, DriverError> {
        let spec = TaskSpec {
            subtopologies,
            partition,
            application: &self.application,
            topics: known,
            counts: Arc::new(self.topics.clone()),
            settings: self.settings.clone(),
            globals: globals.clone(),
            open_store: &mut |_| Ok(None),
        };
        Ok(Task::new(&self.topology, spec)?)
    }

    fn running(&mut self) -> &mut Running {
        if let Err(error) = self.start() {
            panic!("the driver cannot start: {error}");
        }
        self.running.as_mut().expect("started in the line above")
    }

    /// A topic to send records to.
    pub fn input<K: Data, V: Data>(&mut self, topic: &Topic<K, V>) -> Input<'_, K, V> {
        Input::new(self, topic.clone())
    }

    /// A topic to read records from: what was written since it was read the last time. The name of a changelog or
    /// repartition topic is its full one, `<application>-<store>-changelog`.
    pub fn output<K: Data, V: Data>(&mut self, topic: &Topic<K, V>) -> Output<'_, K, V> {
        Output::new(self, topic.clone())
    }

    /// A store to look into.
    pub fn store<D: Descriptor + Clone>(&mut self, store: &D) -> StoreView<'_, D> {
        StoreView::new(self, store.clone())
    }

    /// Sends a record as bytes and processes everything that follows from it, as far as the commits let it.
    pub fn send_raw(
        &mut self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(), DriverError> {
        self.start()?;
        let partition = partition_of_record(key, value, self.topics.count(topic));
        let to = TopicPartition::new(topic, partition);
        if !self.running().readers.contains_key(&to) {
            return Err(DriverError::NoReader(to.topic));
        }
        let mut builder = BatchBuilder::default();
        builder.push(timestamp, key, value, headers);
        self.deliver(&to, builder.finish(Offset::ZERO))?;
        self.drain()
    }

    /// Takes what was written to a topic since it was taken the last time.
    pub fn take_raw(&mut self, topic: &str) -> Vec<RawRecord> {
        self.running().captured.remove(topic).unwrap_or_default()
    }

    /// The topics that something was written to and not taken since.
    pub fn topics_written(&mut self) -> Vec<TopicName> {
        self.running().captured.keys().cloned().collect()
    }

    /// Commits: what the tasks wrote becomes visible, and what they read themselves is processed.
    pub fn commit(&mut self) -> Result<(), DriverError> {
        self.start()?;
        self.commit_tasks()?;
        self.drain()
    }

    /// Moves the clock on, and fires the wall-clock timers that this makes due, each once, as `TopologyTestDriver` does:
    /// to see every firing move it interval by interval. Then comes a commit, unless commits come on demand, and what
    /// follows from the punctuations is processed.
    ///
    /// # Panics
    ///
    /// When a task fails, with its error; [`try_advance_clock`](Self::try_advance_clock) returns that.
    pub fn advance_clock(&mut self, by: Duration) {
        self.try_advance_clock(by).unwrap_or_else(|error| panic!("{error}"));
    }

    /// As [`advance_clock`](Self::advance_clock), with the error in place of a panic.
    pub fn try_advance_clock(&mut self, by: Duration) -> Result<(), DriverError> {
        // Timers count from the start, so the tasks begin before the clock moves.
        self.start()?;
        self.clock.advance(by);
        let now = self.clock.now();
        for task in &mut self.running().tasks {
            task.state().set_now(now);
            task.punctuate_wall_clock()?;
        }
        if self.commit != Commit::OnDemand || self.asked_to_commit() {
            self.commit_tasks()?;
        }
        self.drain()
    }

    /// The nodes of the calls that are open, in the order in which they were made.
    pub fn open_calls(&mut self) -> Vec<String> {
        self.running().calls.nodes()
    }

    /// Lets the open call at this place end, counted in the order in which they were made, and processes all that follows from
    /// it; `false` if its future is not ready.
    ///
    /// # Errors
    ///
    /// When a task fails.
    pub fn end_call(&mut self, place: usize) -> Result<bool, DriverError> {
        self.start()?;
        let Some((task, call, answer)) = self.running().calls.take(place) else { return Ok(false) };
        self.answer(task, call, answer)?;
        self.drain()?;
        Ok(true)
    }

    /// Asks the futures of open calls whether they are ready, as the driver does whenever it has processed something, and
    /// processes all that follows.
    ///
    /// # Errors
    ///
    /// When a task fails.
    pub fn poll_calls(&mut self) -> Result<(), DriverError> {
        self.start()?;
        self.drain()
    }

    fn answer(&mut self, task: usize, call: CallId, answer: Answer) -> Result<(), DriverError> {
        let now = self.clock.now();
        let Running { tasks, calls, .. } = self.running();
        tasks[task].state().set_now(now);
        tasks[task].answer(call, answer)?;
        calls.update(task, &mut tasks[task]);
        self.processed()
    }

    fn asked_to_commit(&mut self) -> bool {
        self.running().tasks.iter().any(Task::commit_requested)
    }

    /// The clock's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Records that the tasks dropped, by reason.
    pub fn dropped(&mut self) -> Vec<DropCounts> {
        self.running().tasks.iter_mut().map(|task| task.state().dropped()).collect()
    }

    /// Processes until nothing is left to do.
    fn drain(&mut self) -> Result<(), DriverError> {
        let now = self.clock.now();
        let mut busy = true;
        while std::mem::take(&mut busy) {
            for task in 0..self.running().tasks.len() {
                self.running().tasks[task].state().set_now(now);
                while self.running().tasks[task].process()?.is_some() {
                    busy = true;
                    self.processed()?;
                }
                let Running { tasks, calls, .. } = self.running();
                calls.update(task, &mut tasks[task]);
            }
            if self.calls == Calls::AtOnce
                && let Some((task, call, answer)) = self.running().calls.take_ready()
            {
                busy = true;
                self.answer(task, call, answer)?;
            }
            // A record that was only dropped moved its input, and may have left a dead letter.
            let dropped = self.running().tasks.iter().any(Task::has_progress);
            if self.commit == Commit::EveryRecord && dropped {
                self.commit_tasks()?;
                busy = true;
            }
        }
        Ok(())
    }

    fn processed(&mut self) -> Result<(), DriverError> {
        let (commit, asked) = (self.commit, self.asked_to_commit());
        let running = self.running();
        running.uncommitted += 1;
        match commit {
            Commit::EveryRecord => self.commit_tasks(),
            _ if asked => self.commit_tasks(),
            Commit::Every(count) if running.uncommitted >= count => self.commit_tasks(),
            Commit::Every(_) | Commit::OnDemand => Ok(()),
        }
    }

    fn commit_tasks(&mut self) -> Result<(), DriverError> {
        let running = self.running();
        running.uncommitted = 0;
        let mut written = Vec::new();
        for task in &mut running.tasks {
            task.prepare_commit()?;
            task.take_progress();
            written.extend(task.state().outputs().take_all());
        }
        written.into_iter().try_for_each(|(to, batch)| self.deliver(&to, batch))
    }

    /// Appends records to a partition: captures them, and hands them to the task that reads it.
    fn deliver(&mut self, to: &TopicPartition, batch: Batch) -> Result<(), DriverError> {
        let keep = match &self.capture {
            Capture::All => true,
            Capture::Topics(topics) => topics.iter().any(|topic| **topic == *to.topic),
            Capture::None => false,
        };
        let now = self.clock.now();
        let running = self.running();
        let end = running.ends.entry(to.clone()).or_default();
        let batch = Arc::new(batch.rebased(*end));
        *end = batch.end();
        if keep {
            let captured = running.captured.entry(to.topic.clone()).or_default();
            RawRecord::read_all(to.partition, &batch, captured);
        }
        let Some((task, queue)) = running.readers.get(to).copied() else { return Ok(()) };
        let task = &mut running.tasks[task];
        task.enqueue(queue, &batch)?;
        if task.is_global() { update_globals(task, now) } else { Ok(()) }
    }
}

/// Records of global stores and tables come into force at once, whatever else waits.
fn update_globals(task: &mut Task, now: Timestamp) -> Result<(), DriverError> {
    task.state().set_now(now);
    while task.process()?.is_some() {}
    Ok(task.prepare_commit()?)
}
