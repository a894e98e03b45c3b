//! Who decides what happens next.

/// Something that an executor can do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Take records from the log into an empty queue.
    Fetch {
        /// The task, by its place in the executor.
        task: usize,
        /// The queue.
        queue: usize,
    },
    /// Process records of a task, until a limit or until one of them wrote to a topic that the application reads itself.
    Process {
        /// The task, by its place in the executor.
        task: usize,
    },
    /// Fire the wall-clock timers of a task that are due.
    Punctuate {
        /// The task, by its place in the executor.
        task: usize,
    },
    /// Give a task the first answer that came to one of its calls, with all that follows from it.
    Answer {
        /// The task, by its place in the executor.
        task: usize,
    },
    /// Commit what all tasks have done.
    Commit {
        /// Whether the commit interval is over, a processor asked for it, or another executor waits for this one.
        due: bool,
    },
}

/// Picks the next step.
pub trait Chooser {
    /// One of `enabled`, by its place; `None` to wait. `enabled` is never empty.
    fn choose(&mut self, enabled: &[Step]) -> Option<usize>;
}

/// Commits when it is due, fires timers, takes answers, fetches what there is, and gives every task its turn.
#[derive(Clone, Debug, Default)]
pub struct EagerChooser {
    last: usize,
}

impl Chooser for EagerChooser {
    fn choose(&mut self, enabled: &[Step]) -> Option<usize> {
        let due = enabled.iter().position(|step| matches!(step, Step::Commit { due: true }));
        let fetch = || enabled.iter().position(|step| matches!(step, Step::Fetch { .. }));
        let timers = || enabled.iter().position(|step| matches!(step, Step::Punctuate { .. }));
        let answers = || enabled.iter().position(|step| matches!(step, Step::Answer { .. }));
        due.or_else(timers).or_else(answers).or_else(fetch).or_else(|| self.next_task(enabled))
    }
}

impl EagerChooser {
    /// The task after the one that ran last.
    fn next_task(&mut self, enabled: &[Step]) -> Option<usize> {
        let task = |step: &Step| match step {
            Step::Process { task } => Some(*task),
            _ => None,
        };
        let after = enabled.iter().position(|step| task(step).is_some_and(|task| task > self.last));
        let chosen = after.or_else(|| enabled.iter().position(|step| task(step).is_some()))?;
        self.last = task(&enabled[chosen])?;
        Some(chosen)
    }
}
