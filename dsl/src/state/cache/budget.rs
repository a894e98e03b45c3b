//! How much the caches of a task's stores may hold, all of them together.

/// The limit that all caches of a task share, and what they hold of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheBudget {
    limit: u64,
    used: u64,
}

impl CacheBudget {
    /// Nothing used of `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        CacheBudget { limit, used: 0 }
    }

    /// Whether the caches hold more than they may.
    #[inline]
    pub(crate) fn is_exceeded(&self) -> bool {
        self.used > self.limit
    }

    /// Counts what a cache holds now in place of what it held.
    pub(super) fn count(&mut self, before: u64, now: u64) {
        self.used = self.used - before + now;
    }

    /// Says what all caches hold.
    pub(crate) fn set_used(&mut self, used: u64) {
        self.used = used;
    }
}
