//! An executor as others see it: what its tasks have done, what they hold, and what they wait for.

use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::{Offset, Timestamp, TopicPartition};

use super::activity::{Activity, Durations, TaskTimes};
use super::executor::{Driven, Executor};
use crate::task::{Readiness, TaskCounts, TaskId};

/// What an executor has done since it was asked the last time, and how it is now.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Where the time went, by [`Activity`].
    pub spent: [Duration; Activity::ALL.len()],
    /// Its commits.
    pub commits: Durations,
    /// Its tasks.
    pub tasks: Vec<ObservedTask>,
}

/// What a task has done since it was asked the last time, and how it is now.
#[derive(Clone, Debug)]
pub struct ObservedTask {
    /// Which task.
    pub task: TaskId,
    /// What it has done.
    pub counts: TaskCounts,
    /// Where its time went.
    pub times: TaskTimes,
    /// What it waits for.
    pub waits: Waiting,
    /// The greatest record time so far.
    pub stream_time: Option<Timestamp>,
    /// The calls that are open.
    pub open_calls: usize,
    /// Its inputs, in the order of its queues.
    pub inputs: Vec<ObservedInput>,
    /// Its stores, by number.
    pub stores: Vec<ObservedStore>,
}

/// How far a task is in one of its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedInput {
    /// The partition.
    pub partition: TopicPartition,
    /// The offset of the record that is processed next.
    pub processed: Offset,
    /// Where the partition ended when it was last looked at.
    pub end: Offset,
    /// Records that were fetched and wait.
    pub buffered: u64,
}

impl ObservedInput {
    /// How many offsets lie between what is processed next and the end: the records that are left, and some more where the log has
    /// removed some.
    pub fn lag(&self) -> u64 {
        self.end.get().saturating_sub(self.processed.get())
    }
}

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedStore {
    /// Its name.
    pub store: Arc<str>,
    /// Bytes of rows in memory.
    pub memory: u64,
    /// Whether they are on disk too, and can go.
    pub on_disk: bool,
    /// Bytes that its record cache holds.
    pub cached: u64,
    /// Rows that were changed since the store was last written to disk.
    pub unflushed: usize,
}

/// What a task waits for before it processes another record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// For nothing: it has records.
    Nothing,
    /// For records: it has processed all that there are.
    Records,
    /// For records that are known to be in these partitions: among them may be an earlier one than those that it has.
    Arrival(Vec<TopicPartition>),
    /// For so many calls that are open: as many records wait for them as may.
    Calls(usize),
    /// For another worker to take it over.
    HandOver,
    /// For the end of a pause.
    Resume,
}

impl Executor {
    /// What the tasks have done since this was asked the last time, and how they are now.
    pub fn observe(&mut self) -> Observed {
        self.spend_until(self.clock.now());
        let (spent, commits) = self.spending.take();
        let paused = self.paused;
        let tasks = self.tasks.iter_mut().map(|driven| driven.observe(paused)).collect();
        Observed { spent, commits, tasks }
    }
}

impl Driven {
    fn observe(&mut self, paused: bool) -> ObservedTask {
        let (waits, times) = (self.waits(paused), std::mem::take(&mut self.times));
        let Driven { task, ends, .. } = self;
        let end = |queue: usize| ends.get(queue).and_then(Option::as_ref).map(|end| end.get());
        let input = |(queue, partition): (usize, &TopicPartition)| ObservedInput {
            partition: partition.clone(),
            processed: task.position(queue),
            end: end(queue).unwrap_or_default().max(task.end_known(queue)),
            buffered: task.buffered(queue),
        };
        let inputs = task.inputs().map(input).collect();
        let (stream_time, open_calls) = (task.state().stream_time(), task.state().open_calls());
        let stores = task.with_stores(|task| {
            let stores = task.state().stores().map(|(_, store)| {
                let memory = store.memory();
                ObservedStore {
                    store: store.name().clone(),
                    memory: memory.bytes,
                    on_disk: memory.can_go,
                    cached: store.cached_bytes(),
                    unflushed: store.unflushed(),
                }
            });
            stores.collect()
        });
        let counts = task.take_counts();
        ObservedTask { task: task.id().clone(), counts, times, waits, stream_time, open_calls, inputs, stores }
    }

    fn waits(&mut self, paused: bool) -> Waiting {
        if self.held {
            return Waiting::HandOver;
        }
        if self.is_paused(paused) {
            return Waiting::Resume;
        }
        match self.task.readiness() {
            Readiness::Ready => Waiting::Nothing,
            Readiness::Lagging => Waiting::Arrival(self.task.awaited().cloned().collect()),
            Readiness::Full => Waiting::Calls(self.task.state().open_calls()),
            Readiness::Empty => match self.unfetched() {
                none if none.is_empty() => Waiting::Records,
                unfetched => Waiting::Arrival(unfetched),
            },
        }
    }

    /// The inputs that have records which were not fetched.
    fn unfetched(&self) -> Vec<TopicPartition> {
        let has_more = |queue: usize| {
            let end = self.ends.get(queue).and_then(Option::as_ref);
            end.is_some_and(|end| self.task.fetch_position(queue) < end.get())
        };
        self.task.inputs().filter(|(queue, _)| has_more(*queue)).map(|(_, input)| input.clone()).collect()
    }
}
