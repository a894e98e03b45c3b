//! Records that were dropped, counted by reason: nothing disappears without a trace.

use std::fmt;

/// Why a record was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The operator needs a key and the record has none.
    NullKey,
    /// The operator needs a value and the record has none.
    NullValue,
    /// The record's time, or the time that an extractor gave it, is negative.
    InvalidTimestamp,
    /// A partitioner said that the record goes nowhere.
    NoPartition,
    /// Its bytes cannot be read, and the handler skips such records.
    Deserialization,
    /// User code failed on it, and the handler skips such records.
    Processing,
    /// A record made from it cannot be written, and the handler skips such records.
    Production,
    /// Its time lies before what a window or a join still takes.
    Late,
    /// It is older than what a store keeps.
    Expired,
    /// A row of a versioned table came after a later one of its key, and the operator looks at the latest only.
    OutOfOrder,
    /// A row of a foreign-key join points nowhere.
    NullForeignKey,
    /// An answer of a foreign-key join is for a row that has changed since.
    StaleAnswer,
    /// It repeats a record that went through.
    Duplicate,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [DropReason; 13] = [
        DropReason::NullKey,
        DropReason::NullValue,
        DropReason::InvalidTimestamp,
        DropReason::NoPartition,
        DropReason::Deserialization,
        DropReason::Processing,
        DropReason::Production,
        DropReason::Late,
        DropReason::Expired,
        DropReason::OutOfOrder,
        DropReason::NullForeignKey,
        DropReason::StaleAnswer,
        DropReason::Duplicate,
    ];
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::NullKey => "null key",
            DropReason::NullValue => "null value",
            DropReason::InvalidTimestamp => "invalid timestamp",
            DropReason::NoPartition => "no partition",
            DropReason::Deserialization => "deserialization",
            DropReason::Processing => "processing",
            DropReason::Production => "production",
            DropReason::Late => "late",
            DropReason::Expired => "expired",
            DropReason::OutOfOrder => "out of order",
            DropReason::NullForeignKey => "null foreign key",
            DropReason::StaleAnswer => "stale answer",
            DropReason::Duplicate => "duplicate",
        })
    }
}

/// How many records a task has dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl DropCounts {
    /// Records dropped for this reason.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Records dropped for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What came on top of an earlier count of the same task.
    #[must_use]
    pub fn since(&self, earlier: &DropCounts) -> DropCounts {
        DropCounts(std::array::from_fn(|reason| self.0[reason].saturating_sub(earlier.0[reason])))
    }

    pub(crate) fn add(&mut self, reason: DropReason) {
        self.0[reason as usize] += 1;
    }
}

impl std::ops::AddAssign for DropCounts {
    fn add_assign(&mut self, more: DropCounts) {
        self.0.iter_mut().zip(more.0).for_each(|(count, more)| *count += more);
    }
}
