//! A session store in the hands of a processor.

use std::ops::{ControlFlow, RangeInclusive};

use super::access::key_range;
use super::window_access::{ALL_TIMES, millis};
use super::{ChangelogOut, Direction, KeyRange, SessionState};
use crate::processor::{Flow, ProcessError};
use crate::record::Timestamp;
use crate::window::{Window, Windowed};

/// A session store in the hands of a processor: rows by key, end and start of a session.
///
/// Sessions of which the end is the retention or more behind the greatest end that was put are gone.
pub struct SessionAccess<'a, K: 'static, V: 'static> {
    state: &'a mut SessionState<K, V>,
    out: ChangelogOut<'a>,
}

impl<'a, K: 'static, V: Send + 'static> SessionAccess<'a, K, V> {
    pub(super) fn new(state: &'a mut SessionState<K, V>, out: ChangelogOut<'a>) -> Self {
        SessionAccess { state, out }
    }

    /// The value of one session.
    pub fn get(&mut self, key: &K, session: Window) -> Result<Option<&V>, ProcessError> {
        Ok(self.state.get_session(key, session)?)
    }

    /// Sets the value of a session, as of the time `at`; `None` deletes it. A session that ends before the retention is not
    /// kept.
    pub fn put(&mut self, key: &K, session: Window, value: impl Into<Option<V>>, at: Timestamp) -> Flow {
        Ok(self.state.put(key, session, value.into(), at, &mut self.out)?)
    }

    /// Visits the sessions of a key that overlap `times`, in the order of ends and starts, until `visit` breaks.
    pub fn find(
        &mut self,
        key: &K,
        times: RangeInclusive<Timestamp>,
        direction: Direction,
        mut visit: impl FnMut(Window, &V) -> ControlFlow<()>,
    ) -> Flow {
        let times = (times.start().as_millis(), times.end().as_millis());
        let visit = &mut |_: &[u8], session, value: &V| visit(session, value);
        Ok(self.state.walk_key(key, times, (direction, self.out.reader), visit)?)
    }

    /// Visits all sessions of a key.
    pub fn fetch(&mut self, key: &K, direction: Direction, visit: impl FnMut(Window, &V) -> ControlFlow<()>) -> Flow {
        self.find(key, ALL_TIMES, direction, visit)
    }

    /// Visits the sessions that end in `ends` of the keys from `from` to `to`, both included: segment by segment, in each in
    /// the order of the keys' bytes, of ends and of starts. An absent bound is open.
    pub fn fetch_range(
        &mut self,
        from: Option<&K>,
        to: Option<&K>,
        ends: RangeInclusive<Timestamp>,
        direction: Direction,
        visit: impl FnMut(Windowed<K>, &V) -> ControlFlow<()>,
    ) -> Flow {
        let keys = key_range(from, to, |key| self.state.encode_key(key))?;
        self.walk(&keys, &ends, direction, visit)
    }

    /// Visits all sessions, in the order of [`fetch_range`](Self::fetch_range).
    pub fn all(&mut self, direction: Direction, visit: impl FnMut(Windowed<K>, &V) -> ControlFlow<()>) -> Flow {
        self.walk(&KeyRange::ALL, &ALL_TIMES, direction, visit)
    }

    fn walk(
        &mut self,
        keys: &KeyRange,
        ends: &RangeInclusive<Timestamp>,
        direction: Direction,
        mut visit: impl FnMut(Windowed<K>, &V) -> ControlFlow<()>,
    ) -> Flow {
        let serde = self.state.key_serde();
        let mut undecodable = None;
        self.state.walk(keys, millis(ends), (direction, self.out.reader), &mut |key, window, value| match serde
            .read(key)
        {
            Ok(key) => visit(Windowed { key, window }, value),
            Err(error) => {
                undecodable = Some(error);
                ControlFlow::Break(())
            }
        })?;
        undecodable.map_or(Ok(()), |error| Err(error.into()))
    }
}
