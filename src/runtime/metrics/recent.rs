//! Durations of the last while.
//!
//! Rule: what is told covers 30 to 60 seconds, as in Kafka Streams: two halves, of which the older one goes as a whole.

use std::time::Duration;

use tidemill_dsl::record::Timestamp;

use crate::exec::Durations;

/// How long a half is.
const HALF: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Recent {
    begun: Option<Timestamp>,
    now: Durations,
    before: Durations,
}

impl Recent {
    pub(super) fn add(&mut self, more: Durations, now: Timestamp) {
        self.turn(now);
        self.now += more;
    }

    /// What happened in the last while.
    pub(super) fn get(&mut self, now: Timestamp) -> Durations {
        self.turn(now);
        let mut all = self.before;
        all += self.now;
        all
    }

    fn turn(&mut self, now: Timestamp) {
        let begun = *self.begun.get_or_insert(now);
        let halves = now.as_millis().saturating_sub(begun.as_millis()) / HALF.as_millis() as i64;
        if halves > 0 {
            self.before = if halves == 1 { self.now } else { Durations::default() };
            self.now = Durations::default();
            self.begun = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_for_half_a_minute_and_for_a_minute_at_most() {
        let at = Timestamp::from_millis;
        let one = |millis| {
            let one = Duration::from_millis(millis);
            Durations { count: 1, total: one, shortest: one, longest: one }
        };
        let mut recent = Recent::default();
        recent.add(one(7), at(1_000));
        recent.add(one(3), at(31_500));
        assert_eq!(recent.get(at(60_000)).longest, Duration::from_millis(7));
        assert_eq!(recent.get(at(61_500)), one(3));
        assert_eq!(recent.get(at(200_000)), Durations::default());
    }
}
