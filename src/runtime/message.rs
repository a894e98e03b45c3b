//! What users ask of a worker; it answers between two steps, right after a commit.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::exec::Executor;

/// Something to do with a worker's tasks.
pub(super) type Query = Box<dyn FnOnce(&mut Executor) + Send>;

/// The messages that wait for a worker.
#[derive(Default)]
pub(super) struct Inbox(Mutex<Waiting>);

#[derive(Default)]
pub(super) struct Waiting {
    pub(super) queries: VecDeque<Query>,
    pub(super) close: bool,
    /// Nobody reads the inbox any more.
    ended: bool,
}

impl Inbox {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Adds a query; `false` when the worker is gone.
    pub(super) fn ask(&self, query: Query) -> bool {
        let mut waiting = self.lock();
        if !waiting.ended {
            waiting.queries.push_back(query);
        }
        !waiting.ended
    }

    pub(super) fn close(&self) {
        self.lock().close = true;
    }

    /// Takes what waits.
    pub(super) fn take(&self) -> Waiting {
        let mut waiting = self.lock();
        Waiting { queries: std::mem::take(&mut waiting.queries), close: waiting.close, ended: waiting.ended }
    }

    /// Refuses everything from now on, and drops what waits: whoever asked sees the worker gone.
    pub(super) fn end(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        waiting.queries.clear();
    }
}
