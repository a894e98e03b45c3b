//! Typed rows that leave together once their time is over.
//!
//! Rule: they are gone from memory at a commit, and from the bytes below at a flush after it.

use super::cell::Mark;
use super::segments::PREFIX;
use super::typed_rows::TypedRows;

impl<V: Send + 'static> TypedRows<V> {
    /// Lets go of all rows before a key, without a word to the changelog. The bytes below lose them at the next flush: only
    /// then is it certain that nobody goes back to an earlier commit. Not between a change and its commit.
    pub(super) fn drop_before(&mut self, floor: [u8; PREFIX]) {
        assert!(self.unlogged.is_empty(), "rows leave only after their changes were committed");
        let cells = &self.cells;
        self.unflushed.retain(|id| *cells.key(*id) >= floor[..]);
        for id in self.cells.before(floor) {
            self.cells.get_mut(id).unset(Mark::Unflushed);
            // What the cache has stays as long as it has it: Kafka's rule.
            if self.cells.entry(id).is_none() {
                self.let_go(id);
            }
        }
        self.set_floor(&floor);
    }

    /// Whether the time of a row with this key is over.
    #[inline]
    pub(super) fn is_over(&self, key: &[u8]) -> bool {
        !self.floor.is_empty() && key < self.floor.as_slice()
    }

    /// Says that the cache has let go of a cell's row. If that was all that kept it, it leaves.
    pub(super) fn left_cache(&mut self, id: u32) {
        if self.is_over(&self.cells.key(id)) {
            self.let_go(id);
        }
    }

    fn let_go(&mut self, id: u32) {
        let cell = self.cells.get_mut(id);
        cell.value = None;
        // Readers in other threads are told with the commit; the cells go then.
        if let Some(publishing) = &mut self.publishing
            && cell.set(Mark::Unpublished)
        {
            publishing.changed.push(id);
        }
        self.note_emptied(id);
    }

    /// Says that rows before a key have left.
    pub(super) fn set_floor(&mut self, floor: &[u8]) {
        self.floor = floor.to_vec();
        self.floor_unflushed = self.below.is_some();
    }
}
