//! Calls of tasks on their way: who does their work, and the answers that have come.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tidemill_dsl::processor::{Answer, Call, CallId};

/// Does the work of calls, elsewhere than in the executor's thread.
pub trait Caller: Send {
    /// Begins a call of a task, by the key that the executor gave it. Its answer goes to the executor's [`Answers`].
    fn make(&mut self, task: usize, call: Call);

    /// A call is over: what is left of its work can be dropped.
    fn end(&mut self, task: usize, call: CallId);

    /// A task has left: all its calls are over.
    fn forget(&mut self, task: usize);
}

/// Answers that an executor has not seen yet, in the order in which they came.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<VecDeque<(usize, CallId, Answer)>>>);

impl Answers {
    /// Adds the answer of a call of a task, by the key that the executor gave it.
    pub fn put(&self, task: usize, call: CallId, answer: Answer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((task, call, answer));
    }

    /// The task that the first answer is for.
    pub(super) fn first(&self) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).front().map(|(task, ..)| *task)
    }

    pub(super) fn take(&self) -> Option<(usize, CallId, Answer)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
