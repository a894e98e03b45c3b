//! A record's time: milliseconds since 1970, as Kafka has it.

use std::fmt;

/// Milliseconds since 1970-01-01T00:00Z. Never negative on a record that a topology processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The start of 1970.
    pub const ZERO: Timestamp = Timestamp(0);

    /// The time `millis` milliseconds after the start of 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Milliseconds since the start of 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whether a record may carry this time; Kafka uses negative numbers for "none".
    pub const fn is_valid(self) -> bool {
        self.0 >= 0
    }
}

impl From<i64> for Timestamp {
    fn from(millis: i64) -> Self {
        Timestamp(millis)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
