//! Cursors over rows that may change while they are read.
//!
//! Rule: a cursor shows the rows as they were when it was opened. What a row was before a change is kept for the cursors that
//! have not come to it, so a cursor costs what it reads and what is changed ahead of it, never a copy of the store.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::cells::KeyBytes;
use super::typed_rows::TypedRows;
use super::{Direction, KeyRange, KeyValueState, Reader, Store, StoreError};
use crate::processor::{Edge, NodeContext, ProcessError};
use crate::record::Timestamp;
use crate::serde::SerdeRef;

/// How many rows a cursor copies at first, and at most, when it needs more.
const CHUNK: std::ops::RangeInclusive<usize> = 16..=512;

/// A row on its way out of a cursor: the bytes of its key, its value, its time.
type ScannedRow<V> = (KeyBytes, V, Timestamp);

/// What a store and a cursor over it share.
struct Ahead<V> {
    /// The keys that the cursor has not come to; `None` at its end.
    range: Option<KeyRange>,
    /// Rows among them that were changed since it was opened, as they were; `None`: there was none.
    before: BTreeMap<KeyBytes, Result<Option<(V, Timestamp)>, StoreError>>,
}

/// The cursors that are open over a store's rows.
pub(super) struct OpenScans<V>(Vec<Weak<Mutex<Ahead<V>>>>);

impl<V> Default for OpenScans<V> {
    fn default() -> Self {
        OpenScans(Vec::new())
    }
}

impl<V> OpenScans<V> {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps a row that is about to change for the cursors that have yet to come to it.
    #[cold]
    pub(super) fn keep(&mut self, key: &[u8], row: impl Fn() -> Result<Option<(V, Timestamp)>, StoreError>) {
        self.0.retain(|scan| {
            let Some(scan) = scan.upgrade() else { return false };
            let mut ahead = lock(&scan);
            let comes = ahead.range.as_ref().is_some_and(|range| range.contains(key));
            if comes && !ahead.before.contains_key(key) {
                ahead.before.insert(key.into(), row());
            }
            true
        });
    }
}

/// Only one thread has a task; the lock is there so that a task may go to another.
fn lock<V>(ahead: &Mutex<Ahead<V>>) -> MutexGuard<'_, Ahead<V>> {
    ahead.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cursor over typed rows; what cursors of all kinds of stores are made of.
pub(crate) struct RowScan<V> {
    ahead: Arc<Mutex<Ahead<V>>>,
    direction: Direction,
    ready: VecDeque<ScannedRow<V>>,
    chunk: usize,
}

impl<V: Send + 'static> TypedRows<V> {
    /// Opens a cursor over the rows as they are now.
    pub(crate) fn scan(&mut self, range: KeyRange) -> RowScan<V> {
        let range = (!range.is_empty()).then_some(range);
        let ahead = Arc::new(Mutex::new(Ahead { range, before: BTreeMap::new() }));
        self.scans.0.push(Arc::downgrade(&ahead));
        RowScan { ahead, direction: Direction::Forward, ready: VecDeque::new(), chunk: *CHUNK.start() }
    }
}

impl<V: Clone + Send + 'static> RowScan<V> {
    /// The next row of the store that the cursor was opened over.
    pub(crate) fn next(&mut self, rows: &mut TypedRows<V>) -> Result<Option<ScannedRow<V>>, StoreError> {
        while self.ready.is_empty() && lock(&self.ahead).range.is_some() {
            self.copy_more(rows)?;
        }
        Ok(self.ready.pop_front())
    }

    /// Copies the next rows, and moves the range behind them.
    fn copy_more(&mut self, rows: &mut TypedRows<V>) -> Result<(), StoreError> {
        let (direction, chunk) = (self.direction, self.chunk);
        let mut ahead = lock(&self.ahead);
        let Ahead { range: Some(range), before } = &mut *ahead else { return Ok(()) };
        let mut found: Vec<ScannedRow<V>> = Vec::new();
        rows.walk_by(Reader::Task, range, direction, &mut |key, value, time| {
            if !before.contains_key(key) {
                found.push((key.into(), value.clone(), time));
            }
            if found.len() == chunk { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let end = (found.len() == chunk).then(|| found[chunk - 1].0.clone());
        for (key, row) in take_until(before, end.as_ref(), direction) {
            if let Some((value, time)) = row? {
                found.push((key, value, time));
            }
        }
        match direction {
            Direction::Forward => found.sort_unstable_by(|a, b| a.0.cmp(&b.0)),
            Direction::Backward => found.sort_unstable_by(|a, b| b.0.cmp(&a.0)),
        }
        match (end, direction) {
            (None, _) => ahead.range = None,
            (Some(end), Direction::Forward) => range.from = Bound::Excluded(end.to_vec()),
            (Some(end), Direction::Backward) => range.to = Bound::Excluded(end.to_vec()),
        }
        self.chunk = (2 * chunk).min(*CHUNK.end());
        self.ready = found.into();
        Ok(())
    }
}

/// Takes the entries that a cursor meets until it comes to `end`; without an end all.
fn take_until<T>(
    entries: &mut BTreeMap<KeyBytes, T>,
    end: Option<&KeyBytes>,
    direction: Direction,
) -> BTreeMap<KeyBytes, T> {
    match (end, direction) {
        (None, _) => std::mem::take(entries),
        // Nothing was changed under the key of `end` itself, or it would not have been found.
        (Some(end), Direction::Forward) => {
            let rest = entries.split_off(end);
            std::mem::replace(entries, rest)
        }
        (Some(end), Direction::Backward) => entries.split_off(end),
    }
}

/// A cursor over the rows of a key-value store, from [`NodeContext::scan`].
///
/// It shows the rows as they were when it was opened. It does not borrow the context, so between two rows its owner can
/// forward, and change the store that it reads; it ends with the call that it was opened in.
///
/// It copies rows in chunks, of 16 at first and 512 at most. A change of a row that it has not come to costs a copy of what
/// the row was.
pub struct Scan<'a, K: 'static, V: 'static> {
    keys: SerdeRef<K>,
    rows: RowScan<V>,
    /// The store's place in the task.
    slot: usize,
    call: PhantomData<&'a ()>,
}

impl<K: 'static, V: Clone + Send + 'static> Scan<'_, K, V> {
    pub(crate) fn open(store: &mut KeyValueState<K, V>, slot: usize, range: KeyRange) -> Self {
        Scan { keys: store.key_serde(), rows: store.rows().scan(range), slot, call: PhantomData }
    }

    /// Reads from the greatest key down.
    ///
    /// # Panics
    ///
    /// When a row was read already.
    #[must_use]
    pub fn backward(mut self) -> Self {
        assert_eq!(self.rows.chunk, *CHUNK.start(), "a cursor is turned before it reads");
        self.rows.direction = Direction::Backward;
        self
    }

    /// The next row: its key and its value.
    pub fn next<Out: Edge>(&mut self, ctx: &mut NodeContext<'_, Out>) -> Result<Option<(K, V)>, ProcessError> {
        Ok(self.next_with_time(ctx)?.map(|(key, value, _)| (key, value)))
    }

    /// The next row with the time of its last update; a store without times says 0.
    pub fn next_with_time<Out: Edge>(
        &mut self,
        ctx: &mut NodeContext<'_, Out>,
    ) -> Result<Option<(K, V, Timestamp)>, ProcessError> {
        let store = ctx.task().state::<KeyValueState<K, V>>(self.slot).0;
        let Some((key, value, time)) = self.rows.next(store.rows())? else { return Ok(None) };
        Ok(Some((self.keys.read(&key)?, value, time)))
    }
}

/// The keys of a range as bytes.
pub(crate) fn key_range<K: 'static>(
    store: &Store<K, impl Sized>,
    range: &impl RangeBounds<K>,
) -> Result<KeyRange, ProcessError> {
    let bytes = |bound: Bound<&K>| match bound {
        Bound::Unbounded => Ok::<_, ProcessError>(Bound::Unbounded),
        Bound::Included(key) | Bound::Excluded(key) => {
            let mut bytes = Vec::new();
            store.key_serde().write(key, &mut bytes)?;
            Ok(if matches!(bound, Bound::Included(_)) { Bound::Included(bytes) } else { Bound::Excluded(bytes) })
        }
    };
    Ok(KeyRange { from: bytes(range.start_bound())?, to: bytes(range.end_bound())? })
}
