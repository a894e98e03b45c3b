//! Windows of activity, ended by a pause.

use std::time::Duration;

use super::millis;

/// Sessions: records of a key that follow each other at a distance of at most a gap. A session reaches from its first
/// record to its last one, both included.
///
/// ```
/// use std::time::Duration;
/// use tidemill_dsl::window::Session;
///
/// let sessions = Session::gap(Duration::from_secs(30)).with_grace(Duration::from_secs(5));
/// assert_eq!(sessions.inactivity_gap(), Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    gap: Duration,
    grace: Duration,
}

impl Session {
    /// Sessions that a pause of more than `gap` ends, and that do not wait longer than that.
    pub const fn gap(gap: Duration) -> Self {
        Session { gap, grace: Duration::ZERO }
    }

    /// Lets sessions take records for so long after gap and end, in record time.
    #[must_use]
    pub const fn with_grace(self, grace: Duration) -> Self {
        Session { grace, ..self }
    }

    /// The longest pause within a session.
    pub const fn inactivity_gap(&self) -> Duration {
        self.gap
    }

    /// How long after its end and the gap a session still takes records.
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    /// How long a store has to keep sessions.
    pub(crate) fn retention(&self) -> i64 {
        millis(self.gap).saturating_add(millis(self.grace))
    }
}
