//! The typed window store of a task: rows by key and start of a window.

use std::ops::{Bound, ControlFlow, RangeInclusive};
use std::sync::Arc;

use super::keyed_rows::KeyedRows;
use super::segmented_rows::{SegmentedRows, forward_to_rows};
use super::segments::{PREFIX, Segments};
use super::typed_rows::TypedRows;
use super::window_key::{WindowKeys, own_bytes, push_window, window_start, window_tail};
use super::{
    CellId, Changelog, ChangelogOut, Checkpoint, Direction, Kept, KeyRange, PublishedRows, Reader, Release, RowFormat,
    StateStore, StoreError, StoreErrorKind, Undoable, VisitBytes, WindowStore,
};
use crate::record::{Decoder, Encoder, StoredRecord, Timestamp};
use crate::serde::{SerdeError, SerdeRef};
use crate::window::{Window, WindowEnds, Windowed};

/// How a window store keeps its rows.
#[derive(Clone, Debug)]
pub(crate) struct WindowKeeping {
    /// How long behind the greatest start rows can be read, in milliseconds.
    pub(crate) retention: i64,
    /// How the end of a window follows from its start.
    pub(crate) ends: WindowEnds,
    /// Whether a second row of the same key and start stands beside the first, and how; `None`: it takes its place.
    pub(crate) duplicates: Option<Duplicates>,
    /// Whether windows are asked for in the order of their times once they are closed.
    pub(crate) closing: bool,
}

/// How a window store takes rows of one key and start that stand beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duplicates {
    /// Whether a row without value, which is no row, moves the store's time: so it is in Kafka Streams' stores in memory.
    pub(crate) absent_moves_time: bool,
}

/// Typed rows of one window store of one task.
///
/// A row of which the start is the retention or more behind the greatest start that was put cannot be read any more.
pub struct WindowState<K: 'static, V: 'static> {
    keys: SerdeRef<K>,
    rows: SegmentedRows<WindowKeys, V>,
    ends: WindowEnds,
    duplicates: Option<Duplicates>,
    /// Sequence number of the last duplicate.
    sequence: Undoable<u32>,
    key_buffer: Vec<u8>,
    /// A key that operators lend to the nodes below; kept, so that its memory is used again.
    lent_key: Option<Windowed<K>>,
}

/// Looks at a row: its key's own bytes, the start of its window, its value and its time; `Break` ends the walk.
pub(crate) type VisitWindow<'a, V> = &'a mut dyn FnMut(&[u8], i64, &V, Timestamp) -> ControlFlow<()>;

impl<K: 'static, V: Send + 'static> WindowState<K, V> {
    /// An empty store, or one over the rows that `kept.below` has.
    pub(crate) fn new(
        name: Arc<str>,
        store: &WindowStore<K, V>,
        format: RowFormat,
        keeping: WindowKeeping,
        kept: Kept,
    ) -> Self {
        // A cache has one row for a key and a start.
        let kept = Kept { cache: kept.cache.filter(|_| keeping.duplicates.is_none()), ..kept };
        // Duplicates are records of a join, which are looked for key by key.
        let brief = keeping.duplicates.is_some();
        let segments = if brief { Segments::brief(keeping.retention) } else { Segments::new(keeping.retention) };
        let times = (if keeping.closing { segments.with_closing() } else { segments }, keeping.closing);
        WindowState {
            keys: store.key_serde().clone(),
            rows: SegmentedRows::new(name, store.value_serde().clone(), format, times, kept),
            ends: keeping.ends,
            duplicates: keeping.duplicates,
            sequence: Undoable::new(0),
            key_buffer: Vec::new(),
            lent_key: None,
        }
    }

    /// How the end of a window follows from its start.
    pub(crate) fn ends(&self) -> WindowEnds {
        self.ends.clone()
    }

    /// The window that begins at `start`.
    pub(crate) fn window(&self, start: i64) -> Window {
        self.ends.window(start)
    }

    #[inline]
    fn write_key(&mut self, key: &K, start: i64, sequence: u32) -> Result<(), StoreError> {
        self.key_buffer.clear();
        self.keys.write(key, &mut self.key_buffer).map_err(|error| unwritable(self.rows.name(), error))?;
        push_window(&mut self.key_buffer, start, sequence);
        Ok(())
    }

    /// The row of a key and a window's start; the first one where duplicates are kept.
    pub(crate) fn get_at(&mut self, key: &K, start: i64) -> Result<Option<(&V, Timestamp)>, StoreError> {
        self.write_key(key, start, 0)?;
        self.rows.get(start, &self.key_buffer)
    }

    /// Sets the row of a key and a window's start, or, where duplicates are kept, adds one; `None` deletes it. Where duplicates
    /// are kept it is no row, but takes a number of its own in a changelog of every update: that is Kafka Streams' way.
    pub(crate) fn put(
        &mut self,
        key: &K,
        start: i64,
        value: Option<V>,
        timestamp: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        if let Some(duplicates) = self.duplicates {
            self.sequence.set((self.sequence.get() + 1) & (u32::MAX >> 1));
            if value.is_none() {
                if duplicates.absent_moves_time {
                    self.rows.observe(start);
                }
                self.write_key(key, start, self.sequence.get())?;
                return self.rows.tell_changelog(&self.key_buffer, None, timestamp, out);
            }
        }
        self.write_key(key, start, self.sequence.get())?;
        self.rows.put((start, &self.key_buffer), value, timestamp, out)
    }

    /// Visits the rows of a key whose windows begin in `starts`, in the order of starts; equal ones in the order in which they
    /// were put.
    pub(crate) fn walk_key(
        &mut self,
        key: &K,
        starts: RangeInclusive<i64>,
        how: (Direction, Reader),
        visit: VisitWindow<'_, V>,
    ) -> Result<(), StoreError> {
        let starts = (*starts.start()).max(0)..=*starts.end();
        self.write_key(key, 0, 0)?;
        let bytes = std::mem::take(&mut self.key_buffer);
        let own = own_bytes::<WindowKeys>(&bytes);
        let tails = [window_tail(*starts.start(), 0), window_tail(*starts.end(), u32::MAX)];
        let walked = self.rows.walk_key(own, starts, [&tails[0], &tails[1]], how, &mut |tail, value, time| {
            visit(own, window_start(tail), value, time)
        });
        self.key_buffer = bytes;
        walked
    }

    /// Visits the rows of a range of keys whose windows begin in `starts`: segment by segment, in each by key and start.
    pub(crate) fn walk(
        &mut self,
        keys: &KeyRange,
        starts: RangeInclusive<i64>,
        how: (Direction, Reader),
        visit: VisitWindow<'_, V>,
    ) -> Result<(), StoreError> {
        let starts = (*starts.start()).max(0)..=*starts.end();
        let mut tail = Vec::new();
        push_window(&mut tail, (*starts.end()).min(self.rows.segments().observed().unwrap_or(0)), u32::MAX);
        let range = |prefix: &[u8; PREFIX]| segment_range(prefix, keys, &tail);
        self.rows.walk(starts.clone(), range, how, &mut |key, value, time| {
            let (own, start) = (own_bytes::<WindowKeys>(key), window_start(key));
            if starts.contains(&start) && keys.contains(own) {
                visit(own, start, value, time)
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// Takes the windows that begin in `starts` for closed ones: gives their keys in the order of starts and of key bytes.
    /// Windows that begin earlier are never given any more.
    pub(crate) fn take_closing(&mut self, starts: RangeInclusive<i64>) -> Result<Vec<Vec<u8>>, StoreError> {
        self.rows.take_timely(starts)
    }

    /// The row of a key that `take_closing` gave, if it can still be read: its key, its place and its time.
    pub(crate) fn closing(&mut self, key: &[u8]) -> Result<Option<(Windowed<K>, CellId, Timestamp)>, StoreError> {
        let Some(id) = self.rows.visible_place(key)? else { return Ok(None) };
        let window = self.window(window_start(key));
        let time = self.rows.rows().row(id).map_or(window.start, |(_, time)| time);
        Ok(Some((Windowed { key: self.decode_key(own_bytes::<WindowKeys>(key))?, window }, id, time)))
    }

    /// The key that bytes stand for.
    pub(crate) fn decode_key(&self, bytes: &[u8]) -> Result<K, StoreError> {
        self.keys.read(bytes).map_err(|error| self.rows.rows().unreadable("a key", error))
    }

    /// The serde of keys.
    pub(crate) fn key_serde(&self) -> SerdeRef<K> {
        self.keys.clone()
    }

    /// The bytes of a key, without a window.
    pub(crate) fn encode_key(&self, key: &K) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.keys.write(key, &mut bytes).map_err(|error| unwritable(self.rows.name(), error))?;
        Ok(bytes)
    }

    /// A copy of a key with a window, to be lent to the nodes below; give it back with `return_key`.
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

/// The part of a segment in which the keys of a range lie, and perhaps some others: times follow the keys, the greatest of
/// them being `tail`.
pub(super) fn segment_range(prefix: &[u8; PREFIX], keys: &KeyRange, tail: &[u8]) -> KeyRange {
    let from = match &keys.from {
        Bound::Included(key) | Bound::Excluded(key) => Bound::Included([prefix, &key[..]].concat()),
        Bound::Unbounded => Bound::Included(prefix.to_vec()),
    };
    let to = match &keys.to {
        // A shorter key lies before the bound, but its time may stand where the bound has smaller bytes.
        Bound::Included(key) | Bound::Excluded(key) => {
            let shorter = (0..=key.len()).map(|length| [prefix, &key[..length], tail].concat());
            shorter.max().map_or(Bound::Unbounded, Bound::Included)
        }
        Bound::Unbounded => KeyRange::prefix(prefix).to,
    };
    KeyRange { from, to }
}

#[cold]
pub(super) fn unwritable(store: &str, error: SerdeError) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, format!("store `{store}` cannot write a row: {error}")).with_source(error)
}

impl<K: 'static, V: Send + 'static> KeyedRows for WindowState<K, V>
where
    K: Send,
{
    type Key = Windowed<K>;
    type Value = V;

    fn get(&mut self, key: &Windowed<K>) -> Result<Option<(&V, Timestamp)>, StoreError> {
        self.get_at(&key.key, key.window.start.as_millis())
    }

    fn place(&mut self, key: &Windowed<K>) -> Result<Option<CellId>, StoreError> {
        self.write_key(&key.key, key.window.start.as_millis(), 0)?;
        self.rows.visible_place(&self.key_buffer)
    }

    #[inline]
    fn claim(&mut self, key: &Windowed<K>) -> Result<CellId, StoreError> {
        let start = key.window.start.as_millis();
        self.write_key(&key.key, start, 0)?;
        self.rows.claim(start, &self.key_buffer)
    }

    #[inline]
    fn value(&self, id: CellId) -> &Option<V> {
        self.rows.rows().value(id)
    }

    fn row(&self, id: CellId) -> Option<(&V, Timestamp)> {
        self.rows.rows().row(id)
    }

    fn tell_of(&mut self, id: CellId) -> bool {
        self.rows.tell_of(id)
    }

    fn key_at(&self, id: CellId) -> Result<Windowed<K>, StoreError> {
        let key = self.rows.rows().key(id);
        let own = own_bytes::<WindowKeys>(&key[PREFIX..]);
        Ok(Windowed { key: self.decode_key(own)?, window: self.window(window_start(&key)) })
    }

    #[inline]
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

    #[inline]
    fn rows(&mut self) -> &mut TypedRows<V> {
        self.rows.rows_mut()
    }
}

impl<K: Send + 'static, V: Send + 'static> StateStore for WindowState<K, V> {
    forward_to_rows!();

    fn apply(&mut self, record: &StoredRecord<'_>) -> Result<(), StoreError> {
        // Where duplicates are kept no row is ever deleted: this only took a number.
        if record.value.is_none() && self.duplicates.is_some() {
            return Ok(());
        }
        self.rows.apply(record)
    }

    fn keep(&mut self) {
        self.sequence.keep();
        self.rows.keep();
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        self.sequence.undo();
        self.rows.undo()
    }

    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        Encoder(out).number(self.sequence.get().into());
        self.rows.snapshot(out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut head = Decoder::new(bytes);
        let sequence = head.number().ok().and_then(|number| u32::try_from(number).ok());
        self.sequence = Undoable::new(sequence.ok_or_else(|| cut_off(self.rows.name()))?);
        self.rows.restore(head.rest())
    }

    fn commit_note(&self) -> Option<Vec<u8>> {
        let time = self.rows.commit_note();
        // A row without value takes a number, and may move no time.
        let sequence = self.sequence.get();
        if self.duplicates.is_none() || sequence == 0 {
            return time;
        }
        let mut note = time.unwrap_or_default();
        note.extend_from_slice(&sequence.to_be_bytes());
        Some(note)
    }

    fn resume(&mut self, note: &[u8]) -> Result<(), StoreError> {
        let (time, sequence) = note.split_at(note.len() / 8 * 8);
        if let Ok(sequence) = sequence.try_into() {
            self.sequence = Undoable::new(u32::from_be_bytes(sequence));
        }
        if time.is_empty() && !sequence.is_empty() { Ok(()) } else { StateStore::resume(&mut self.rows, time) }
    }
}

#[cold]
fn cut_off(store: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, format!("what was kept besides the rows of store `{store}` is cut off"))
}
