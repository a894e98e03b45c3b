//! A restore as others see it: how far it is, and whether it is still wanted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, ErrorKind};

/// The progress of one task's restore, shared between the thread that restores and whoever looks at it.
#[derive(Debug, Default)]
pub struct Restoring {
    done: AtomicU64,
    left: AtomicU64,
    cancelled: AtomicBool,
}

impl Restoring {
    /// How many records were read.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How many are left at most, as far as is known: offsets may be missing, and stores that come later are not counted yet.
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Nobody wants the task any more: its restore ends with an error at the next batch.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Whether nobody wants the task any more.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// `records` more were read, and `left` are left of this store.
    pub(super) fn read(&self, records: u64, left: u64) -> Result<(), Error> {
        self.done.fetch_add(records, Ordering::Relaxed);
        self.left.store(left, Ordering::Relaxed);
        if self.is_cancelled() {
            return Err(Error::new(
                ErrorKind::Closed,
                "the restore was given up, because the task is not wanted here any more",
            ));
        }
        Ok(())
    }
}
