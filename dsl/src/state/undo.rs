//! How a store takes back what it did for a record that failed.
//!
//! Rule: between two calls of `keep` or `undo` a store remembers what it was before each change, newest last; `undo` goes
//! back through that list, so that the store is what it was, its debts to the changelog and to the bytes below included.

use crate::record::Timestamp;

/// What a row's value was before a change.
pub(super) enum Old<V> {
    /// The value itself, or none: nobody else had a use for it.
    Value(Option<V>),
    /// Where its bytes lie in the journal: the value itself was given away.
    Bytes { from: usize },
}

/// One change.
pub(super) enum RowChange<V> {
    /// A row changed.
    Row {
        id: u32,
        old: Old<V>,
        timestamp: Timestamp,
        /// The change put the row on the list of those that the bytes below have to get.
        unflushed: bool,
    },
    /// A row was put on the list of those that the changelog has to get.
    Unlogged { id: u32 },
}

/// The changes of a store's rows since the last record that finished.
pub(super) struct RowJournal<V> {
    pub(super) changes: Vec<RowChange<V>>,
    /// The bytes of values that were given away, one after another.
    pub(super) bytes: Vec<u8>,
}

impl<V> RowJournal<V> {
    pub(super) const fn new() -> Self {
        RowJournal { changes: Vec::new(), bytes: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.changes.clear();
        self.bytes.clear();
    }
}

/// A place in a store's journal: `undo_to` goes back to it.
#[derive(Clone, Copy, Debug)]
pub struct UndoMark(pub(super) usize);

/// Something small that a store keeps beside its rows, such as a time, and that goes back with them when a record fails.
///
/// ```
/// use tidemill_dsl::state::Undoable;
///
/// let mut time = Undoable::new(5);
/// time.set(7);
/// time.undo();
/// assert_eq!(time.get(), 5);
/// time.set(8);
/// time.keep();
/// time.undo();
/// assert_eq!(time.get(), 8);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undoable<T> {
    now: T,
    kept: T,
}

impl<T: Copy> Undoable<T> {
    /// This value, kept.
    pub fn new(value: T) -> Self {
        Undoable { now: value, kept: value }
    }

    /// The value.
    #[inline]
    pub fn get(&self) -> T {
        self.now
    }

    /// Sets the value; [`undo`](Self::undo) brings the one back that was kept last.
    #[inline]
    pub fn set(&mut self, value: T) {
        self.now = value;
    }

    /// The record that set the value has finished.
    #[inline]
    pub fn keep(&mut self) {
        self.kept = self.now;
    }

    /// The record that set the value has failed.
    pub fn undo(&mut self) {
        self.now = self.kept;
    }
}
