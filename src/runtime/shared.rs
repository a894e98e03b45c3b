//! What the handle and the threads of an application share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidemill_dsl::processor::PartitionCounts;
use tidemill_dsl::record::{TopicName, TopicPartition};
use tidemill_dsl::topology::Topology;
use tokio::sync::watch;

use super::committed::Committed;
use super::gate::Gate;
use super::message::{Inbox, Query};
use super::{AppState, Position};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::exec::Held;
use crate::log::{Log, Session};

/// An application, as its threads and its users see it.
pub(super) struct Shared {
    pub(super) application: String,
    pub(super) topology: Topology,
    pub(super) log: Arc<dyn Log>,
    pub(super) session: Arc<dyn Session>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) gate: Gate,
    /// What queries see.
    pub(super) committed: Committed,
    /// One per worker.
    pub(super) inboxes: Vec<Inbox>,
    /// Number of tasks of each sub-topology.
    pub(super) tasks: Vec<u32>,
    /// Number of partitions that each store's keys are spread over.
    pub(super) stores: BTreeMap<Arc<str>, u32>,
    /// Topics that only this application reads: what it has processed of them is deleted.
    pub(super) repartition: Vec<TopicName>,
    /// Every partition that a task reads.
    pub(super) inputs: Vec<TopicPartition>,
    /// What each worker's tasks hold in memory.
    pub(super) held: Vec<HeldByWorker>,
    pub(super) state: watch::Sender<AppState>,
    /// The async runtime that the application was started in.
    pub(super) runtime: Option<tokio::runtime::Handle>,
}

/// What a worker's tasks held in memory at its last step.
#[derive(Debug, Default)]
pub(super) struct HeldByWorker {
    rows: AtomicU64,
    rows_on_disk: AtomicU64,
}

impl HeldByWorker {
    pub(super) fn set(&self, held: Held) {
        self.rows.store(held.rows, Ordering::Relaxed);
        self.rows_on_disk.store(held.rows_on_disk, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Held {
        let load = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed);
        Held { rows: load(&self.rows), rows_on_disk: load(&self.rows_on_disk) }
    }
}

impl Shared {
    /// Moves on to another state, unless the application's life is over.
    pub(super) fn enter(&self, state: AppState) {
        self.state.send_if_modified(|current| {
            let moves = !current.is_over();
            if moves {
                *current = state;
            }
            moves
        });
    }

    /// Stops everything because of `error`; the first one counts.
    pub(super) fn fail(&self, error: &Error) {
        self.enter(AppState::Failed(error.clone()));
        self.gate.break_open(error);
        self.session.wake();
    }

    /// The error for a call that comes too late.
    pub(super) fn gone(&self) -> Error {
        match &*self.state.borrow() {
            AppState::Failed(error) => error.clone(),
            state => Error::new(ErrorKind::Closed, format!("application `{}` is {state}", self.application)),
        }
    }

    /// The error for a question that a worker dropped: it is ending, and a moment later it is known why.
    pub(super) async fn over(&self) -> Error {
        // The sender lives as long as this does.
        let _ = self.state.subscribe().wait_for(AppState::is_over).await;
        self.gone()
    }

    /// The error that ended the application, if one did.
    pub(super) fn failure(&self) -> Option<Error> {
        match &*self.state.borrow() {
            AppState::Failed(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// Gives a worker something to do between two records.
    pub(super) fn tell(&self, worker: usize, query: Query) -> Result<(), Error> {
        if !self.inboxes[worker].ask(query) {
            return Err(self.gone());
        }
        self.session.wake();
        Ok(())
    }

    /// Lets workers commit as soon as they have processed everything before a position.
    pub(super) fn want(&self, position: &Position) {
        self.inboxes.iter().for_each(|inbox| inbox.want(position));
        self.session.wake();
    }

    /// Which worker runs a task, by the order in which tasks are given out.
    pub(super) fn worker_of(&self, subtopology: usize, partition: u32) -> usize {
        if self.topology.subtopologies()[subtopology].is_global() {
            return 0;
        }
        let before: u32 = self.tasks[..subtopology].iter().sum();
        (before + partition) as usize % self.inboxes.len()
    }
}

/// The topics of a log.
pub(super) struct LogTopics(pub(super) Arc<dyn Log>);

impl PartitionCounts for LogTopics {
    fn partitions(&self, topic: &str) -> Option<u32> {
        // A log that cannot answer now fails at the next call that returns an error.
        self.0.topic(topic).ok().flatten().map(|spec| spec.partitions)
    }
}
