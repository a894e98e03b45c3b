//! A heap by time that breaks ties as Kafka Streams' heaps do.
//!
//! Rule: the lowest time leaves first; among equal times the order is that of the binary heap that Kafka Streams keeps its
//! non-empty queues and its timers in (`java.util.PriorityQueue`), so the same arrivals give the same answers. The order
//! depends on how things came in, so the heap as a whole is part of a task's state.

use super::Timestamp;

/// Items with times, the lowest time first.
///
/// ```
/// use tidemill_dsl::record::{TimeHeap, Timestamp};
///
/// let mut heap = TimeHeap::default();
/// heap.enter("late", Timestamp::from_millis(9));
/// heap.enter("early", Timestamp::from_millis(3));
/// assert_eq!(heap.take(), Some(("early", Timestamp::from_millis(3))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeHeap<T>(Vec<(T, Timestamp)>);

impl<T> Default for TimeHeap<T> {
    fn default() -> Self {
        TimeHeap(Vec::new())
    }
}

impl<T> TimeHeap<T> {
    /// Whether nothing is in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time of the item that leaves next.
    #[inline]
    pub fn next_time(&self) -> Option<Timestamp> {
        self.0.first().map(|(_, time)| *time)
    }

    /// Items and their times, as they stand in the heap.
    pub fn entries(&self) -> &[(T, Timestamp)] {
        &self.0
    }

    /// The items, to be changed; their times stay.
    pub(crate) fn items_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(item, _)| item)
    }

    /// Adds an item at the end and lets it rise while it is strictly earlier than its parent.
    pub fn enter(&mut self, item: T, time: Timestamp) {
        let heap = &mut self.0;
        heap.push((item, time));
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

    /// Takes the root; the last item goes there and sinks while it is strictly later than its earlier child.
    pub fn take(&mut self) -> Option<(T, Timestamp)> {
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

    /// Puts items into the heap as they stood in `entries`.
    pub fn restore(&mut self, entries: Vec<(T, Timestamp)>) {
        self.0 = entries;
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
        let mut heap = TimeHeap::default();
        for (item, time) in [(0, 5), (1, 3), (2, 9), (3, 1)] {
            heap.enter(item, at(time));
        }
        let order: Vec<usize> = std::iter::from_fn(|| heap.take()).map(|(item, _)| item).collect();
        assert_eq!(order, [3, 1, 0, 2]);
    }

    #[test]
    fn two_items_of_equal_times_take_turns() {
        let mut heap = TimeHeap::default();
        heap.enter(0, at(0));
        heap.enter(1, at(0));
        let mut order = Vec::new();
        for _ in 0..4 {
            let (item, time) = heap.take().unwrap();
            order.push(item);
            heap.enter(item, time);
        }
        assert_eq!(order, [0, 1, 0, 1]);
    }
}
