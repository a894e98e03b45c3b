//! Which rows of a store of windows are still there.
//!
//! Rule, as in Kafka Streams: a row can be read while its time is later than the greatest time put into the store minus the
//! retention; one of a window that comes out when it is closed also while it is equal. Rows leave in segments, blocks of time
//! at least a minute long, once all of a block is behind that.
//! The time is a window's start, and a session's end.

use super::Undoable;
use super::runs::SegmentedKeys;

/// Kafka Streams' shortest segment.
const INTERVAL_MIN: i64 = 60_000;

/// The shortest segment of a store whose segments nobody can tell apart.
const BRIEF_MIN: i64 = 1_000;

/// Length of the number that segments begin their keys with.
pub(super) const PREFIX: usize = 8;

/// How long rows are kept, and the greatest time so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segments {
    retention: i64,
    /// How far behind the greatest time the last row is that can be read.
    reach: i64,
    interval: i64,
    observed: Undoable<Option<i64>>,
    /// The greatest time of a row whose change a cache has let out.
    told: Option<i64>,
}

impl Segments {
    pub(super) fn new(retention: i64) -> Self {
        Segments {
            retention,
            reach: retention.saturating_sub(1),
            interval: (retention / 2).max(INTERVAL_MIN),
            observed: Undoable::new(None),
            told: None,
        }
    }

    /// With segments that are as short as they should be for rows to leave soon: of a store that is only read key by key. Where
    /// rows of many keys are read their order shows where segments end.
    pub(super) fn brief(retention: i64) -> Self {
        Segments { interval: (retention / 2).max(BRIEF_MIN), ..Segments::new(retention) }
    }

    /// As Kafka Streams keeps windows that come out when they are closed: a row that is the retention behind can be read, as
    /// it is that of a window which the greatest time has closed.
    pub(super) fn with_closing(self) -> Self {
        Segments { reach: self.retention, ..self }
    }

    /// The greatest time put so far.
    pub(super) fn observed(&self) -> Option<i64> {
        self.observed.get()
    }

    /// Says that a row of this time was put.
    #[inline]
    pub(super) fn observe(&mut self, time: i64) {
        self.observed.set(self.observed.get().max(Some(time)));
    }

    /// The time that was noted, in place of what was observed since.
    pub(super) fn set_observed(&mut self, observed: Option<i64>) {
        self.observed = Undoable::new(observed);
    }

    /// Says that a cache lets out the change of a row of this time. Gives whether the row could still be read by the times of
    /// those that were let out before.
    pub(super) fn tell(&mut self, time: i64) -> bool {
        let visible = self.told.is_none_or(|told| time > told.saturating_sub(self.retention));
        self.told = self.told.max(Some(time));
        visible
    }

    /// The greatest time of a row whose change a cache has let out.
    pub(super) fn told(&self) -> Option<i64> {
        self.told
    }

    /// Sets what `told` gave.
    pub(super) fn set_told(&mut self, told: Option<i64>) {
        self.told = told;
    }

    /// The record that put rows has finished.
    pub(super) fn keep(&mut self) {
        self.observed.keep();
    }

    /// The record that put rows has failed.
    pub(super) fn undo(&mut self) {
        self.observed.undo();
    }

    /// The segment that a time lies in.
    #[inline]
    pub(super) fn of(&self, time: i64) -> i64 {
        time.max(0) / self.interval
    }

    /// How keys with such a tail are put together.
    pub(super) fn keys(&self, tail: usize) -> SegmentedKeys {
        SegmentedKeys { tail, interval: self.interval }
    }

    /// The first time of a segment.
    pub(super) fn start_of(&self, segment: i64) -> i64 {
        segment.saturating_mul(self.interval)
    }

    /// The first segment that is not dropped.
    pub(super) fn first_live(&self) -> i64 {
        self.observed.get().map_or(0, |observed| self.of(observed.saturating_sub(self.retention)))
    }

    /// The earliest time whose row can be read.
    #[inline]
    pub(super) fn first_visible(&self) -> i64 {
        self.observed.get().map_or(0, |observed| observed.saturating_sub(self.reach))
    }

    #[inline]
    pub(super) fn is_visible(&self, time: i64) -> bool {
        time >= self.first_visible()
    }

    pub(super) fn is_live(&self, time: i64) -> bool {
        self.of(time) >= self.first_live()
    }

    /// What the keys of a segment's rows begin with.
    #[inline]
    pub(super) fn prefix(segment: i64) -> [u8; PREFIX] {
        segment.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_can_be_read_as_long_as_the_retention_says_and_leave_by_the_segment() {
        let mut segments = Segments::new(200_000);
        assert!(segments.is_visible(0) && segments.is_live(0), "nothing was put yet");
        segments.observe(1_000_000);
        segments.observe(10);
        assert_eq!(segments.observed(), Some(1_000_000), "time never moves back");
        assert!(segments.is_visible(800_001) && !segments.is_visible(800_000));
        // Segments of 100 s: the one that 800 s lies in goes with its last row.
        assert!(segments.is_live(800_000) && !segments.is_live(799_999));
    }

    #[test]
    fn rows_that_are_read_key_by_key_leave_sooner() {
        let mut brief = Segments::brief(100);
        brief.observe(2_099);
        assert!(brief.is_live(1_000) && !brief.is_live(999) && !brief.is_visible(1_999));
        let mut long = Segments::brief(200_000);
        long.observe(1_000_000);
        assert!(long.is_live(800_000) && !long.is_live(799_999));
    }

    #[test]
    fn windows_that_come_out_closed_can_be_read_a_moment_longer() {
        let mut segments = Segments::new(100).with_closing();
        segments.observe(200);
        assert!(segments.is_visible(100) && !segments.is_visible(99));
    }

    #[test]
    fn segments_are_a_minute_long_at_least_and_may_reach_for_ever() {
        let mut short = Segments::new(100);
        short.observe(60_000);
        assert!(short.is_live(59_900) && !short.is_visible(59_900));
        short.observe(60_100);
        assert!(!short.is_live(59_999));
        let mut endless = Segments::new(i64::MAX);
        endless.observe(i64::MAX);
        assert!(endless.is_visible(1) && endless.is_live(0));
    }
}
