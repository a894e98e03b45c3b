//! Windows that slide over the records: one for every distinct set of records at most a difference apart.

use std::time::Duration;

use super::millis;

/// Windows `[start, start + difference]`, both ends included, one for every set of records that such a window can hold.
///
/// A record opens the window that ends with it, and the window that begins right after it once a later record falls into
/// that.
///
/// ```
/// use std::time::Duration;
/// use tidemill_dsl::window::Sliding;
///
/// let windows = Sliding::of(Duration::from_millis(50)).with_grace(Duration::from_millis(100));
/// assert_eq!(windows.difference(), Duration::from_millis(50));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    difference: Duration,
    grace: Duration,
}

impl Sliding {
    /// Windows of records at most `difference` apart, that do not wait.
    pub const fn of(difference: Duration) -> Self {
        Sliding { difference, grace: Duration::ZERO }
    }

    /// Lets windows take records for so long after their end, in record time.
    #[must_use]
    pub const fn with_grace(self, grace: Duration) -> Self {
        Sliding { grace, ..self }
    }

    /// How far apart the records of a window are at most.
    pub const fn difference(&self) -> Duration {
        self.difference
    }

    /// How long after its end a window still takes records.
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    /// How long a store has to keep windows.
    pub(crate) fn retention(&self) -> i64 {
        millis(self.difference).saturating_mul(2).saturating_add(millis(self.grace))
    }
}
