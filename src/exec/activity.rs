//! What an executor spends its time with.
//!
//! Rule: no look at the clock is made for it. The time between the beginnings of two steps belongs to the first of them; it is
//! whole milliseconds, which are right on average however short a step is.

use std::ops::AddAssign;
use std::time::Duration;

use tidemill_dsl::record::Timestamp;

use super::{Executor, Step};

/// What an executor does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Activity {
    /// Takes records from the log.
    Fetch,
    /// Processes records.
    Process,
    /// Fires timers of the clock.
    Punctuate,
    /// Processes answers of calls.
    Answer,
    /// Commits, and waits for those that commit with it; flushes stores.
    Commit,
    /// Has nothing to do.
    #[default]
    Idle,
}

impl Activity {
    /// All of them.
    pub const ALL: [Activity; 6] =
        [Activity::Fetch, Activity::Process, Activity::Punctuate, Activity::Answer, Activity::Commit, Activity::Idle];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Activity::Fetch => "fetch",
            Activity::Process => "process",
            Activity::Punctuate => "punctuate",
            Activity::Answer => "answer",
            Activity::Commit => "commit",
            Activity::Idle => "idle",
        }
    }
}

/// Durations of something that happened several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// How often.
    pub count: u64,
    /// All of them together.
    pub total: Duration,
    /// The shortest; nothing if there was none.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Durations {
    fn add(&mut self, one: Duration) {
        *self += Durations { count: 1, total: one, shortest: one, longest: one };
    }

    /// What they are on average; `None` if there was none.
    pub fn average(&self) -> Option<Duration> {
        let millis = u64::try_from(self.total.as_millis()).unwrap_or(u64::MAX);
        Some(Duration::from_millis(millis.checked_div(self.count)?))
    }
}

impl AddAssign for Durations {
    fn add_assign(&mut self, more: Durations) {
        if more.count > 0 {
            self.shortest = if self.count == 0 { more.shortest } else { self.shortest.min(more.shortest) };
        }
        self.count += more.count;
        self.total += more.total;
        self.longest = self.longest.max(more.longest);
    }
}

/// Where the time of a task went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskTimes {
    /// Steps that processed records.
    pub process: Duration,
    /// Steps that fired timers of the clock.
    pub punctuate: Duration,
    /// How long after its own time the newest record of a step was processed: one for each step.
    pub end_to_end: Durations,
}

/// Where the time of an executor goes.
pub(super) struct Spending {
    since: Timestamp,
    doing: Activity,
    /// The key of the task that it is done for.
    task: Option<usize>,
    spent: [Duration; Activity::ALL.len()],
    commits: Durations,
}

impl Spending {
    pub(super) fn new(now: Timestamp) -> Self {
        Spending {
            since: now,
            doing: Activity::Idle,
            task: None,
            spent: Default::default(),
            commits: Durations::default(),
        }
    }

    /// Something else is done from now on.
    #[inline]
    pub(super) fn doing(&mut self, doing: Activity, task: Option<usize>) {
        (self.doing, self.task) = (doing, task);
    }

    /// A commit was made.
    pub(super) fn committed(&mut self, begun: Timestamp, ended: Timestamp) {
        self.commits.add(between(begun, ended));
    }

    /// Takes away what was spent, and the commits.
    pub(super) fn take(&mut self) -> ([Duration; Activity::ALL.len()], Durations) {
        (std::mem::take(&mut self.spent), std::mem::take(&mut self.commits))
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.as_millis().saturating_sub(from.as_millis())).unwrap_or(0))
}

impl Executor {
    /// What was done until now is over.
    #[inline]
    pub(super) fn spend_until(&mut self, now: Timestamp) {
        let spent = between(self.spending.since, now);
        self.spending.since = now;
        self.spending.spent[self.spending.doing as usize] += spent;
        let doing = self.spending.doing;
        let Some(key) = self.spending.task else { return };
        // A task may have left since.
        let Some(driven) = self.tasks.iter_mut().find(|driven| driven.key == key) else { return };
        if doing == Activity::Punctuate {
            driven.times.punctuate += spent;
        } else {
            driven.times.process += spent;
            if let Some(newest) = driven.task.newest_time() {
                driven.times.end_to_end.add(between(newest, now));
            }
        }
    }

    /// A step begins.
    #[inline]
    pub(super) fn turn_to(&mut self, step: Step) {
        let key = |task: usize| Some(self.tasks[task].key);
        let (doing, task) = match step {
            Step::Fetch { .. } => (Activity::Fetch, None),
            Step::Process { task } => (Activity::Process, key(task)),
            Step::Punctuate { task } => (Activity::Punctuate, key(task)),
            Step::Answer { .. } => (Activity::Answer, None),
            Step::Commit { .. } => (Activity::Commit, None),
        };
        self.spending.doing(doing, task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_know_their_range_and_average() {
        let mut all = Durations::default();
        assert_eq!(all.average(), None);
        all += Durations::default();
        [5, 2, 8].into_iter().for_each(|millis| all.add(Duration::from_millis(millis)));
        let millis = Duration::from_millis;
        assert_eq!(all, Durations { count: 3, total: millis(15), shortest: millis(2), longest: millis(8) });
        assert_eq!(all.average(), Some(millis(5)));
    }

    #[test]
    fn a_clock_that_goes_back_takes_no_time() {
        assert_eq!(between(Timestamp::from_millis(9), Timestamp::from_millis(3)), Duration::ZERO);
    }
}
