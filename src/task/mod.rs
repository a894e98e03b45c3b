//! Runs the records of one partition group, one at a time. Owns its stores.
//!
//! Invariant: no clock, no socket, no thread. Times, records and knowledge of ends are handed in; outputs and progress are
//! taken out. The runtime, the test driver and the explorer drive this same code.

mod choice;
mod error;
mod queue;
mod snapshot;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tidemill_dsl::processor::{Address, PartitionCounts, ProcessError, TaskState, take_panicked_node};
use tidemill_dsl::record::{Batch, Offset, Timestamp, TopicPartition};
use tidemill_dsl::topology::{InstantiateError, TaskSpec, Topology};

pub use error::{TaskError, TaskErrorKind};
pub use snapshot::Fingerprint;

use crate::log::{InputProgress, Progress};
use choice::Choice;
use queue::Queue;

/// Which task of an application: the parts of the topology that it runs, and the partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The sub-topologies, by number; one, but for the test driver's.
    pub subtopologies: Vec<usize>,
    /// The partition.
    pub partition: u32,
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = self.subtopologies.iter().map(ToString::to_string).collect();
        write!(f, "{}_{}", parts.join("+"), self.partition)
    }
}

/// Whether a task may process a record now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It has a record, and no empty queue that could have an earlier one.
    Ready,
    /// It has a record, but a queue is empty whose partition is known to have more (KIP-695): fetch first.
    Lagging,
    /// It has no record.
    Empty,
}

/// A record that was processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processed {
    /// The queue that it came from.
    pub queue: usize,
    /// Its offset.
    pub offset: Offset,
}

/// A task: queues of records, the choice among them, and the state that they change.
///
/// After an error it is of no use any more: drop it; the next one restores from what was committed.
pub struct Task {
    id: TaskId,
    state: TaskState,
    queues: Vec<Queue>,
    choice: Choice,
    /// The queue that the state's address names.
    addressed: Option<usize>,
    failed: bool,
}

impl Task {
    /// A task without records, its stores as `spec` opens them.
    pub fn new(topology: &Topology, spec: TaskSpec<'_>) -> Result<Task, InstantiateError> {
        let id = TaskId { subtopologies: spec.subtopologies.to_vec(), partition: spec.partition };
        let counts: Arc<dyn PartitionCounts> = spec.counts.clone();
        let (state, sources) = topology.instantiate(spec)?;
        let partition = id.partition;
        let queue = |source: tidemill_dsl::topology::SourceQueue| {
            let read = counts.partitions(&source.topic).is_none_or(|count| partition < count);
            Queue::new(TopicPartition { topic: source.topic, partition }, source.runner, read)
        };
        let queues = sources.into_iter().map(queue).collect();
        Ok(Task { id, state, queues, choice: Choice::default(), addressed: None, failed: false })
    }

    /// Which task it is.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// The partitions that it reads; a queue's number is its place here. A topic with fewer partitions than the others
    /// has no partition for a task with a high number.
    pub fn inputs(&self) -> impl Iterator<Item = (usize, &TopicPartition)> {
        self.queues.iter().enumerate().filter(|(_, queue)| queue.read).map(|(number, queue)| (number, &queue.partition))
    }

    /// Stores, times and outputs.
    pub fn state(&mut self) -> &mut TaskState {
        &mut self.state
    }

    /// Says where a queue begins: what an earlier task of the same number had committed.
    pub fn resume(&mut self, queue: usize, progress: InputProgress) {
        self.queues[queue].resume(progress);
    }

    /// The offset that a queue fetches next.
    pub fn fetch_position(&self, queue: usize) -> Offset {
        self.queues[queue].fetched
    }

    /// How many records wait in a queue.
    pub fn buffered(&self, queue: usize) -> u64 {
        self.queues[queue].buffered
    }

    /// Adds records to a queue. They continue where the last ones ended, except where the log left some out.
    pub fn enqueue(&mut self, queue: usize, batch: &Arc<Batch>) -> Result<(), TaskError> {
        let was_empty = self.queues[queue].is_empty();
        self.queues[queue].add(batch);
        if was_empty { self.load_head(queue) } else { Ok(()) }
    }

    /// Tells the task that a partition has records up to `end`, whether fetched or not.
    pub fn learn_end(&mut self, queue: usize, end: Offset) {
        let known = &mut self.queues[queue].end_known;
        *known = (*known).max(end);
    }

    /// Whether a record may be processed now.
    pub fn readiness(&self) -> Readiness {
        if self.choice.is_empty() {
            return Readiness::Empty;
        }
        let lagging = |queue: &Queue| queue.is_empty() && queue.fetched < queue.end_known;
        if self.queues.iter().any(lagging) { Readiness::Lagging } else { Readiness::Ready }
    }

    /// Processes the record whose turn it is, whatever `readiness` says; `None` when there is none.
    pub fn process(&mut self) -> Result<Option<Processed>, TaskError> {
        self.check_usable()?;
        let Some((queue, timestamp)) = self.choice.take() else { return Ok(None) };
        let offset = self.queues[queue].head_offset();
        self.address(queue, offset);
        self.state.advance_stream_time(timestamp);
        self.queues[queue].polled(timestamp);
        let (runner, state) = (&self.queues[queue].runner, &mut self.state);
        guarded(|| runner.run(queue, state)).map_err(|error| self.fail(error))?;
        self.queues[queue].advance();
        self.load_head(queue)?;
        Ok(Some(Processed { queue, offset }))
    }

    /// Says in the state which record is processed.
    fn address(&mut self, queue: usize, offset: Offset) {
        if self.addressed == Some(queue) {
            return self.state.set_offset(offset);
        }
        let TopicPartition { topic, partition } = self.queues[queue].partition.clone();
        self.state.set_address(Some(Address { topic, partition, offset }));
        self.addressed = Some(queue);
    }

    /// Reads the record at the head of a queue, past those that are dropped, and enters the queue into the choice.
    fn load_head(&mut self, queue: usize) -> Result<(), TaskError> {
        loop {
            let Queue { partition, runner, partition_time, .. } = &self.queues[queue];
            let Some((offset, record)) = self.queues[queue].peek() else { return Ok(()) };
            let address = Address { topic: partition.topic.clone(), partition: partition.partition, offset };
            let (partition_time, state) = (*partition_time, &mut self.state);
            let loaded = guarded(|| runner.load(queue, &record, &address, partition_time, state));
            match loaded.map_err(|error| self.fail(error.at_record(&address)))? {
                Some(timestamp) => {
                    self.choice.enter(queue, timestamp);
                    return Ok(());
                }
                None => self.queues[queue].advance(),
            }
        }
    }

    /// How far the task is in the inputs that moved since the last call: what a commit stores.
    pub fn take_progress(&mut self) -> Progress {
        let mut progress = Progress::default();
        for queue in &mut self.queues {
            if let Some(moved) = queue.take_progress() {
                progress.inputs.insert(queue.partition.clone(), moved);
            }
        }
        if let Some(time) = self.state.stream_time() {
            progress.notes.insert(self.note(), time.as_millis().to_be_bytes().to_vec());
        }
        progress
    }

    /// Whether inputs moved since the last `take_progress`.
    pub fn has_progress(&self) -> bool {
        self.queues.iter().any(|queue| queue.moved)
    }

    /// Takes the stream time from what an earlier task of the same number had committed.
    pub fn resume_time(&mut self, progress: &Progress) {
        let time = progress.notes.get(&self.note()).and_then(|bytes| bytes.as_slice().try_into().ok());
        if let Some(time) = time {
            self.state.advance_stream_time(Timestamp::from_millis(i64::from_be_bytes(time)));
        }
    }

    fn note(&self) -> String {
        format!("stream-time/{}", self.id)
    }

    fn check_usable(&self) -> Result<(), TaskError> {
        if self.failed { Err(TaskError::used_after_failure(&self.id)) } else { Ok(()) }
    }

    fn fail(&mut self, error: ProcessError) -> TaskError {
        self.failed = true;
        let error = match self.state.address() {
            Some(address) => error.at_record(address),
            None => error,
        };
        TaskError::processing(&self.id, error)
    }
}

/// Runs user code; a panic becomes an error that fails the task like any other.
fn guarded<T>(run: impl FnOnce() -> Result<T, ProcessError>) -> Result<T, ProcessError> {
    // The task is not used after a panic, so nobody sees what it left behind.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
        let error = ProcessError::from(format!("panicked: {}", text.unwrap_or("without a message")));
        Err(match take_panicked_node() {
            Some(node) => error.at_node(&node),
            None => error,
        })
    })
}
