//! What a task has done, in plain numbers of its own.
//!
//! Rule: a record costs an addition at most. Whoever publishes takes the numbers away, and adds them to its own.

use tidemill_dsl::processor::{DropCounts, Transferred};
use tidemill_dsl::record::{Offset, Timestamp, TopicName, TopicPartition};

use super::Task;

/// What a task has done since it was asked the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// Records that were processed, those that were dropped included.
    pub processed: u64,
    /// Timers that fired.
    pub punctuated: u64,
    /// Records that were dropped, by reason.
    pub dropped: DropCounts,
    /// What came of each input, in the order of the inputs; what cannot be read included.
    pub read: Vec<(TopicPartition, Transferred)>,
    /// What went to topics, changelogs among them; those that got nothing are left out.
    pub written: Vec<(TopicName, Transferred)>,
}

impl Task {
    /// What it has done since this was asked the last time.
    pub fn take_counts(&mut self) -> TaskCounts {
        let dropped = self.state.dropped();
        let before = std::mem::replace(&mut self.dropped_before, dropped);
        let processed = self.queues.iter_mut().map(|queue| std::mem::take(&mut queue.done)).sum();
        let queues = self.queues.iter_mut().filter(|queue| queue.read);
        TaskCounts {
            processed,
            punctuated: self.state.take_fired(),
            dropped: dropped.since(&before),
            read: queues.map(|queue| (queue.partition.clone(), std::mem::take(&mut queue.came))).collect(),
            written: self.state.outputs().take_transferred(),
        }
    }

    /// The greatest time that was processed of the input that a record was last taken from.
    pub fn newest_time(&self) -> Option<Timestamp> {
        self.queues[self.addressed?].partition_time
    }

    /// The inputs that are known to have records that are not here yet, though nothing of them waits: an earlier record than
    /// those that wait may be among them.
    pub fn awaited(&self) -> impl Iterator<Item = &TopicPartition> {
        let awaited = self.queues.iter().filter(|queue| queue.is_empty() && queue.fetched < queue.end_known);
        awaited.map(|queue| &queue.partition)
    }

    /// How far a queue's partition is known to reach.
    pub fn end_known(&self, queue: usize) -> Offset {
        self.queues[queue].end_known
    }
}
