//! When a task's caches let changes out: when they hold too much, and before each commit.

use super::{Flow, ProcessError, TaskState};
use crate::state::Release;

impl TaskState {
    /// Lets changes out of the cache of the store that was just used while the caches hold too much. Kafka's rule: the
    /// others are left alone.
    #[inline]
    pub(crate) fn make_room(&mut self, slot: usize) -> Flow {
        if self.parts.cache_budget.is_exceeded() && !self.journal.may_undo() { self.evict(slot) } else { Ok(()) }
    }

    /// Lets changes out of the caches if they hold too much, where that could not be done in the middle of a step: what has
    /// left cannot be taken back.
    #[inline]
    pub(super) fn make_room_late(&mut self) -> Flow {
        if self.parts.cache_budget.is_exceeded() { self.evict_late() } else { Ok(()) }
    }

    #[cold]
    fn evict_late(&mut self) -> Flow {
        (0..self.parts.cached.len()).try_for_each(|place| self.evict(self.parts.cached[place]))
    }

    #[cold]
    fn evict(&mut self, slot: usize) -> Flow {
        while self.parts.cache_budget.is_exceeded() && self.release(slot, Release::LeastUsed)? {}
        Ok(())
    }

    /// Lets changes out of the cache of a store; `false` when it is empty.
    fn release(&mut self, slot: usize, what: Release) -> Result<bool, ProcessError> {
        if self.parts.flushers[slot].is_some() {
            let flushers = self.parts.flushers.clone();
            return flushers[slot].as_ref().map_or(Ok(false), |flusher| flusher.release(what, self));
        }
        let mut store = self.parts.stores[slot].take().expect("a store is lent only once at a time");
        let released = store.write_back(what, &mut self.changelog(slot));
        self.return_store(slot, store);
        Ok(released?)
    }

    /// Tells of all changes that caches hold back, store by store. Called before each commit.
    pub fn flush_caches(&mut self) -> Flow {
        // What one store lets out may change another, also one whose turn has been.
        while self.hold_changes() {
            for place in 0..self.parts.cached.len() {
                self.release(self.parts.cached[place], Release::Changes)?;
            }
        }
        Ok(())
    }

    fn hold_changes(&self) -> bool {
        let stores = self.parts.cached.iter().map(|slot| &self.parts.stores[*slot]);
        stores.flatten().any(|store| store.holds_changes())
    }
}
