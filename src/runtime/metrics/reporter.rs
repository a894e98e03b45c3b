//! When a worker hands in its numbers.
//!
//! Rule: at most ten times a second, and once more a tenth of a second after it has done something last.

use std::time::Duration;

use tidemill_dsl::record::Timestamp;

use crate::exec::Executor;
use crate::runtime::shared::Shared;

/// How far apart reports are.
const EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Reporter {
    worker: usize,
    at: Timestamp,
    /// Whether something has happened since.
    has_news: bool,
    /// Whether the last look at the tasks found nothing to do.
    is_idle: bool,
}

impl Reporter {
    pub(crate) fn new(worker: usize, now: Timestamp) -> Self {
        Reporter { worker, at: now, has_news: true, is_idle: false }
    }

    /// Whether somebody asked something of the executor: tasks come and go that way.
    #[inline]
    pub(crate) fn asked(&mut self, was_asked: bool) {
        self.has_news |= was_asked;
    }

    /// Something was done.
    #[inline]
    pub(crate) fn worked(&mut self, shared: &Shared, executor: &mut Executor, now: Timestamp) {
        (self.has_news, self.is_idle) = (true, false);
        if self.is_due(now) {
            self.report(shared, executor, now);
        }
    }

    /// There is nothing to do. Gives how long the worker may sleep before a report is due.
    pub(crate) fn idles(&mut self, shared: &Shared, executor: &mut Executor, now: Timestamp) -> Option<Duration> {
        // A clock that stands still must not keep the numbers back.
        if self.has_news && (self.is_idle || self.is_due(now)) {
            self.report(shared, executor, now);
        }
        self.is_idle = true;
        self.has_news.then_some(EVERY)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        now.as_millis().saturating_sub(self.at.as_millis()) >= EVERY.as_millis() as i64
    }

    fn report(&mut self, shared: &Shared, executor: &mut Executor, now: Timestamp) {
        (self.at, self.has_news) = (now, false);
        report(shared, self.worker, executor);
    }
}

/// Hands in the numbers of a worker; before tasks leave it, or what they have done since the last time is lost.
pub(crate) fn report(shared: &Shared, worker: usize, executor: &mut Executor) {
    let observed = executor.observe();
    shared.numbers.add(worker, observed, shared.clock.now());
}
