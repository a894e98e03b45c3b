//! A store has one owner at a time: two would each believe in a checkpoint of their own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::StoreId;

/// Which stores of a folder are open.
#[derive(Default)]
pub(super) struct Leases(Mutex<BTreeSet<StoreId>>);

impl Leases {
    fn open(&self) -> MutexGuard<'_, BTreeSet<StoreId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to a store, until it is dropped.
pub(super) struct Lease {
    pub(super) id: StoreId,
    leases: Arc<Leases>,
}

impl Lease {
    /// Gives the id back when somebody holds it.
    pub(super) fn take(leases: &Arc<Leases>, id: StoreId) -> Result<Lease, StoreId> {
        match leases.open().insert(id.clone()) {
            true => Ok(Lease { id, leases: Arc::clone(leases) }),
            false => Err(id),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.open().remove(&self.id);
    }
}
