//! What users ask of a worker; it answers between two records.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tidemill_dsl::record::{Offset, TopicPartition};

use super::Position;
use crate::error::Error;
use crate::exec::Executor;

/// Something to do with a worker's tasks; an error stops the application.
pub(super) type Query = Box<dyn FnOnce(&mut Executor) -> Result<(), Error> + Send>;

/// The messages that wait for a worker.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    /// Whether something waits: it ends a run of records.
    interrupt: Arc<AtomicBool>,
}

#[derive(Default)]
pub(super) struct Waiting {
    pub(super) queries: VecDeque<Query>,
    /// What somebody waits for to be committed.
    pub(super) wanted: BTreeSet<(TopicPartition, Offset)>,
    pub(super) close: bool,
    /// Nobody reads the inbox any more.
    ended: bool,
}

impl Inbox {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Becomes true when there is something to take.
    pub(super) fn interrupt(&self) -> Arc<AtomicBool> {
        self.interrupt.clone()
    }

    /// Adds a query; `false` when the worker is gone.
    pub(super) fn ask(&self, query: Query) -> bool {
        let mut waiting = self.lock();
        if !waiting.ended {
            waiting.queries.push_back(query);
            self.interrupt.store(true, Ordering::Release);
        }
        !waiting.ended
    }

    /// Adds places that are to be committed as soon as they are reached.
    pub(super) fn want(&self, position: &Position) {
        let mut waiting = self.lock();
        if !waiting.ended {
            waiting.wanted.extend(position.iter().map(|(partition, next)| (partition.clone(), next)));
        }
    }

    pub(super) fn close(&self) {
        self.lock().close = true;
        self.interrupt.store(true, Ordering::Release);
    }

    /// Whether nobody reads it any more.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Takes what waits.
    pub(super) fn take(&self) -> Waiting {
        let mut waiting = self.lock();
        self.interrupt.store(false, Ordering::Release);
        let (queries, wanted) = (std::mem::take(&mut waiting.queries), std::mem::take(&mut waiting.wanted));
        Waiting { queries, wanted, close: waiting.close, ended: waiting.ended }
    }

    /// Refuses everything from now on, and drops what waits: whoever asked sees the worker gone.
    pub(super) fn end(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        waiting.queries.clear();
    }
}
