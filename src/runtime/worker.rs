//! A thread that runs tasks until its crew ends.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::{Offset, TopicPartition};

use super::calls::Spawner;
use super::crew::{Crew, Post};
use super::gate::Gate;
use super::metrics::{Reporter, report};
use super::shared::Shared;
use crate::error::{Error, ErrorKind};
use crate::exec::{Answers, Committer, EagerChooser, Executor, Settings};
use crate::log::{InputProgress, Progress};
use crate::task::panic_text;

/// How long a worker without work sleeps at most: nothing is missed, since news wake it.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// A worker commits at its gate.
struct AtGate {
    shared: Arc<Shared>,
    gate: Arc<Gate>,
}

impl Committer for AtGate {
    fn commit(&self, progress: Progress) -> Result<(), Error> {
        self.gate.commit(&self.shared.committed, progress)
    }

    fn reached(&self, globals: &BTreeMap<TopicPartition, InputProgress>) {
        self.shared.committed.reached(globals);
    }

    fn requested(&self) -> bool {
        self.gate.requested()
    }
}

/// The body of a worker's thread. It begins without tasks, and gets them by its inbox.
pub(super) fn run(shared: &Arc<Shared>, crew: &Crew, number: usize, settings: Settings) -> Result<(), Error> {
    let post = &*crew.post(number);
    let committer = Arc::new(AtGate { shared: shared.clone(), gate: post.gate.clone() });
    let mut executor =
        Executor::new(shared.log.clone(), post.session.clone(), committer, shared.clock.clone(), settings);
    executor.purge(shared.shape().repartition.iter().cloned());
    executor.interrupt(post.inbox.interrupt());
    let answers = Answers::default();
    let spawner = Spawner::new(shared.runtime.clone(), post.session.clone(), answers.clone());
    executor.calls(spawner, answers);
    let result = caught(|| work(shared, crew, (number, post), &mut executor));
    report(shared, number, &mut executor);
    shared.numbers.ended(number);
    if let Err(error) = &result {
        crew.end(error);
        // Sends may wait behind what the epoch has staged; every worker that leaves sees to it that nothing stays there.
        if let Err(error) = post.session.abort() {
            tracing::debug!(application = shared.application, %error, "the open epoch was not aborted");
        }
    }
    post.inbox.end();
    result
}

/// Makes an error of a panic. Tasks catch those on a record's way; serdes run in restores, commits and queries too, and a
/// thread that just ended would leave the others waiting for it at the gate.
pub(super) fn caught<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // After a panic nobody uses the executor any more.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let message = format!("a worker panicked outside of a record's way: {}", panic_text(&*panic));
        Err(Error::new(ErrorKind::Processing, message))
    })
}

/// Runs the tasks until the crew is closed or ends.
fn work(shared: &Shared, crew: &Crew, (number, post): (usize, &Post), executor: &mut Executor) -> Result<(), Error> {
    let (mut chooser, mut seen, mut wanted) = (EagerChooser::default(), 0, BTreeSet::new());
    let mut reporter = Reporter::new(number, shared.clock.now());
    loop {
        let now = shared.clock.now();
        post.held.set(executor.held());
        post.set_alive(now);
        let messages = post.inbox.take();
        executor.set_paused(shared.pause.is_on());
        reporter.asked(!messages.queries.is_empty());
        messages.queries.into_iter().try_for_each(|query| query(executor))?;
        wanted.extend(messages.wanted);
        commit_wanted(executor, &mut wanted)?;
        if messages.close {
            return close(shared, post, executor);
        }
        if let Some(error) = crew.over() {
            return Err(error.clone());
        }
        if executor.step(&mut chooser)?.is_some() {
            reporter.worked(shared, executor, now);
        } else {
            // Whoever has nothing to write would not hear of a log that broke, and go on as if it ran.
            shared.log.check()?;
            let report_due = reporter.idles(shared, executor, now);
            let due = [executor.commit_due_in(), executor.timer_due_in(), report_due];
            let limit = due.into_iter().flatten().fold(SLEEP_MAX, Duration::min);
            let news = post.session.wait(seen, limit);
            // What comes is not processed, and is to show as lag.
            reporter.asked(shared.pause.is_on() && news != seen);
            seen = news;
        }
    }
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
fn close(shared: &Shared, post: &Post, executor: &mut Executor) -> Result<(), Error> {
    executor.commit()?;
    post.gate.leave(&shared.committed)?;
    executor.flush_all()
}
