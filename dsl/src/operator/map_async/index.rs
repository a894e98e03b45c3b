//! Which records wait for their call to be made, in which order.
//!
//! Rule: it follows from the rows and the open calls alone, so a copy or a later start has the same one.

use std::collections::{BTreeSet, VecDeque};

use hashbrown::HashMap;

/// The records of one node that have no result yet.
pub(crate) struct Index {
    in_order: bool,
    all: BTreeSet<u64>,
    /// Those whose turn it is.
    next: BTreeSet<u64>,
    /// Those whose calls are open.
    open: BTreeSet<u64>,
    /// By key, where order is kept: those that are not over, the first one first. It is never walked.
    by_key: HashMap<Box<[u8]>, VecDeque<u64>>,
}

impl Index {
    pub(super) fn new(in_order: bool, open: BTreeSet<u64>) -> Self {
        Index { in_order, all: BTreeSet::new(), next: BTreeSet::new(), open, by_key: HashMap::default() }
    }

    /// Adds a record that has come, and gives it its number: the one behind the last that waits.
    pub(super) fn add(&mut self, key: Option<&[u8]>) -> u64 {
        let number = self.all.last().map_or(0, |last| last + 1);
        self.restore(number, key);
        number
    }

    /// Adds a record that lies in the store.
    pub(super) fn restore(&mut self, number: u64, key: Option<&[u8]>) {
        self.all.insert(number);
        // Between records without a key there is no order.
        let is_first = match key.filter(|_| self.in_order) {
            Some(key) => {
                let queue = self.by_key.entry(key.into()).or_default();
                queue.push_back(number);
                queue.len() == 1
            }
            None => true,
        };
        if is_first && !self.open.contains(&number) {
            self.next.insert(number);
        }
    }

    /// Takes the record out whose call is to be made now, if another one may be open.
    pub(super) fn next(&mut self, open_max: usize) -> Option<u64> {
        if self.open.len() >= open_max {
            return None;
        }
        let number = self.next.pop_first()?;
        self.open.insert(number);
        Some(number)
    }

    /// A record has its result: the next one of its key may have its turn.
    pub(super) fn remove(&mut self, number: u64, key: Option<&[u8]>) {
        self.all.remove(&number);
        self.open.remove(&number);
        let Some(key) = key.filter(|_| self.in_order) else { return };
        let Some(queue) = self.by_key.get_mut(key) else { return };
        queue.pop_front();
        match queue.front() {
            Some(first) => drop(self.next.insert(*first)),
            None => drop(self.by_key.remove(key)),
        }
    }

    /// How many records have no result yet.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}
