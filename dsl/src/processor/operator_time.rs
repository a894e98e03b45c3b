//! What an operator knows of time: its own, not the task's.

use crate::record::{CutOff, Decoder, Encoder, Timestamp};

/// The times of one operator of one task. They go with every commit, so a restart knows what was late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OperatorTime {
    /// The greatest record time that the operator has seen.
    observed: Option<Timestamp>,
    /// Windows closed up to this time have been emitted.
    emitted_to: Option<Timestamp>,
    /// The wall-clock time before which closed windows are not looked for again.
    next_emission: Timestamp,
    /// Of a join whose unmatched records wait: the time by which it decides whether to look for closed ones; `None` when none
    /// waited at the last look.
    waiting_from: Option<Timestamp>,
}

impl OperatorTime {
    /// Moves the operator's time on, and gives it. It never moves back.
    #[inline]
    pub(crate) fn observe(&mut self, time: Timestamp) -> Timestamp {
        let observed = self.observed.map_or(time, |observed| observed.max(time));
        self.observed = Some(observed);
        observed
    }

    /// The greatest record time so far.
    pub(crate) fn observed(&self) -> Option<Timestamp> {
        self.observed
    }

    /// Whether closed windows are to be looked for now: at most once in an interval of the wall clock, and only if more are
    /// closed than at the last time. Says up to which time they were emitted already.
    pub(crate) fn begin_emission(
        &mut self,
        (now, interval): (Timestamp, i64),
        closed_to: Timestamp,
    ) -> Option<Option<Timestamp>> {
        if now < self.next_emission {
            return None;
        }
        self.next_emission = Timestamp::from_millis(now.as_millis().saturating_add(interval));
        (self.emitted_to < Some(closed_to)).then_some(self.emitted_to)
    }

    /// Whether a join is to look for records that wait and are closed: at most once in an interval of the wall clock, and only
    /// if one may be closed that had this `reach` after it, in milliseconds.
    ///
    /// Kafka Streams' arithmetic: where none waits it adds the reach to the greatest number, so that a join without any reach
    /// does not begin to look before a record waits.
    pub(crate) fn begin_padding(&mut self, (now, interval): (Timestamp, i64), reach: i64) -> bool {
        let waiting_from = self.waiting_from.map_or(i64::MAX, Timestamp::as_millis);
        if Some(waiting_from.wrapping_add(reach)) >= self.observed.map(Timestamp::as_millis) || now < self.next_emission
        {
            return false;
        }
        self.next_emission = Timestamp::from_millis(now.as_millis().saturating_add(interval));
        true
    }

    /// Says by which time to decide whether to look for closed records.
    pub(crate) fn set_waiting_from(&mut self, time: Option<Timestamp>) {
        self.waiting_from = time;
    }

    /// Says that a record of this time begins to wait.
    pub(crate) fn wait_from(&mut self, time: Timestamp) {
        self.waiting_from = Some(self.waiting_from.map_or(time, |known| known.min(time)));
    }

    /// Says that windows closed up to this time have been emitted.
    pub(crate) fn emitted(&mut self, closed_to: Timestamp) {
        self.emitted_to = Some(closed_to);
    }

    /// What a commit keeps: record times, not those of the wall clock. Nothing before the first record.
    pub(crate) fn note(&self, out: &mut Encoder<'_>) {
        out.option(self.observed, Encoder::time);
        out.option(self.emitted_to, Encoder::time);
        out.option(self.waiting_from, Encoder::time);
    }

    pub(crate) fn resume(bytes: &mut Decoder<'_>) -> Result<Self, CutOff> {
        let mut time = || bytes.option(Decoder::time);
        let (observed, emitted_to, waiting_from) = (time()?, time()?, time()?);
        Ok(OperatorTime { observed, emitted_to, waiting_from, ..OperatorTime::default() })
    }

    pub(crate) fn snapshot(&self, out: &mut Encoder<'_>) {
        self.note(out);
        out.time(self.next_emission);
    }

    pub(crate) fn restore(bytes: &mut Decoder<'_>) -> Result<Self, CutOff> {
        let time = OperatorTime::resume(bytes)?;
        Ok(OperatorTime { next_emission: bytes.time()?, ..time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_windows_are_looked_for_once_in_an_interval_and_only_if_there_are_more() {
        let mut time = OperatorTime::default();
        let at = Timestamp::from_millis;
        assert_eq!(time.begin_emission((at(0), 1000), at(50)), Some(None), "the first attempt is free");
        time.emitted(at(50));
        assert_eq!(time.begin_emission((at(999), 1000), at(70)), None, "the interval counts from the attempt");
        assert_eq!(time.begin_emission((at(1000), 1000), at(50)), None, "nothing more is closed");
        assert_eq!(time.begin_emission((at(1999), 1000), at(70)), None, "an attempt without result is one too");
        assert_eq!(time.begin_emission((at(2000), 1000), at(70)), Some(Some(at(50))));
    }

    #[test]
    fn a_join_looks_for_closed_records_when_the_first_that_waits_may_be_closed() {
        let at = Timestamp::from_millis;
        let mut time = OperatorTime::default();
        time.observe(at(100));
        assert!(!time.begin_padding((at(0), 10), 0), "none waits, and nothing reaches anywhere");
        assert!(time.begin_padding((at(0), 10), 1), "none waits");
        time.wait_from(at(50));
        time.wait_from(at(60));
        assert!(!time.begin_padding((at(10), 10), 50), "50 + 50 is not before 100");
        assert!(!time.begin_padding((at(9), 10), 49), "too soon after the last look");
        assert!(time.begin_padding((at(10), 10), 49));
        time.set_waiting_from(None);
        time.wait_from(at(70));
        assert!(!time.begin_padding((at(20), 10), 30));
    }

    #[test]
    fn a_commit_keeps_record_times_and_a_copy_everything() {
        let mut time = OperatorTime::default();
        assert_eq!(time.observe(9.into()), 9.into());
        assert_eq!(time.observe(7.into()), 9.into());
        time.begin_emission((100.into(), 10), 5.into());
        time.emitted(5.into());
        time.wait_from(7.into());
        let (mut note, mut copy) = (Vec::new(), Vec::new());
        time.note(&mut Encoder(&mut note));
        time.snapshot(&mut Encoder(&mut copy));
        assert_eq!(OperatorTime::restore(&mut Decoder::new(&copy)), Ok(time));
        let resumed = OperatorTime::resume(&mut Decoder::new(&note)).unwrap();
        assert_eq!(resumed, OperatorTime { next_emission: Timestamp::ZERO, ..time });
    }
}
