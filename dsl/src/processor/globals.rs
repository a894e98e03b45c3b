//! Global stores: one copy per process, written by one task and read by all.
//!
//! Rule: the task that maintains them has all of them while it works; any other has one of them for one look, during which
//! it does nothing else. So nobody ever waits for a store while holding another.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ProcessError, TaskState};
use crate::state::StateStore;

/// The place of a store; empty while the task that maintains it works, and for stores that are not global.
type Place = Mutex<Option<Box<dyn StateStore>>>;
type Held<'a> = MutexGuard<'a, Option<Box<dyn StateStore>>>;

/// The global stores of a process, shared by its tasks. Made by
/// [`Topology::global_stores`](crate::topology::Topology::global_stores).
pub struct GlobalStores(Box<[Place]>);

impl GlobalStores {
    /// Places for this number of stores, all empty.
    pub(crate) fn new(stores: usize) -> Self {
        GlobalStores((0..stores).map(|_| Mutex::default()).collect())
    }

    /// Waits until nobody uses the store.
    fn lock(&self, number: usize) -> Held<'_> {
        // A panic in somebody's look leaves no row half changed: looks change none.
        self.0[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, number: usize, store: Box<dyn StateStore>) {
        *self.lock(number) = Some(store);
    }

    /// Looks at a store.
    pub(super) fn look<R>(
        &self,
        number: usize,
        look: impl FnOnce(&mut dyn StateStore) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        match &mut *self.lock(number) {
            Some(store) => look(&mut **store),
            None => Err("the store is not there: no task maintains it, or that task failed".into()),
        }
    }

    /// Puts the stores that a task maintains into its hands, until it [releases](HeldStores::release) them; whoever wants to
    /// look at one waits. A task that maintains none gets none.
    pub fn hold(&self, task: &mut TaskState) -> HeldStores<'_> {
        let mut places: Vec<_> = task.maintained().iter().map(|number| (*number, self.lock(*number))).collect();
        for (number, place) in &mut places {
            task.put_store(*number, place.take());
        }
        HeldStores(places)
    }
}

/// Global stores that lie with the task that maintains them. Dropped without a release they are gone, and whoever looks at
/// one gets an error.
#[must_use = "the stores go back with `release`"]
pub struct HeldStores<'a>(Vec<(usize, Held<'a>)>);

impl HeldStores<'_> {
    /// Gives the stores back.
    pub fn release(self, task: &mut TaskState) {
        for (number, mut place) in self.0 {
            *place = task.take_store(number);
        }
    }
}

impl std::fmt::Debug for GlobalStores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GlobalStores")
    }
}
