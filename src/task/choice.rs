//! Decides which queue's record runs next.
//!
//! Rule: the head with the lowest time wins; among equal times the order is that of the binary heap that Kafka Streams
//! keeps its non-empty queues in (`java.util.PriorityQueue`), so the same arrivals give the same answers. The heap depends
//! on when each queue became non-empty, so it is part of a task's state.

use tidemill_dsl::record::Timestamp;

/// The queues that have records, as a heap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice(Vec<(usize, Timestamp)>);

impl Choice {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Queues and the times of their heads, in the heap's order.
    pub(super) fn heads(&self) -> &[(usize, Timestamp)] {
        &self.0
    }

    /// Adds a queue at the end and lets it rise while it is strictly earlier than its parent.
    pub(super) fn enter(&mut self, queue: usize, head: Timestamp) {
        let heap = &mut self.0;
        heap.push((queue, head));
        let mut at = heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if heap[at].1 >= heap[parent].1 {
                break;
            }
            heap.swap(at, parent);
            at = parent;
        }
    }

    /// Takes the root; the last queue goes there and sinks while it is strictly later than its earlier child.
    pub(super) fn take(&mut self) -> Option<(usize, Timestamp)> {
        let heap = &mut self.0;
        if heap.is_empty() {
            return None;
        }
        let taken = heap.swap_remove(0);
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= heap.len() {
                return Some(taken);
            }
            let child = if right < heap.len() && heap[right].1 < heap[left].1 { right } else { left };
            if heap[at].1 <= heap[child].1 {
                return Some(taken);
            }
            heap.swap(at, child);
            at = child;
        }
    }

    /// Puts queues into the heap as they stood in it.
    pub(super) fn restore(&mut self, queues: Vec<(usize, Timestamp)>) {
        self.0 = queues;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_lowest_time_comes_first() {
        let mut choice = Choice::default();
        for (queue, time) in [(0, 5), (1, 3), (2, 9), (3, 1)] {
            choice.enter(queue, at(time));
        }
        let order: Vec<usize> = std::iter::from_fn(|| choice.take()).map(|(queue, _)| queue).collect();
        assert_eq!(order, [3, 1, 0, 2]);
    }

    #[test]
    fn two_queues_of_equal_times_take_turns() {
        let mut choice = Choice::default();
        choice.enter(0, at(0));
        choice.enter(1, at(0));
        let mut order = Vec::new();
        for _ in 0..4 {
            let (queue, time) = choice.take().unwrap();
            order.push(queue);
            choice.enter(queue, time);
        }
        assert_eq!(order, [0, 1, 0, 1]);
    }
}
