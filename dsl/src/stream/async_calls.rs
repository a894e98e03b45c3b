//! How calls of `map_async` are made: how many, in which order, how often, for how long.

use std::time::Duration;

use crate::window::millis;

/// How many records may wait without a result where nothing else is said.
const HELD_MAX: usize = 1_000;

/// How calls are made: in which order and how many at a time, how often one is tried, and for how long.
///
/// ```
/// use std::time::Duration;
/// use tidemill_dsl::stream::AsyncCalls;
///
/// let calls = AsyncCalls::in_order(20)
///     .time_limit(Duration::from_secs(5))
///     .retries(3, Duration::from_millis(200)); // after 200, 400 and 800 ms
/// assert_eq!(calls, AsyncCalls::in_order(20).retries(3, Duration::from_millis(200)).time_limit(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsyncCalls {
    in_order: bool,
    open_max: usize,
    held_max: usize,
    retries: u32,
    pause: Duration,
    pause_max: Duration,
    limit: Option<Duration>,
}

impl AsyncCalls {
    /// Results of a key come in the order of its records: the call of a record is made when the result of the one before it
    /// with the same key has come. Calls of several keys are made at the same time, `open_max` of them in a task. Between
    /// records without a key there is no order.
    pub const fn in_order(open_max: usize) -> Self {
        let (pause, pause_max) = (Duration::ZERO, Duration::from_secs(60));
        let held_max = if open_max > HELD_MAX { open_max } else { HELD_MAX };
        AsyncCalls { in_order: true, open_max, held_max, retries: 0, pause, pause_max, limit: None }
    }

    /// Results come as they come: up to `open_max` calls of a task are made at the same time, whatever their keys are.
    pub const fn unordered(open_max: usize) -> Self {
        AsyncCalls { in_order: false, ..AsyncCalls::in_order(open_max) }
    }

    /// Makes a call that fails, or is too late, up to so many times again: after `pause`, then after twice as long, and so on, but
    /// after a minute at most. Without this a call that fails is not made again.
    #[must_use]
    pub const fn retries(self, retries: u32, pause: Duration) -> Self {
        AsyncCalls { retries, pause, ..self }
    }

    /// The longest pause before a call is made again.
    #[must_use]
    pub const fn pause_max(self, pause_max: Duration) -> Self {
        AsyncCalls { pause_max, ..self }
    }

    /// Takes a call for failed that takes longer, by the application's clock, and drops its future. Without this a call may take
    /// for ever.
    #[must_use]
    pub const fn time_limit(self, limit: Duration) -> Self {
        AsyncCalls { limit: Some(limit), ..self }
    }

    /// How many records of a task may be without a result, open calls included; while there are as many the task takes no more
    /// records. It is 1,000, or as many as calls may be open, unless it is said.
    #[must_use]
    pub const fn held_max(self, held_max: usize) -> Self {
        AsyncCalls { held_max, ..self }
    }

    pub(crate) fn is_in_order(&self) -> bool {
        self.in_order
    }

    pub(crate) fn open_max(&self) -> usize {
        self.open_max
    }

    pub(crate) fn fault(&self) -> Option<String> {
        match (self.open_max, self.held_max) {
            (0, _) => Some("it may have 0 calls open, so no record would ever go on: allow one or more".into()),
            (_, 0) => Some("it may hold 0 records, so it would never take one: allow one or more".into()),
            _ => None,
        }
    }

    pub(crate) fn held_most(&self) -> usize {
        self.held_max
    }

    pub(crate) fn limit_millis(&self) -> Option<i64> {
        self.limit.map(millis)
    }

    /// How long to pause after a failed attempt, in milliseconds; `None`: it was the last one.
    pub(crate) fn pause_after(&self, attempt: u32) -> Option<i64> {
        let doubled =
            || 2_u32.checked_pow(attempt - 1).map_or(self.pause_max, |times| self.pause.saturating_mul(times));
        (attempt <= self.retries).then(|| millis(doubled().min(self.pause_max)))
    }

    /// What is said of a call that takes too long.
    pub(crate) fn too_late(&self) -> String {
        format!("the call took longer than {:?}: make it faster, or give it more time", self.limit.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let calls = AsyncCalls::unordered(1).retries(40, Duration::from_secs(1)).pause_max(Duration::from_secs(5));
        let pauses: Vec<_> = [1, 2, 3, 4, 40, 41].into_iter().map(|attempt| calls.pause_after(attempt)).collect();
        assert_eq!(pauses, [Some(1_000), Some(2_000), Some(4_000), Some(5_000), Some(5_000), None]);
        assert_eq!(AsyncCalls::in_order(1).pause_after(1), None);
    }
}
