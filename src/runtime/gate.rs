//! Where the workers that share a session meet to commit: all their tasks commit together, in one atomic append.
//!
//! Rule: an epoch ends when every worker has handed in what it did; the last one commits for all, and none goes on before
//! it is committed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::committed::Committed;
use crate::error::Error;
use crate::log::{Progress, Session};

pub(super) struct Gate {
    /// Which gate of its crew it is.
    number: usize,
    session: Arc<dyn Session>,
    round: Mutex<Round>,
    turned: Condvar,
    requested: AtomicBool,
}

struct Round {
    number: u64,
    /// Workers that are still running.
    members: usize,
    arrived: usize,
    progress: Progress,
    broken: Option<Error>,
}

impl Gate {
    pub(super) fn new(number: usize, session: Arc<dyn Session>, members: usize) -> Self {
        let round = Round { number: 0, members, arrived: 0, progress: Progress::default(), broken: None };
        Gate { number, session, round: Mutex::new(round), turned: Condvar::new(), requested: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Whether a worker waits at the gate.
    pub(super) fn requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Hands in what a worker did, and waits until the epoch is committed.
    pub(super) fn commit(&self, readers: &Committed, progress: Progress) -> Result<(), Error> {
        let mut round = self.lock();
        if let Some(error) = &round.broken {
            return Err(error.clone());
        }
        round.progress.inputs.extend(progress.inputs);
        round.progress.notes.extend(progress.notes);
        round.arrived += 1;
        if round.arrived == round.members {
            return self.turn(round, readers);
        }
        self.requested.store(true, Ordering::Release);
        self.session.wake();
        let number = round.number;
        while round.number == number && round.broken.is_none() {
            round = self.turned.wait(round).unwrap_or_else(PoisonError::into_inner);
        }
        round.broken.clone().map_or(Ok(()), Err)
    }

    /// Commits for all, and lets them go on.
    fn turn(&self, mut round: MutexGuard<'_, Round>, readers: &Committed) -> Result<(), Error> {
        let progress = std::mem::take(&mut round.progress);
        let committed = tracing::debug_span!("commit", gate = self.number, inputs = progress.inputs.len())
            .in_scope(|| self.session.commit(&progress).map_err(Error::from));
        if committed.is_ok() {
            readers.commit(self.number, &progress);
        }
        round.number += 1;
        round.arrived = 0;
        round.broken = committed.as_ref().err().cloned();
        self.requested.store(false, Ordering::Release);
        self.turned.notify_all();
        committed
    }

    /// One more worker commits here.
    pub(super) fn join(&self) {
        self.lock().members += 1;
    }

    /// A worker has made its last commit and leaves; those that wait for it go on.
    pub(super) fn leave(&self, readers: &Committed) -> Result<(), Error> {
        let mut round = self.lock();
        round.members -= 1;
        if round.arrived > 0 && round.arrived == round.members { self.turn(round, readers) } else { Ok(()) }
    }

    /// Nothing is committed any more; whoever waits gets the error.
    pub(super) fn break_open(&self, error: &Error) {
        self.lock().broken.get_or_insert_with(|| error.clone());
        self.turned.notify_all();
    }
}
