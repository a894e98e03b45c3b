//! What an application does, in numbers: for its own pages, and for whoever collects metrics.
//!
//! Rule: tasks count in plain numbers of their own. Their workers hand these in at most ten times a second, and whoever reads or
//! publishes them reads what was handed in: no record pays for it.

mod catalogue;
#[cfg(test)]
mod documented;
mod look;
mod numbers;
mod publish;
mod publisher;
mod recent;
mod reporter;
mod samples;

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_dsl::processor::{DropCounts, Transferred};
use tidemill_dsl::record::{Timestamp, TopicName, TopicPartition};

use super::{AppState, MemoryUse, StandbyTask, TaskRestore};
use crate::exec::{Activity, Durations, ObservedInput, ObservedStore, Waiting};
use crate::task::TaskId;

pub(super) use numbers::Numbers;
pub(super) use publisher::Publisher;
pub(super) use reporter::{Reporter, report};

/// What an application has done since it was started, and how it is: see [`App::metrics`](crate::App::metrics).
///
/// Counts never go back, also when a task leaves and comes again. They are as of the last report of each worker, a tenth of a second
/// ago at most, unless a worker is at one record or one commit for longer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// The application's id.
    pub application: String,
    /// What tells this process from the application's others.
    pub instance: String,
    /// When this was looked at, on the application's clock.
    pub at: Timestamp,
    /// The stage of its life.
    pub state: AppState,
    /// Its worker threads, by number, those that have ended among them.
    pub workers: BTreeMap<usize, WorkerMetrics>,
    /// The tasks that run here, or did.
    pub tasks: BTreeMap<TaskId, TaskMetrics>,
    /// The tasks that are being restored.
    pub restoring: Vec<TaskRestore>,
    /// How many records restores have read.
    pub restored: u64,
    /// The tasks of others whose stores are kept here.
    pub standbys: Vec<StandbyTask>,
    /// What is held in memory.
    pub memory: MemoryUse,
    /// How often tasks came or went, the start not counted.
    pub rebalances: u64,
    /// The last errors, the latest last.
    pub errors: Vec<PastError>,
}

/// What a worker thread has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// Whether its thread runs.
    pub alive: bool,
    /// How long it has been at one record, one commit or one sleep.
    pub since: Duration,
    /// Where its time went.
    pub spent: BTreeMap<Activity, Duration>,
    /// How often it has committed.
    pub commits: u64,
    /// The commits of the last 30 to 60 seconds.
    pub commits_recent: Durations,
}

/// What a task has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskMetrics {
    /// Records that were processed, those that were dropped included.
    pub processed: u64,
    /// How long that took.
    pub process_time: Duration,
    /// Timers that fired.
    pub punctuated: u64,
    /// How long those of the clock took.
    pub punctuate_time: Duration,
    /// Records that were dropped, by reason.
    pub dropped: DropCounts,
    /// What was read of each input.
    pub read: BTreeMap<TopicPartition, Transferred>,
    /// What was written to each topic, changelogs among them.
    pub written: BTreeMap<TopicName, Transferred>,
    /// How long after their own time records were processed, in the last 30 to 60 seconds: the newest record of each step.
    pub end_to_end_recent: Durations,
    /// How it is now; nothing if it does not run here any more.
    pub now: Option<TaskNow>,
}

/// How a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskNow {
    /// The worker that runs it.
    pub worker: usize,
    /// What it waits for.
    pub waits: Waiting,
    /// The greatest record time so far.
    pub stream_time: Option<Timestamp>,
    /// The calls that are open.
    pub open_calls: usize,
    /// Its inputs.
    pub inputs: Vec<ObservedInput>,
    /// Its stores.
    pub stores: Vec<ObservedStore>,
}

/// An error that the application has met, and may have got over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastError {
    /// When, on the application's clock.
    pub at: Timestamp,
    /// What it said.
    pub message: String,
}
