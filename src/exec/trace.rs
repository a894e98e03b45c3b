//! What an executor did, event by event: for comparing a real run with a model. Costs one branch per event when off.

use tidemill_dsl::processor::Address;
use tidemill_dsl::record::{Offset, TopicPartition};

use crate::log::Progress;
use crate::task::TaskId;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceEvent {
    /// A task took records from the log.
    Fetched {
        /// The task.
        task: TaskId,
        /// Where from.
        input: TopicPartition,
        /// The first offset.
        from: Offset,
        /// The offset after the last one.
        to: Offset,
    },
    /// A task processed a record.
    Processed {
        /// The task.
        task: TaskId,
        /// Where the record came from.
        input: TopicPartition,
        /// Its offset.
        offset: Offset,
    },
    /// A task's records were added to the open epoch.
    Appended {
        /// The task.
        task: TaskId,
        /// Where to.
        output: TopicPartition,
        /// The offset of the first, where it is known already.
        first: Option<Offset>,
        /// How many.
        count: u32,
    },
    /// The epoch was committed.
    Committed {
        /// What this executor contributed.
        progress: Progress,
    },
}

impl TraceEvent {
    pub(super) fn processed(task: &TaskId, record: &Address) -> Self {
        let input = TopicPartition { topic: record.topic.clone(), partition: record.partition };
        TraceEvent::Processed { task: task.clone(), input, offset: record.offset }
    }
}

/// Takes trace events.
pub trait Trace: Send {
    /// Called for each event, in order.
    fn event(&mut self, event: TraceEvent);
}

impl<F: FnMut(TraceEvent) + Send> Trace for F {
    fn event(&mut self, event: TraceEvent) {
        self(event);
    }
}
