//! A session whose log fails, by a seed: appends that fail, get lost or come late, commits that are not made, and commits that
//! are made and nobody hears of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill::log::{Append, EndWatch, LogError, LogErrorKind, OwnRecords, Progress, Session};
use tidemill::record::{Batch, Offset, TopicPartition};

/// What goes wrong at one call of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A read or an append fails.
    Fails,
    /// An append seems to go well, and its records are gone: the commit says so.
    GetsLost,
    /// What was written cannot be read yet, or only its beginning.
    ComesLate,
    /// A commit is not made.
    NotCommitted,
    /// A commit is made, and its answer is an error.
    CommittedUnheard,
}

/// Decides for each call whether something goes wrong, and notes what did.
pub(crate) trait Decide: Send {
    /// `possible` are the faults that this call knows.
    fn decide(&mut self, possible: &[Fault]) -> Option<Fault>;
}

impl<F: FnMut(&[Fault]) -> Option<Fault> + Send> Decide for F {
    fn decide(&mut self, possible: &[Fault]) -> Option<Fault> {
        self(possible)
    }
}

/// The session of a log that fails.
pub(crate) struct FlakySession {
    inner: Arc<dyn Session>,
    decide: Mutex<Box<dyn Decide>>,
    /// Whether records of the open epoch got lost.
    lost: Mutex<bool>,
}

impl FlakySession {
    pub(crate) fn new(inner: Arc<dyn Session>, decide: impl Decide + 'static) -> Self {
        FlakySession { inner, decide: Mutex::new(Box::new(decide)), lost: Mutex::default() }
    }

    fn fault(&self, possible: &[Fault]) -> Option<Fault> {
        self.decide.lock().unwrap().decide(possible)
    }
}

fn unavailable<T>() -> Result<T, LogError> {
    Err(LogError::new(LogErrorKind::Unavailable, "the log is out of order, as the test has it"))
}

impl Session for FlakySession {
    fn own_records(&self) -> OwnRecords {
        self.inner.own_records()
    }

    fn progress(&self) -> Result<Progress, LogError> {
        self.inner.progress()
    }

    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        match self.fault(&[Fault::Fails, Fault::ComesLate]) {
            None => self.inner.read(partition, from, bytes_max),
            Some(Fault::ComesLate) => {
                let mut batches = self.inner.read(partition, from, bytes_max)?;
                batches.truncate(batches.len() / 2);
                Ok(batches)
            }
            Some(_) => unavailable(),
        }
    }

    fn end(&self, partition: &TopicPartition) -> Result<Offset, LogError> {
        self.inner.end(partition)
    }

    fn follow(&self, partition: &TopicPartition, from: Offset) -> Result<EndWatch, LogError> {
        self.inner.follow(partition, from)
    }

    fn unfollow(&self, partition: &TopicPartition) {
        self.inner.unfollow(partition);
    }

    fn stage(&self, append: Append) -> Result<Option<Offset>, LogError> {
        match self.fault(&[Fault::Fails, Fault::GetsLost]) {
            None => self.inner.stage(append),
            Some(Fault::GetsLost) => {
                *self.lost.lock().unwrap() = true;
                self.inner.end(&append.to).map(Some)
            }
            Some(_) => unavailable(),
        }
    }

    fn commit(&self, progress: &Progress) -> Result<(), LogError> {
        if std::mem::take(&mut *self.lost.lock().unwrap()) {
            self.inner.abort()?;
            return unavailable();
        }
        match self.fault(&[Fault::NotCommitted, Fault::CommittedUnheard]) {
            None => self.inner.commit(progress),
            Some(Fault::CommittedUnheard) => {
                self.inner.commit(progress)?;
                unavailable()
            }
            Some(_) => unavailable(),
        }
    }

    fn abort(&self) -> Result<(), LogError> {
        self.inner.abort()
    }

    fn wait(&self, seen: u64, limit: Duration) -> u64 {
        self.inner.wait(seen, limit)
    }

    fn wake(&self) {
        self.inner.wake();
    }
}
