//! The typed session store of a task: rows by key, end and start of a session.

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use super::keyed_rows::KeyedRows;
use super::segmented_rows::{SegmentedRows, forward_to_rows};
use super::segments::{PREFIX, Segments};
use super::typed_rows::TypedRows;
use super::window::{segment_range, unwritable};
use super::window_key::{SessionKeys, own_bytes, push_session, session_tail, session_window};
use super::{
    CellId, Changelog, ChangelogOut, Checkpoint, Direction, Kept, KeyRange, PublishedRows, Reader, Release, RowFormat,
    SessionStore, StateStore, StoreError, VisitBytes,
};
use crate::record::{StoredRecord, Timestamp};
use crate::serde::SerdeRef;
use crate::window::{Window, Windowed};

/// How a session store keeps its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionKeeping {
    /// How long behind the greatest end rows can be read, in milliseconds.
    pub(crate) retention: i64,
    /// Whether sessions are asked for in the order of their times once they are closed.
    pub(crate) closing: bool,
}

/// Typed rows of one session store of one task.
///
/// A row of which the end is the retention or more behind the greatest end that was put cannot be read any more. Rows have no
/// time but their session's end.
pub struct SessionState<K: 'static, V: 'static> {
    keys: SerdeRef<K>,
    rows: SegmentedRows<SessionKeys, V>,
    key_buffer: Vec<u8>,
    /// A key that operators lend to the nodes below; kept, so that its memory is used again.
    lent_key: Option<Windowed<K>>,
}

/// Looks at a row: its key's own bytes, the session and its value; `Break` ends the walk.
pub(crate) type VisitSession<'a, V> = &'a mut dyn FnMut(&[u8], Window, &V) -> ControlFlow<()>;

impl<K: 'static, V: Send + 'static> SessionState<K, V> {
    /// An empty store, or one over the rows that `kept.below` has.
    pub(crate) fn new(name: Arc<str>, store: &SessionStore<K, V>, keeping: SessionKeeping, kept: Kept) -> Self {
        let times = (Segments::new(keeping.retention), keeping.closing);
        SessionState {
            keys: store.key_serde().clone(),
            rows: SegmentedRows::new(name, store.value_serde().clone(), RowFormat::Plain, times, kept),
            key_buffer: Vec::new(),
            lent_key: None,
        }
    }

    #[inline]
    fn write_key(&mut self, key: &K, session: Window) -> Result<(), StoreError> {
        self.key_buffer.clear();
        self.keys.write(key, &mut self.key_buffer).map_err(|error| unwritable(self.rows.name(), error))?;
        push_session(&mut self.key_buffer, session);
        Ok(())
    }

    /// The value of one session.
    pub(crate) fn get_session(&mut self, key: &K, session: Window) -> Result<Option<&V>, StoreError> {
        self.write_key(key, session)?;
        Ok(self.rows.get(session.end.as_millis(), &self.key_buffer)?.map(|(value, _)| value))
    }

    /// Sets the value of a session, as of the time `at`; `None` deletes it.
    pub(crate) fn put(
        &mut self,
        key: &K,
        session: Window,
        value: Option<V>,
        at: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        self.write_key(key, session)?;
        self.rows.put((session.end.as_millis(), &self.key_buffer), value, at, out)
    }

    /// Visits the sessions of a key that end at `ends_from` or later and begin at `starts_to` or earlier, in the order of
    /// ends, then starts.
    pub(crate) fn walk_key(
        &mut self,
        key: &K,
        (ends_from, starts_to): (i64, i64),
        how: (Direction, Reader),
        visit: VisitSession<'_, V>,
    ) -> Result<(), StoreError> {
        let ends = self.ends(ends_from..=i64::MAX);
        self.write_key(key, Window::default())?;
        let bytes = std::mem::take(&mut self.key_buffer);
        let own = own_bytes::<SessionKeys>(&bytes);
        let (first, last) = (Window::of_millis(0, *ends.start()), Window::of_millis(i64::MAX, *ends.end()));
        let tails = [session_tail(first), session_tail(last)];
        let walked = self.rows.walk_key(own, ends, [&tails[0], &tails[1]], how, &mut |tail, value, _| {
            let session = session_window(tail);
            if session.start.as_millis() <= starts_to { visit(own, session, value) } else { ControlFlow::Continue(()) }
        });
        self.key_buffer = bytes;
        walked
    }

    /// Visits the sessions of a range of keys that end in `ends`: segment by segment, in each by key, end and start.
    pub(crate) fn walk(
        &mut self,
        keys: &KeyRange,
        ends: RangeInclusive<i64>,
        how: (Direction, Reader),
        visit: VisitSession<'_, V>,
    ) -> Result<(), StoreError> {
        let ends = self.ends(ends);
        let mut tail = Vec::new();
        push_session(&mut tail, Window::of_millis(i64::MAX, *ends.end()));
        let range = |prefix: &[u8; PREFIX]| segment_range(prefix, keys, &tail);
        self.rows.walk(ends.clone(), range, how, &mut |key, value, _| {
            let (own, session) = (own_bytes::<SessionKeys>(key), session_window(key));
            if ends.contains(&session.end.as_millis()) && keys.contains(own) {
                visit(own, session, value)
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// The ends of a range that sessions can have.
    fn ends(&self, ends: RangeInclusive<i64>) -> RangeInclusive<i64> {
        (*ends.start()).max(0)..=(*ends.end()).min(self.rows.segments().observed().unwrap_or(0))
    }

    /// Takes the sessions that end in `ends` for closed ones: gives their keys in the order of ends, starts and key bytes.
    /// Sessions that end earlier are never given any more.
    pub(crate) fn take_closing(&mut self, ends: RangeInclusive<i64>) -> Result<Vec<Vec<u8>>, StoreError> {
        self.rows.take_timely(ends)
    }

    /// The row of a key that `take_closing` gave, as long as its segment is there: its key, its place and its time.
    pub(crate) fn closing(&mut self, key: &[u8]) -> Result<Option<(Windowed<K>, CellId, Timestamp)>, StoreError> {
        let Some(id) = self.rows.live_place(key)? else { return Ok(None) };
        let window = session_window(key);
        Ok(Some((Windowed { key: self.decode_key(own_bytes::<SessionKeys>(key))?, window }, id, window.end)))
    }

    /// The key that bytes stand for.
    pub(crate) fn decode_key(&self, bytes: &[u8]) -> Result<K, StoreError> {
        self.keys.read(bytes).map_err(|error| self.rows.rows().unreadable("a key", error))
    }

    /// The serde of keys.
    pub(crate) fn key_serde(&self) -> SerdeRef<K> {
        self.keys.clone()
    }

    /// The bytes of a key, without a session.
    pub(crate) fn encode_key(&self, key: &K) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.keys.write(key, &mut bytes).map_err(|error| unwritable(self.rows.name(), error))?;
        Ok(bytes)
    }

    /// A copy of a key with a session, to be lent to the nodes below; give it back with `return_key`.
    #[inline]
    pub(crate) fn lend_key(&mut self, key: &K, window: Window) -> Windowed<K>
    where
        K: Clone,
    {
        match self.lent_key.take() {
            Some(mut lent) => {
                lent.key.clone_from(key);
                lent.window = window;
                lent
            }
            None => Windowed { key: key.clone(), window },
        }
    }

    #[inline]
    pub(crate) fn return_key(&mut self, key: Windowed<K>) {
        self.lent_key = Some(key);
    }
}

impl<K: Send + 'static, V: Send + 'static> KeyedRows for SessionState<K, V> {
    type Key = Windowed<K>;
    type Value = V;

    fn get(&mut self, key: &Windowed<K>) -> Result<Option<(&V, Timestamp)>, StoreError> {
        let end = key.window.end;
        self.write_key(&key.key, key.window)?;
        Ok(self.rows.get(end.as_millis(), &self.key_buffer)?.map(|(value, _)| (value, end)))
    }

    fn place(&mut self, key: &Windowed<K>) -> Result<Option<CellId>, StoreError> {
        self.write_key(&key.key, key.window)?;
        self.rows.visible_place(&self.key_buffer)
    }

    fn claim(&mut self, key: &Windowed<K>) -> Result<CellId, StoreError> {
        self.write_key(&key.key, key.window)?;
        self.rows.claim(key.window.end.as_millis(), &self.key_buffer)
    }

    fn value(&self, id: CellId) -> &Option<V> {
        self.rows.rows().value(id)
    }

    /// A session's time is its end.
    fn row(&self, id: CellId) -> Option<(&V, Timestamp)> {
        let end = session_window(self.rows.rows().tail(id)).end;
        self.rows.rows().row(id).map(|(value, _)| (value, end))
    }

    fn deletion_time(&self, key: &Windowed<K>, _record: Timestamp) -> Timestamp {
        key.window.end
    }

    fn tell_of(&mut self, id: CellId) -> bool {
        self.rows.tell_of(id)
    }

    fn key_at(&self, id: CellId) -> Result<Windowed<K>, StoreError> {
        let key = self.rows.rows().key(id);
        let own = own_bytes::<SessionKeys>(&key[PREFIX..]);
        Ok(Windowed { key: self.decode_key(own)?, window: session_window(&key) })
    }

    fn set(
        &mut self,
        id: CellId,
        value: Option<V>,
        timestamp: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        self.rows.set(id, value, timestamp, out)
    }

    fn copy(&self, value: &V) -> Result<V, StoreError> {
        self.rows.rows().copy(value)
    }

    fn rows(&mut self) -> &mut TypedRows<V> {
        self.rows.rows_mut()
    }
}

impl<K: Send + 'static, V: Send + 'static> StateStore for SessionState<K, V> {
    forward_to_rows!();

    fn apply(&mut self, record: &StoredRecord<'_>) -> Result<(), StoreError> {
        self.rows.apply(record)
    }

    fn keep(&mut self) {
        self.rows.keep();
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        self.rows.undo()
    }

    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.rows.snapshot(out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.rows.restore(bytes)
    }

    fn commit_note(&self) -> Option<Vec<u8>> {
        self.rows.commit_note()
    }

    fn resume(&mut self, note: &[u8]) -> Result<(), StoreError> {
        StateStore::resume(&mut self.rows, note)
    }
}
