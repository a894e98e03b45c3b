//! A thread that runs tasks until the application is closed or fails.

use std::sync::Arc;
use std::time::Duration;

use super::AppState;
use super::message::Query;
use super::shared::Shared;
use crate::error::Error;
use crate::exec::{Committer, EagerChooser, Executor, Settings};
use crate::log::Progress;
use crate::task::Task;

/// How long a worker without work sleeps at most: nothing is missed, since news wake it.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// A worker commits at the gate, together with the others.
struct AtGate(Arc<Shared>);

impl Committer for AtGate {
    fn commit(&self, progress: Progress) -> Result<(), Error> {
        self.0.gate.commit(&self.0.session, progress)
    }

    fn requested(&self) -> bool {
        self.0.gate.requested()
    }
}

/// Says once that a worker has restored its tasks, or that it could not.
pub(super) type Ready = Box<dyn FnOnce(Result<u64, Error>) + Send>;

/// The body of a worker's thread.
pub(super) fn run(shared: Arc<Shared>, number: usize, tasks: Vec<Task>, settings: Settings, ready: Ready) {
    let result = run_tasks(&shared, number, tasks, settings, ready);
    if let Err(error) = &result {
        tracing::error!(application = shared.application, worker = number, %error, "the application stops");
        shared.fail(error);
    }
    shared.inboxes[number].end();
}

fn run_tasks(
    shared: &Arc<Shared>,
    number: usize,
    tasks: Vec<Task>,
    settings: Settings,
    ready: Ready,
) -> Result<(), Error> {
    let committer = Arc::new(AtGate(shared.clone()));
    let mut executor =
        Executor::new(shared.log.clone(), shared.session.clone(), committer, shared.clock.clone(), settings);
    let restored = restore(shared, &mut executor, tasks);
    ready(restored.clone());
    restored?;
    let (mut chooser, mut seen) = (EagerChooser::default(), 0);
    loop {
        let messages = shared.inboxes[number].take();
        answer(&mut executor, messages.queries)?;
        if messages.close {
            return close(shared, &mut executor);
        }
        if let AppState::Failed(error) = &*shared.state.borrow() {
            return Err(error.clone());
        }
        if executor.step(&mut chooser)?.is_none() {
            let limit = executor.commit_due_in().unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
            seen = shared.session.wait(seen, limit);
        }
    }
}

fn restore(shared: &Shared, executor: &mut Executor, tasks: Vec<Task>) -> Result<u64, Error> {
    let progress = shared.session.progress()?;
    tasks.into_iter().map(|task| executor.add_task(task, &shared.application, &progress)).sum()
}

/// Answers what users asked, from committed state: so a commit comes first.
fn answer(executor: &mut Executor, queries: impl IntoIterator<Item = Query>) -> Result<(), Error> {
    let mut queries = queries.into_iter().peekable();
    if queries.peek().is_some() && executor.commit_due_in().is_some() {
        executor.commit()?;
    }
    queries.for_each(|query| query(executor));
    Ok(())
}

/// The last commit; then the stores are flushed, so that the next start has nothing to restore.
fn close(shared: &Shared, executor: &mut Executor) -> Result<(), Error> {
    executor.commit()?;
    shared.gate.leave(&shared.session)?;
    executor.flush_all()
}
