//! A thread that runs tasks until the application is closed or fails.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::{Offset, TopicPartition};

use super::AppState;
use super::calls::Spawner;
use super::shared::Shared;
use crate::error::{Error, ErrorKind};
use crate::exec::{Answers, Committer, EagerChooser, Executor, Settings};
use crate::log::{InputProgress, Progress};
use crate::task::{Task, panic_text};

/// How long a worker without work sleeps at most: nothing is missed, since news wake it.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// A worker commits at the gate, together with the others.
struct AtGate(Arc<Shared>);

impl Committer for AtGate {
    fn commit(&self, progress: Progress) -> Result<(), Error> {
        self.0.gate.commit(&self.0, progress)
    }

    fn reached(&self, globals: &BTreeMap<TopicPartition, InputProgress>) {
        self.0.committed.reached(globals);
    }

    fn requested(&self) -> bool {
        self.0.gate.requested()
    }
}

/// Says once that a worker has restored its tasks, or that it could not; returns when all have.
pub(super) type Ready = Box<dyn FnOnce(Result<u64, Error>) + Send>;

/// The body of a worker's thread.
pub(super) fn run(shared: Arc<Shared>, number: usize, tasks: Vec<Task>, settings: Settings, ready: Ready) {
    let committer = Arc::new(AtGate(shared.clone()));
    let mut executor =
        Executor::new(shared.log.clone(), shared.session.clone(), committer, shared.clock.clone(), settings);
    executor.purge(shared.repartition.iter().cloned());
    executor.interrupt(shared.inboxes[number].interrupt());
    let answers = Answers::default();
    executor.calls(Spawner::new(shared.clone(), answers.clone()), answers);
    let restored = caught(|| restore(&shared, &mut executor, tasks));
    ready(restored.clone());
    let result = restored.and_then(|_| caught(|| work(&shared, number, &mut executor)));
    if let Err(error) = &result {
        tracing::error!(application = shared.application, worker = number, %error, "the application stops");
        shared.fail(error);
        // Sends may wait behind what the epoch has staged; every worker that leaves sees to it that nothing stays there.
        if let Err(error) = shared.session.abort() {
            tracing::warn!(application = shared.application, %error, "the open epoch was not aborted");
        }
    }
    shared.inboxes[number].end();
}

/// Makes an error of a panic. Tasks catch those on a record's way; serdes run in restores, commits and queries too, and a
/// thread that just ended would leave the others waiting for it at the gate.
fn caught<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // After a panic nobody uses the executor any more.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let message = format!("a worker panicked outside of a record's way: {}", panic_text(&*panic));
        Err(Error::new(ErrorKind::Processing, message))
    })
}

/// Runs the tasks until the application is closed or fails.
fn work(shared: &Shared, number: usize, executor: &mut Executor) -> Result<(), Error> {
    let (mut chooser, mut seen, mut wanted) = (EagerChooser::default(), 0, BTreeSet::new());
    loop {
        shared.held[number].set(executor.held());
        let messages = shared.inboxes[number].take();
        messages.queries.into_iter().try_for_each(|query| query(executor))?;
        wanted.extend(messages.wanted);
        commit_wanted(executor, &mut wanted)?;
        if messages.close {
            return close(shared, executor);
        }
        if let AppState::Failed(error) = &*shared.state.borrow() {
            return Err(error.clone());
        }
        if executor.step(&mut chooser)?.is_none() {
            // Whoever has nothing to write would not hear of a log that broke, and go on as if it ran.
            shared.log.check()?;
            let due = [executor.commit_due_in(), executor.timer_due_in()];
            let limit = due.into_iter().flatten().fold(SLEEP_MAX, Duration::min);
            seen = shared.session.wait(seen, limit);
        }
    }
}

fn restore(shared: &Shared, executor: &mut Executor, tasks: Vec<Task>) -> Result<u64, Error> {
    let progress = shared.session.progress()?;
    tasks.into_iter().map(|task| executor.add_task(task, &shared.application, &progress)).sum()
}

/// Commits when something is processed whose commit is waited for. What this worker does not read is another's.
fn commit_wanted(executor: &mut Executor, wanted: &mut BTreeSet<(TopicPartition, Offset)>) -> Result<(), Error> {
    let mut reached = false;
    wanted.retain(|(input, next)| match executor.position(input) {
        Some(position) if position < *next => true,
        position => {
            reached |= position.is_some();
            false
        }
    });
    if reached && executor.commit_due_in().is_some() { executor.commit() } else { Ok(()) }
}

/// The last commit; then the stores are flushed, so that the next start has nothing to restore.
fn close(shared: &Shared, executor: &mut Executor) -> Result<(), Error> {
    executor.commit()?;
    shared.gate.leave(shared)?;
    executor.flush_all()
}
