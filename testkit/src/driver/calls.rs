//! Calls that a driver's tasks have made: their work is done in the calling thread.

use std::task::{Context, Poll, Waker};

use tidemill::processor::{Answer, Call, CallId};
use tidemill::task::Task;

/// When the driver lets calls end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Calls {
    /// As soon as they can, in the order in which they were made.
    #[default]
    AtOnce,
    /// When the test says so: [`TestDriver::end_call`](super::TestDriver::end_call).
    OnDemand,
}

/// Calls that are open, in the order in which they were made.
#[derive(Default)]
pub(super) struct OpenCalls(Vec<(usize, Call)>);

impl OpenCalls {
    /// Learns what has become of a task's calls.
    pub(super) fn update(&mut self, number: usize, task: &mut Task) {
        let changes = task.take_calls();
        self.0.retain(|(of, call)| *of != number || !changes.ended.contains(&call.id));
        // One that was made and has ended since, because it came too late, is not there any more.
        let made = changes.made.into_iter().filter(|call| !changes.ended.contains(&call.id));
        self.0.extend(made.map(|call| (number, call)));
    }

    /// The nodes that made them.
    pub(super) fn nodes(&self) -> Vec<String> {
        self.0.iter().map(|(_, call)| call.node.to_string()).collect()
    }

    /// Takes out the first one that can end.
    pub(super) fn take_ready(&mut self) -> Option<(usize, CallId, Answer)> {
        (0..self.0.len()).find_map(|place| self.take(place))
    }

    /// Takes out the one at a place, if it can end.
    pub(super) fn take(&mut self, place: usize) -> Option<(usize, CallId, Answer)> {
        let (task, call) = self.0.get_mut(place)?;
        // Nobody waits to be woken: the test asks again.
        let Poll::Ready(answer) = call.work.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { return None };
        let (task, id) = (*task, call.id);
        self.0.remove(place);
        Some((task, id, answer))
    }
}
