//! What is written beside a store's rows.

use crate::record::{Offset, Timestamp};

/// What the rows of a store reflect of its changelog, and since when they may have missed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The changelog offset after the last change that the rows reflect.
    pub next: Offset,
    /// When nothing of what the changelog got from `next` on had been compacted away yet, by the clock of the application. A
    /// compacted changelog keeps each delete for its time, so whoever comes back within that time misses none.
    pub at: Timestamp,
}

impl Checkpoint {
    /// For how long the rows have not been compared with their changelog; nothing when the clock was set back.
    pub fn age(&self, now: Timestamp) -> std::time::Duration {
        let millis = now.as_millis().saturating_sub(self.at.as_millis());
        std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}
