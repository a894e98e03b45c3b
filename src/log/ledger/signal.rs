//! Tells those who wait that something changed, and costs next to nothing while nobody sleeps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// A count of changes that can be waited for.
pub(super) struct Signal {
    version: AtomicU64,
    sleepers: AtomicBool,
    gate: Mutex<()>,
    changed: Condvar,
}

impl Signal {
    /// The count begins at 1, so that a reader who begins with 0 looks once before it sleeps.
    pub(super) fn new() -> Self {
        Signal {
            version: AtomicU64::new(1),
            sleepers: AtomicBool::new(false),
            gate: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// Counts a change and wakes everybody.
    pub(super) fn raise(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
        // One call wakes all who sleep now; without the flag, every record of a burst would pay for a system call.
        if self.sleepers.load(Ordering::SeqCst) && self.sleepers.swap(false, Ordering::SeqCst) {
            drop(self.gate.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
        }
    }

    /// Waits until the count is not `seen`, or `limit` is over; the result is the count.
    pub(super) fn wait(&self, seen: u64, limit: Duration) -> u64 {
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let asleep = |_: &mut ()| {
            self.sleepers.store(true, Ordering::SeqCst);
            self.version.load(Ordering::SeqCst) == seen
        };
        drop(self.changed.wait_timeout_while(gate, limit, asleep).unwrap_or_else(PoisonError::into_inner));
        self.version.load(Ordering::SeqCst)
    }
}

/// Readers of other programs' making, to be woken once each.
#[derive(Default)]
pub(super) struct Wakers {
    any: AtomicBool,
    all: Mutex<Vec<Waker>>,
}

impl Wakers {
    pub(super) fn add(&self, waker: &Waker) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.iter().any(|known| known.will_wake(waker)) {
            all.push(waker.clone());
        }
        self.any.store(true, Ordering::SeqCst);
    }

    pub(super) fn wake(&self) {
        if self.any.load(Ordering::SeqCst) && self.any.swap(false, Ordering::SeqCst) {
            let all = std::mem::take(&mut *self.all.lock().unwrap_or_else(PoisonError::into_inner));
            all.into_iter().for_each(Waker::wake);
        }
    }
}
