//! Threads that restore tasks, so that those which are ready need not wait for the others.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tidemill_dsl::processor::GlobalStores;

use super::standbys::Standbys;
use super::task_maker::TaskMaker;
use super::worker::caught;
use crate::error::{Error, ErrorKind};
use crate::exec::{ReadyTask, Restorer, Restoring};
use crate::log::Progress;
use crate::task::TaskId;

/// A task to be made ready.
pub(super) struct Job {
    pub(super) task: TaskId,
    pub(super) progress: Arc<Progress>,
    pub(super) watched: Arc<Restoring>,
}

/// Takes what has become of a job.
pub(super) type Done = Arc<dyn Fn(TaskId, Result<Box<ReadyTask>, Error>) + Send + Sync>;

/// The threads. Dropping them waits for those jobs that have begun.
pub(super) struct Restorers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Restorers {
    pub(super) fn start(
        threads: usize,
        maker: &Arc<TaskMaker>,
        (globals, standbys): (&Arc<GlobalStores>, &Arc<Standbys>),
        restorer: &Restorer,
        done: &Done,
    ) -> Result<Restorers, Error> {
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut restorers = Restorers { jobs: Some(jobs), threads: Vec::new() };
        for number in 0..threads {
            let (waiting, maker, globals) = (waiting.clone(), maker.clone(), globals.clone());
            let (restorer, done, standbys) = (restorer.clone(), done.clone(), standbys.clone());
            let body = move || {
                while let Some(Job { task, progress, watched }) = next(&waiting) {
                    let span = tracing::info_span!("restore", %task, records = tracing::field::Empty);
                    let _entered = span.enter();
                    let made = caught(|| match standbys.take(&task) {
                        Some(standby) => restorer.promote(standby, &progress, &watched),
                        None => restorer.restore(maker.make(&task, &globals)?, &progress, &watched),
                    });
                    if let Ok(ready) = &made {
                        span.record("records", ready.restored());
                    }
                    let made = made.map(Box::new);
                    done(task, made);
                }
            };
            let thread = std::thread::Builder::new().name(format!("tidemill-restore-{number}")).spawn(body);
            let thread = thread
                .map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
            restorers.threads.push(thread);
        }
        Ok(restorers)
    }

    /// Adds a job; they are done in the order in which they come.
    pub(super) fn add(&self, job: Job) {
        // The threads live as long as this does.
        self.jobs.as_ref().map(|jobs| jobs.send(job));
    }
}

fn next(waiting: &Mutex<Receiver<Job>>) -> Option<Job> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

impl Drop for Restorers {
    fn drop(&mut self) {
        self.jobs.take();
        for thread in self.threads.drain(..) {
            // It catches its panics.
            let _ = thread.join();
        }
    }
}
