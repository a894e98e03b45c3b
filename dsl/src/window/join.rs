//! How far apart two records may lie to be joined.

use std::time::Duration;

use super::millis;

/// Which records of two streams meet: those whose times are close enough.
///
/// A record of the other stream meets one of this stream at `t` if its time lies in `[t - before, t + after]`, both ends
/// included. Records are found for `before + after + grace` behind the greatest time of their own side; by the grace the
/// unmatched records of left and outer joins wait longer, for others that come late.
///
/// ```
/// use std::time::Duration;
/// use tidemill_dsl::window::JoinWindows;
///
/// // A payment at most ten minutes after its order, and not before it.
/// let paid = JoinWindows::of(Duration::from_secs(600)).before(Duration::ZERO).with_grace(Duration::from_secs(60));
/// // At least a second after it.
/// let later = paid.later_by(Duration::from_secs(1));
/// assert_ne!(paid, later);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinWindows {
    /// How far before a record of the left stream one of the right may lie, in milliseconds; negative: how far after at
    /// least.
    before: i64,
    /// How far after it.
    after: i64,
    grace: Duration,
}

impl JoinWindows {
    /// Records at most `difference` apart, in either direction, without a grace period.
    pub const fn of(difference: Duration) -> Self {
        let difference = millis(difference);
        JoinWindows { before: difference, after: difference, grace: Duration::ZERO }
    }

    /// The other record lies at most so far before this one.
    #[must_use]
    pub const fn before(self, difference: Duration) -> Self {
        JoinWindows { before: millis(difference), ..self }
    }

    /// The other record lies at most so far after this one.
    #[must_use]
    pub const fn after(self, difference: Duration) -> Self {
        JoinWindows { after: millis(difference), ..self }
    }

    /// The other record lies at least so far after this one: Kafka Streams' negative `before`.
    #[must_use]
    pub const fn later_by(self, difference: Duration) -> Self {
        JoinWindows { before: -millis(difference), ..self }
    }

    /// The other record lies at least so far before this one: Kafka Streams' negative `after`.
    #[must_use]
    pub const fn earlier_by(self, difference: Duration) -> Self {
        JoinWindows { after: -millis(difference), ..self }
    }

    /// Lets unmatched records wait so much longer, in record time, and finds records for so much longer.
    #[must_use]
    pub const fn with_grace(self, grace: Duration) -> Self {
        JoinWindows { grace, ..self }
    }

    /// How far the record of the right stream may lie before that of the left, and after it, in milliseconds.
    pub(crate) fn reach(&self) -> Reach {
        Reach { before: self.before, after: self.after }
    }

    pub(crate) fn grace(&self) -> i64 {
        millis(self.grace)
    }

    /// The length of the window, which is never negative in a plan without fault.
    pub(crate) fn size(&self) -> i64 {
        self.before.saturating_add(self.after)
    }

    /// How long a store has to keep records.
    pub(crate) fn retention(&self) -> i64 {
        self.size().saturating_add(self.grace())
    }

    /// What is wrong with the windows, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        let (before, after) = (self.before, self.after);
        (self.size() < 0).then(|| {
            format!("they end {after} ms after a record, and begin {} ms after it: let them end later", -before)
        })
    }
}

/// How far records of the other side may lie before and after one of this side, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) before: i64,
    pub(crate) after: i64,
}

impl Reach {
    /// As seen from the other side.
    pub(crate) fn turned(self) -> Self {
        Reach { before: self.after, after: self.before }
    }

    /// The times of records that one of time `at` meets. A bound before time 0 is taken as 0.
    pub(crate) fn around(self, at: i64) -> std::ops::RangeInclusive<i64> {
        at.saturating_sub(self.before).max(0)..=at.saturating_add(self.after).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_other_record_may_lie_before_and_after_and_each_side_sees_it_the_other_way_round() {
        let windows = JoinWindows::of(MS(50)).before(MS(20));
        assert_eq!(windows.reach().around(100), 80..=150);
        assert_eq!(windows.reach().turned().around(100), 50..=120);
        assert_eq!(windows.reach().around(10), 0..=60);
        assert_eq!(windows.with_grace(MS(7)).retention(), 77);
    }

    #[test]
    fn windows_may_begin_after_the_record_but_not_after_their_end() {
        let later = JoinWindows::of(MS(60)).later_by(MS(10));
        assert_eq!(later.reach().around(100), 110..=160);
        assert_eq!(later.reach().turned().around(5), 0..=0, "a bound before time 0 is taken as 0");
        assert_eq!(later.fault(), None);
        assert!(later.after(MS(9)).fault().is_some());
        assert_eq!(JoinWindows::of(Duration::MAX).retention(), i64::MAX);
    }
}
