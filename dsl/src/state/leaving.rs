//! Typed rows that leave together once their time is over.
//!
//! Rule: they are gone from memory at a commit, and from the bytes below at a flush after it.

use super::typed_rows::TypedRows;

impl<V: Send + 'static> TypedRows<V> {
    /// Lets go of all rows before a key, without a word to the changelog. The bytes below lose them at the next flush: only
    /// then is it certain that nobody goes back to an earlier commit. Not between a change and its commit.
    pub(super) fn drop_before(&mut self, floor: &[u8]) {
        assert!(self.unlogged.is_empty(), "rows leave only after their changes were committed");
        let cells = &self.cells;
        self.unflushed.retain(|id| cells.get(*id).key.as_slice() >= floor);
        for id in self.cells.before(floor) {
            let cell = self.cells.get_mut(id);
            (cell.value, cell.unflushed) = (None, false);
            if let (Some(entry), Some(cache)) = (cell.entry.take(), &mut self.cache) {
                cache.remove(entry);
            }
            // Readers in other threads are told with the commit; the cells go then.
            if let Some(publishing) = &mut self.publishing
                && !std::mem::replace(&mut cell.unpublished, true)
            {
                publishing.changed.push(id);
            }
            self.emptied.push(id);
        }
        self.set_floor(floor);
    }

    /// Says that rows before a key have left.
    pub(super) fn set_floor(&mut self, floor: &[u8]) {
        self.floor = floor.to_vec();
        self.floor_unflushed = self.below.is_some();
    }
}
