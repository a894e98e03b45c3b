//! A window store in the hands of a processor.

use std::ops::{ControlFlow, RangeInclusive};

use super::access::key_range;
use super::{ChangelogOut, Direction, KeyRange, WindowState};
use crate::processor::{Flow, ProcessError};
use crate::record::Timestamp;
use crate::window::{Window, Windowed};

/// A window store in the hands of a processor: rows by key and start of a window.
///
/// Times in ranges are starts of windows, both ends included. Rows of which the start is the retention or more behind the
/// greatest start that was put are gone.
pub struct WindowAccess<'a, K: 'static, V: 'static> {
    state: &'a mut WindowState<K, V>,
    out: ChangelogOut<'a>,
}

impl<'a, K: 'static, V: Send + 'static> WindowAccess<'a, K, V> {
    pub(super) fn new(state: &'a mut WindowState<K, V>, out: ChangelogOut<'a>) -> Self {
        WindowAccess { state, out }
    }

    /// The value of a key in the window that begins at `start`.
    pub fn get(&mut self, key: &K, start: Timestamp) -> Result<Option<&V>, ProcessError> {
        Ok(self.get_with_time(key, start)?.map(|(value, _)| value))
    }

    /// The value of a key in a window, and the time of its last update; a store without times says 0.
    pub fn get_with_time(&mut self, key: &K, start: Timestamp) -> Result<Option<(&V, Timestamp)>, ProcessError> {
        Ok(self.state.get_at(key, start.as_millis())?)
    }

    /// Sets the value of a key in the window that begins at `start`, as of the time `at`; `None` deletes it. A window that
    /// begins before the retention is not kept. In a store with duplicates every value stands beside those that are there.
    pub fn put(&mut self, key: &K, start: Timestamp, value: impl Into<Option<V>>, at: Timestamp) -> Flow {
        Ok(self.state.put(key, start.as_millis(), value.into(), at, &mut self.out)?)
    }

    /// Visits the windows of a key that begin in `starts`, in the order of starts, until `visit` breaks.
    pub fn fetch(
        &mut self,
        key: &K,
        starts: RangeInclusive<Timestamp>,
        direction: Direction,
        mut visit: impl FnMut(Window, &V) -> ControlFlow<()>,
    ) -> Flow {
        let ends = self.state.ends();
        let visit = &mut |_: &[u8], start, value: &V, _| visit(ends.window(start), value);
        Ok(self.state.walk_key(key, millis(&starts), (direction, self.out.reader), visit)?)
    }

    /// Visits the windows that begin in `starts` of the keys from `from` to `to`, both included: segment by segment, in each
    /// in the order of the keys' bytes and of starts. An absent bound is open.
    pub fn fetch_range(
        &mut self,
        from: Option<&K>,
        to: Option<&K>,
        starts: RangeInclusive<Timestamp>,
        direction: Direction,
        visit: impl FnMut(Windowed<K>, &V) -> ControlFlow<()>,
    ) -> Flow {
        let keys = key_range(from, to, |key| self.state.encode_key(key))?;
        self.walk(&keys, &starts, direction, without_time(visit))
    }

    /// Visits the windows that begin in `starts`, of all keys, in the order of [`fetch_range`](Self::fetch_range).
    pub fn fetch_all(
        &mut self,
        starts: RangeInclusive<Timestamp>,
        direction: Direction,
        visit: impl FnMut(Windowed<K>, &V) -> ControlFlow<()>,
    ) -> Flow {
        self.walk(&KeyRange::ALL, &starts, direction, without_time(visit))
    }

    /// Visits all windows, in the order of [`fetch_range`](Self::fetch_range).
    pub fn all(&mut self, direction: Direction, visit: impl FnMut(Windowed<K>, &V) -> ControlFlow<()>) -> Flow {
        self.fetch_all(ALL_TIMES, direction, visit)
    }

    /// As [`all`](Self::all), with the times of the rows' last updates.
    pub fn all_with_times(
        &mut self,
        direction: Direction,
        visit: impl FnMut(Windowed<K>, &V, Timestamp) -> ControlFlow<()>,
    ) -> Flow {
        self.walk(&KeyRange::ALL, &ALL_TIMES, direction, visit)
    }

    fn walk(
        &mut self,
        keys: &KeyRange,
        starts: &RangeInclusive<Timestamp>,
        direction: Direction,
        mut visit: impl FnMut(Windowed<K>, &V, Timestamp) -> ControlFlow<()>,
    ) -> Flow {
        let (ends, serde) = (self.state.ends(), self.state.key_serde());
        let mut undecodable = None;
        self.state.walk(
            keys,
            millis(starts),
            (direction, self.out.reader),
            &mut |key, start, value, time| match serde.read(key) {
                Ok(key) => visit(Windowed { key, window: ends.window(start) }, value, time),
                Err(error) => {
                    undecodable = Some(error);
                    ControlFlow::Break(())
                }
            },
        )?;
        undecodable.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Every time.
pub(super) const ALL_TIMES: RangeInclusive<Timestamp> = Timestamp::ZERO..=Timestamp::from_millis(i64::MAX);

pub(super) fn millis(times: &RangeInclusive<Timestamp>) -> RangeInclusive<i64> {
    times.start().as_millis()..=times.end().as_millis()
}

fn without_time<K, V>(
    mut visit: impl FnMut(Windowed<K>, &V) -> ControlFlow<()>,
) -> impl FnMut(Windowed<K>, &V, Timestamp) -> ControlFlow<()> {
    move |key, value, _| visit(key, value)
}
