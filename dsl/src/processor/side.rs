//! Where records go that a node drops, if the program wants to see them: topics beside what it goes on to.
//!
//! Rule: what goes there is what the node was given, as it came, and only after the node is done with it.

use std::sync::Arc;

use super::{DropReason, Edge, Flow, Push, TaskState};

/// Which of a node's records a child takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Those that it makes.
    Made,
    /// Those that it drops, but for late ones where another child takes these.
    Dropped,
    /// Those that it drops because they are late.
    Late,
}

type Sinks<In> = Box<[Arc<dyn Push<In>>]>;

/// The sinks of what a node drops.
pub(crate) struct SideOutputs<In: Edge> {
    dropped: Sinks<In>,
    late: Sinks<In>,
}

impl<In: Edge> SideOutputs<In> {
    /// The side outputs of a node that has any.
    pub(crate) fn of(dropped: Vec<Arc<dyn Push<In>>>, late: Vec<Arc<dyn Push<In>>>) -> Option<Self> {
        let any = !dropped.is_empty() || !late.is_empty();
        any.then(|| SideOutputs { dropped: dropped.into(), late: late.into() })
    }

    /// Writes what was dropped.
    #[cold]
    pub(crate) fn push(&self, reason: DropReason, item: In::Item<'_>, task: &mut TaskState) -> Flow {
        let late = reason == DropReason::Late && !self.late.is_empty();
        let sinks = if late { &self.late } else { &self.dropped };
        sinks.iter().try_for_each(|sink| sink.push(item, task))
    }
}
