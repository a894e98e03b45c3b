//! Runs the records of one partition group, one at a time. Owns its stores.
//!
//! Invariant: no clock, no socket, no thread. Times, records and knowledge of ends are handed in; outputs and progress are
//! taken out. The runtime, the test driver and the explorer drive this same code.

mod counts;
mod error;
mod queue;
mod snapshot;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tidemill_dsl::mutants::{Mutant, is_planted};
use tidemill_dsl::processor::{
    Answer, CallChanges, CallId, DropCounts, PartitionCounts, ProcessError, PunctuationType, TaskState,
};
use tidemill_dsl::record::{Batch, Offset, StoredRecord, TimeHeap, Timestamp, TopicPartition};
use tidemill_dsl::state::StoreError;
use tidemill_dsl::topology::{InstantiateError, OffsetReset, TaskSpec, Topology};

pub use counts::TaskCounts;
pub use error::{TaskError, TaskErrorKind};
pub use snapshot::Fingerprint;

use crate::log::{InputProgress, Progress, note_name};
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
    /// It takes no records before calls have ended: as many wait for them as may.
    Full,
}

/// A record that was processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processed {
    /// The queue that it came from.
    pub queue: usize,
    /// Its offset.
    pub offset: Offset,
}

/// The note of a task's stream time.
const STREAM_TIME: &str = "stream-time";
/// The note of the times that operators and stores keep for themselves.
const TIMES: &str = "times";

/// A task: queues of records, the choice among them, and the state that they change.
///
/// After an error it is of no use any more: drop it; the next one restores from what was committed.
pub struct Task {
    id: TaskId,
    state: TaskState,
    queues: Vec<Queue>,
    /// By a store's number the queue of the topic that it restores from, where that takes the place of a changelog.
    sources: Vec<Option<usize>>,
    choice: TimeHeap<usize>,
    /// The queue that the state's address names.
    addressed: Option<usize>,
    /// Whether a timer fired since the last commit, or something happened because the inputs are quiet.
    punctuated: bool,
    /// Since when, by the wall clock, no record was processed; `None` where nobody wants to know.
    quiet_since: Option<Timestamp>,
    /// Those that were asked for.
    dropped_before: DropCounts,
    failed: bool,
}

impl Task {
    /// A task without records, its stores as `spec` opens them.
    pub fn new(topology: &Topology, spec: TaskSpec<'_>) -> Result<Task, InstantiateError> {
        let id = TaskId { subtopologies: spec.subtopologies.to_vec(), partition: spec.partition };
        let counts: Arc<dyn PartitionCounts> = spec.counts.clone();
        let (state, read) = topology.instantiate(spec)?;
        let source_of = |store: &tidemill_dsl::state::StoreSpec| {
            let topic = store.source_topic()?;
            read.iter().position(|source| *source.topic == *topic)
        };
        let sources = topology.stores().iter().map(source_of).collect();
        let queue = |source: tidemill_dsl::topology::SourceQueue| {
            let read = counts.partitions(&source.topic).is_none_or(|count| source.partition < count);
            Queue::new(source, read)
        };
        let queues = read.into_iter().map(queue).collect();
        let choice = TimeHeap::default();
        Ok(Task {
            id,
            state,
            queues,
            sources,
            choice,
            addressed: None,
            punctuated: false,
            quiet_since: None,
            dropped_before: DropCounts::default(),
            failed: false,
        })
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

    /// Whether it is the task that maintains the process's global stores. It is no part of the application's progress: every
    /// process reads all of its partitions.
    pub fn is_global(&self) -> bool {
        self.state.is_global()
    }

    /// The number of the store that a queue's records fill, if they do nothing else.
    pub fn fills(&self, queue: usize) -> Option<usize> {
        self.queues[queue].fills
    }

    /// Runs with the global stores that the task maintains in its hands, while no other task can look at them; a task that
    /// maintains none just runs. Whoever asks a task's state for its stores does it in here; the task's own methods do.
    #[inline]
    pub fn with_stores<R>(&mut self, run: impl FnOnce(&mut Task) -> R) -> R {
        if !self.state.lacks_stores() {
            return run(self);
        }
        let globals = self.state.globals().clone();
        let held = globals.hold(&mut self.state);
        let result = run(self);
        held.release(&mut self.state);
        result
    }

    /// Stores, times and outputs.
    pub fn state(&mut self) -> &mut TaskState {
        &mut self.state
    }

    /// Says where a queue begins: what an earlier task of the same number had committed.
    pub fn resume(&mut self, queue: usize, progress: InputProgress) {
        self.queues[queue].resume(progress);
    }

    /// As [`resume`](Self::resume), for a queue without records whose place no commit says: the next one does.
    pub fn reset(&mut self, queue: usize, progress: InputProgress) {
        self.queues[queue].resume(progress);
        self.queues[queue].moved = true;
    }

    /// Where a queue begins when the application has no place in its partition.
    pub fn reset_of(&self, queue: usize) -> OffsetReset {
        self.queues[queue].reset
    }

    /// The queue that a store's rows come from and are restored from, where that takes the place of a changelog.
    pub fn source_of(&self, store: usize) -> Option<usize> {
        self.sources[store].filter(|queue| self.queues[*queue].read)
    }

    /// Whether a record of a queue made a row when it was processed: not without a key, and not when a handler skipped it
    /// because it cannot be read.
    pub fn makes_row(&self, queue: usize, record: &StoredRecord<'_>) -> bool {
        record.key.is_some() && (!self.state.may_skip_unreadable() || self.queues[queue].runner.can_read(record))
    }

    /// The offset that a queue fetches next.
    pub fn fetch_position(&self, queue: usize) -> Offset {
        self.queues[queue].fetched
    }

    /// The offset of a queue's record that is processed next.
    pub fn position(&self, queue: usize) -> Offset {
        self.queues[queue].head_offset()
    }

    /// How far a queue was processed.
    pub fn progress_of(&self, queue: usize) -> InputProgress {
        self.queues[queue].progress()
    }

    /// How many records wait in a queue.
    pub fn buffered(&self, queue: usize) -> u64 {
        self.queues[queue].buffered()
    }

    /// Adds records to a queue. They continue where the last ones ended, except where the log left some out.
    pub fn enqueue(&mut self, queue: usize, batch: &Arc<Batch>) -> Result<(), TaskError> {
        self.check_usable()?;
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
        if !self.state.takes_records() {
            return Readiness::Full;
        }
        if self.awaited().next().is_some() { Readiness::Lagging } else { Readiness::Ready }
    }

    /// Lets the processors begin, if they have not: stores are restored and the time was told. Processing does it too.
    pub fn begin(&mut self) -> Result<(), TaskError> {
        self.check_usable()?;
        self.note_activity();
        self.with_stores(|task| {
            let state = &mut task.state;
            guarded(|| state.begin()).map_err(|error| task.fail(error))
        })
    }

    /// Processes the record whose turn it is, whether or not another queue may have an earlier one, and fires the stream-time
    /// timers that it makes due; `None` when there is none, or the task is full.
    pub fn process(&mut self) -> Result<Option<Processed>, TaskError> {
        if self.state.lacks_stores() {
            return self.with_stores(Task::process);
        }
        let processed = self.process_record()?;
        if processed.is_some() {
            self.punctuate_stream_time()?;
        }
        Ok(processed)
    }

    fn process_record(&mut self) -> Result<Option<Processed>, TaskError> {
        self.check_usable()?;
        if !self.state.has_begun() {
            self.begin()?;
        }
        self.take_record()
    }

    /// The inputs are not quiet now.
    #[inline]
    fn note_activity(&mut self) {
        if self.state.idle_advance().is_some() {
            self.quiet_since = Some(self.state.now());
        }
    }

    /// When stream time moves on because the inputs are quiet, if they are: nothing waits, and nothing is known to be there.
    fn idle_due(&self) -> Option<Timestamp> {
        let (after, since) = (self.state.idle_advance()?, self.quiet_since?);
        self.state.stream_time()?;
        let more = self.state.open_calls() > 0
            || self.queues.iter().any(|queue| !queue.is_empty() || queue.fetched < queue.end_known);
        (!more).then(|| Timestamp::from_millis(since.as_millis().saturating_add(after)))
    }

    /// Moves stream time on by as much as the inputs have been quiet, if that is long enough. Gives whether anything came of
    /// it.
    fn advance_if_idle(&mut self) -> Result<bool, TaskError> {
        let now = self.state.now();
        if self.idle_due().is_none_or(|due| due > now) {
            return Ok(false);
        }
        let (Some(since), Some(time)) = (self.quiet_since.replace(now), self.state.stream_time()) else {
            return Ok(false);
        };
        let quiet = now.as_millis().saturating_sub(since.as_millis());
        let time = Timestamp::from_millis(time.as_millis().saturating_add(quiet));
        // There is no record.
        let address = self.state.take_address();
        let state = &mut self.state;
        let advanced = guarded(|| state.advance_to(time));
        self.state.set_address(address);
        let advanced = advanced.map_err(|error| self.fail(error))?;
        self.punctuated |= advanced;
        Ok(self.punctuate_stream_time()? || advanced)
    }

    /// Processes a record that fills a store, and was processed before: no timer fires, and of the processors only those that
    /// fill stores have begun.
    pub fn process_again(&mut self) -> Result<Option<Processed>, TaskError> {
        self.check_usable()?;
        self.with_stores(|task| {
            let state = &mut task.state;
            guarded(|| state.begin_filling()).map_err(|error| task.fail(error))?;
            let processed = task.take_record()?;
            // It is no work of the application's.
            processed.iter().for_each(|processed| task.queues[processed.queue].done = 0);
            Ok(processed)
        })
    }

    fn take_record(&mut self) -> Result<Option<Processed>, TaskError> {
        if !self.state.takes_records() {
            return Ok(None);
        }
        let Some((number, timestamp)) = self.choice.take() else { return Ok(None) };
        self.note_activity();
        let (queue, state) = (&mut self.queues[number], &mut self.state);
        let offset = queue.head_offset();
        if self.addressed == Some(number) {
            state.set_offset(offset);
        } else {
            state.set_address(Some(queue.address(offset)));
            self.addressed = Some(number);
        }
        let next = guarded(|| {
            queue.run(number, timestamp, state)?;
            queue.advance();
            queue.load_head(number, state)
        });
        self.enter(number, next)?;
        Ok(Some(Processed { queue: number, offset }))
    }

    /// Processes records as `process` does, `limit` at most, until one after which `stop` holds, a timer has fired or a queue
    /// is empty: there may be news for it. Gives whether any was processed.
    ///
    /// As long as a single queue has records there is nothing to choose, and they run one after another without the way
    /// through the choice.
    pub fn process_many(
        &mut self,
        limit: u32,
        stop: &mut dyn FnMut(&mut TaskState) -> bool,
    ) -> Result<bool, TaskError> {
        if self.state.lacks_stores() {
            return self.with_stores(|task| task.process_many(limit, stop));
        }
        let mut left = limit;
        while left > 0 {
            // The first one says in the state which queue it comes from.
            let Some(processed) = self.process_record()? else { break };
            left -= 1;
            let stopped = stop(&mut self.state);
            if self.punctuate_stream_time()? || stopped || self.queues[processed.queue].is_empty() {
                break;
            }
            if let [(only, _)] = self.choice.entries()
                && *only == processed.queue
                && self.run_queue(processed.queue, &mut left, stop)?
            {
                break;
            }
        }
        Ok(left < limit)
    }

    /// Processes records of the only queue that has any. Gives whether that is to stop.
    fn run_queue(
        &mut self,
        number: usize,
        left: &mut u32,
        stop: &mut dyn FnMut(&mut TaskState) -> bool,
    ) -> Result<bool, TaskError> {
        self.choice.take();
        let (queue, state) = (&mut self.queues[number], &mut self.state);
        let (mut ran, mut stopped) = (0, false);
        let mut stop_here = |state: &mut TaskState| {
            stopped = stop(state);
            stopped || state.is_stream_time_due() || !state.takes_records()
        };
        let next = guarded(|| {
            ran = queue.run_on(number, *left, &mut stop_here, state)?;
            queue.load_head(number, state)
        });
        *left -= ran;
        self.note_activity();
        self.enter(number, next)?;
        Ok(self.punctuate_stream_time()? || stopped || self.queues[number].is_empty())
    }

    /// Reads the record at the head of a queue that was empty.
    fn load_head(&mut self, number: usize) -> Result<(), TaskError> {
        let (queue, state) = (&mut self.queues[number], &mut self.state);
        let next = guarded(|| queue.load_head(number, state));
        self.enter(number, next)
    }

    /// Enters a queue into the choice with the time of its head. A failure is that of the record at the head: a record
    /// leaves it only when it was processed.
    #[inline]
    fn enter(&mut self, number: usize, head: Result<Option<Timestamp>, ProcessError>) -> Result<(), TaskError> {
        match head {
            Ok(Some(timestamp)) => self.choice.enter(number, timestamp),
            Ok(None) => {}
            Err(error) => {
                let queue = &self.queues[number];
                let error = error.at_record(&queue.address(queue.head_offset()));
                return Err(self.fail(error));
            }
        }
        Ok(())
    }

    /// The error of a task that is of no use any more.
    #[cold]
    fn fail(&mut self, error: ProcessError) -> TaskError {
        let error = match self.state.node_that_panicked() {
            Some(node) => error.at_node(node),
            None => error,
        };
        self.failed = true;
        TaskError::processing(&self.id, error)
    }

    /// Fires the stream-time timers that are due, each once. Processing does it after each record. Gives whether there were
    /// any.
    #[inline]
    pub fn punctuate_stream_time(&mut self) -> Result<bool, TaskError> {
        if self.state.is_stream_time_due() { self.punctuate(PunctuationType::StreamTime) } else { Ok(false) }
    }

    /// Fires the wall-clock timers that are due, each once, at the time that the state was told last; then moves stream time on
    /// if the inputs have been quiet for long enough. Gives whether anything came of it.
    pub fn punctuate_wall_clock(&mut self) -> Result<bool, TaskError> {
        self.check_usable()?;
        self.with_stores(|task| {
            let fired = task.punctuate(PunctuationType::WallClock)? | task.wake_calls()?;
            Ok(task.advance_if_idle()? || fired)
        })
    }

    fn punctuate(&mut self, kind: PunctuationType) -> Result<bool, TaskError> {
        // A punctuation has no record.
        let address = self.state.take_address();
        let state = &mut self.state;
        let fired = guarded(|| state.punctuate(kind));
        self.state.set_address(address);
        let fired = fired.map_err(|error| match self.state.firing() {
            Some(timer) => self.fail(error.at_timer(timer)),
            None => self.fail(error),
        })?;
        self.punctuated |= fired;
        Ok(fired)
    }

    /// When the next wall-clock timer is due, or stream time moves on because the inputs are quiet.
    pub fn wall_clock_due(&self) -> Option<Timestamp> {
        self.state.wall_clock_due().into_iter().chain(self.state.calls_due()).chain(self.idle_due()).min()
    }

    /// What has become of the task's calls since this was asked the last time: whoever drives the task does their work, and
    /// gives the answers to [`answer`](Self::answer).
    pub fn take_calls(&mut self) -> CallChanges {
        self.state.take_calls()
    }

    /// Gives a call its answer, with all that follows from it; `false` if the call is over already.
    pub fn answer(&mut self, call: CallId, answer: Answer) -> Result<bool, TaskError> {
        self.check_usable()?;
        self.after_calls(|state| state.answer(call, answer))
    }

    fn wake_calls(&mut self) -> Result<bool, TaskError> {
        if self.state.calls_due().is_none_or(|due| due > self.state.now()) {
            return Ok(false);
        }
        self.after_calls(TaskState::wake_calls)
    }

    /// Tells the state of calls. What follows is of the records that waited for them, not of the one processed last.
    fn after_calls(
        &mut self,
        tell: impl FnOnce(&mut TaskState) -> Result<bool, ProcessError>,
    ) -> Result<bool, TaskError> {
        let address = self.state.take_address();
        let state = &mut self.state;
        let told = guarded(|| tell(state));
        self.state.set_address(address);
        let told = told.map_err(|error| self.fail(error))?;
        self.punctuated |= told;
        if told {
            self.note_activity();
        }
        Ok(told)
    }

    /// Whether a processor asked for a commit since the last one.
    pub fn commit_requested(&self) -> bool {
        self.state.commit_requested()
    }

    /// Lets out what caches hold back, and writes to the changelogs what a commit owes them. Call it once before taking
    /// progress and outputs for a commit.
    pub fn prepare_commit(&mut self) -> Result<(), TaskError> {
        if self.state.lacks_stores() {
            return self.with_stores(Task::prepare_commit);
        }
        self.check_usable()?;
        let state = &mut self.state;
        let prepared = guarded(|| {
            if !is_planted(Mutant::CachesForgotten) {
                state.flush_caches()?;
            }
            if !is_planted(Mutant::ChangesForgotten) {
                state.log_changes()?;
            }
            Ok(())
        });
        prepared.map_err(|error| self.fail(error))
    }

    /// How far the task is in the inputs that moved since the last call: what a commit stores.
    pub fn take_progress(&mut self) -> Progress {
        let mut progress = Progress::default();
        self.punctuated = false;
        for queue in &mut self.queues {
            if let Some(moved) = queue.take_progress() {
                progress.inputs.insert(queue.partition.clone(), moved);
            }
        }
        if let Some(home) = self.home() {
            if let Some(time) = self.state.stream_time() {
                progress.notes.insert(note_name(STREAM_TIME, home), time.as_millis().to_be_bytes().to_vec());
            }
            let times = self.state.notes();
            if !times.is_empty() {
                progress.notes.insert(note_name(TIMES, home), times);
            }
        }
        progress
    }

    /// Whether inputs moved or timers fired since the last `take_progress`.
    pub fn has_progress(&self) -> bool {
        self.punctuated || self.queues.iter().any(|queue| queue.moved)
    }

    /// Takes the stream time from what an earlier task of the same number had committed.
    pub fn resume_time(&mut self, progress: &Progress) {
        if is_planted(Mutant::TimesForgotten) {
            return;
        }
        let time = self.noted(STREAM_TIME, progress).and_then(|bytes| bytes.try_into().ok());
        if let Some(time) = time {
            self.state.advance_stream_time(Timestamp::from_millis(i64::from_be_bytes(time)));
        }
    }

    /// Takes the times of operators and stores from what an earlier task of the same number had committed. Only when the
    /// stores are restored: what one of them does not need any more goes.
    pub fn resume_notes(&mut self, progress: &Progress) -> Result<(), StoreError> {
        if is_planted(Mutant::TimesForgotten) {
            return Ok(());
        }
        self.noted(TIMES, progress).map_or(Ok(()), |times| self.state.resume(times))
    }

    /// The input that the task's notes stay with.
    fn home(&self) -> Option<&TopicPartition> {
        self.inputs().next().map(|(_, input)| input)
    }

    fn noted<'a>(&self, what: &str, progress: &'a Progress) -> Option<&'a [u8]> {
        progress.notes.get(&note_name(what, self.home()?)).map(Vec::as_slice)
    }

    fn check_usable(&self) -> Result<(), TaskError> {
        if self.failed { Err(TaskError::used_after_failure(&self.id)) } else { Ok(()) }
    }
}

/// Runs user code; a panic becomes an error that fails the task like any other.
fn guarded<T>(run: impl FnOnce() -> Result<T, ProcessError>) -> Result<T, ProcessError> {
    // The task is not used after a panic, so nobody sees what it left behind.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(format!("panicked: {}", panic_text(&*panic)).into()))
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    text.unwrap_or("without a message")
}
