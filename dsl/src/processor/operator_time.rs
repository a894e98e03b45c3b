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

    /// Says that windows closed up to this time have been emitted.
    pub(crate) fn emitted(&mut self, closed_to: Timestamp) {
        self.emitted_to = Some(closed_to);
    }

    /// What a commit keeps: record times, not those of the wall clock. Nothing before the first record.
    pub(crate) fn note(&self, out: &mut Encoder<'_>) {
        out.option(self.observed, Encoder::time);
        out.option(self.emitted_to, Encoder::time);
    }

    pub(crate) fn resume(bytes: &mut Decoder<'_>) -> Result<Self, CutOff> {
        let (observed, emitted_to) = (bytes.option(Decoder::time)?, bytes.option(Decoder::time)?);
        Ok(OperatorTime { observed, emitted_to, ..OperatorTime::default() })
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
    fn a_commit_keeps_record_times_and_a_copy_everything() {
        let mut time = OperatorTime::default();
        assert_eq!(time.observe(9.into()), 9.into());
        assert_eq!(time.observe(7.into()), 9.into());
        time.begin_emission((100.into(), 10), 5.into());
        time.emitted(5.into());
        let (mut note, mut copy) = (Vec::new(), Vec::new());
        time.note(&mut Encoder(&mut note));
        time.snapshot(&mut Encoder(&mut copy));
        assert_eq!(OperatorTime::restore(&mut Decoder::new(&copy)), Ok(time));
        let resumed = OperatorTime::resume(&mut Decoder::new(&note)).unwrap();
        assert_eq!(resumed, OperatorTime { next_emission: Timestamp::ZERO, ..time });
    }
}
