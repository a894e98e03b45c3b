//! How a store takes back what it did for a record that failed.
//!
//! Rule: from `keep` on a store remembers what it was before each change, newest last; `undo` goes back through that list, so
//! that the store is what it was, its debts to the changelog and to the bytes below included.

use super::StoreError;
use super::cell::Mark;
use super::typed_rows::TypedRows;
use crate::record::{Headers, Timestamp};

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
        headers: Headers,
        /// The change put the row on the list of those that the bytes below have to get.
        unflushed: bool,
    },
    /// A row was put on the list of those that the changelog has to get.
    Unlogged { id: u32 },
}

/// The changes of a store's rows since a step began.
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

impl<V: Send + 'static> TypedRows<V> {
    /// Notes the value at a place by its bytes, because the value itself is about to be given away.
    pub(super) fn remember_bytes(&mut self, id: u32) -> Result<(), StoreError> {
        let (cell, Some(journal)) = (self.cells.get(id), &mut self.journal) else { return Ok(()) };
        let from = journal.bytes.len();
        let old = match &cell.value {
            None => Old::Value(None),
            Some(value) => match self.values.write(value, &mut journal.bytes) {
                Ok(()) => Old::Bytes { from },
                Err(error) => {
                    journal.bytes.truncate(from);
                    return Err(self.unwritable(error));
                }
            },
        };
        let (timestamp, headers) = (cell.timestamp, self.cell_headers(id).clone());
        if let Some(journal) = &mut self.journal {
            journal.changes.push(RowChange::Row { id, old, timestamp, headers, unflushed: false });
        }
        Ok(())
    }

    /// This moment, for `undo_to`.
    pub(crate) fn mark(&self) -> UndoMark {
        UndoMark(self.journal.as_ref().map_or(0, |journal| journal.changes.len()))
    }

    /// Takes back what was done since `mark`. What a changelog of every update got is taken back with the outputs.
    pub(crate) fn undo_to(&mut self, mark: UndoMark) -> Result<(), StoreError> {
        let Some(mut journal) = self.journal.take() else { return Ok(()) };
        let undone = self.undo_changes(&mut journal, mark);
        self.journal = Some(journal);
        undone
    }

    fn undo_changes(&mut self, journal: &mut RowJournal<V>, mark: UndoMark) -> Result<(), StoreError> {
        let newest_first = "changes are taken back newest first";
        for change in journal.changes.drain(mark.0..).rev() {
            let (id, old, timestamp, headers, unflushed) = match change {
                RowChange::Row { id, old, timestamp, headers, unflushed } => (id, old, timestamp, headers, unflushed),
                RowChange::Unlogged { id } => {
                    self.cells.get_mut(id).unset(Mark::Unlogged);
                    assert_eq!(self.unlogged.pop(), Some(id), "{newest_first}");
                    continue;
                }
            };
            let old = match old {
                Old::Value(value) => value,
                Old::Bytes { from } => {
                    let value = self.values.read(&journal.bytes[from..]);
                    journal.bytes.truncate(from);
                    Some(value.map_err(|error| self.unreadable("a value that it wrote itself", error))?)
                }
            };
            let cell = self.cells.get_mut(id);
            (cell.value, cell.timestamp) = (old, timestamp);
            if let Some(kept) = &mut self.headers {
                kept.set(id, headers);
            }
            if unflushed {
                cell.unset(Mark::Unflushed);
                assert_eq!(self.unflushed.pop(), Some(id), "{newest_first}");
            }
        }
        Ok(())
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

    /// Sets the value; [`undo`](Self::undo) brings back the one that was kept last.
    #[inline]
    pub fn set(&mut self, value: T) {
        self.now = value;
    }

    /// The value, to be changed in its place; as [`set`](Self::set).
    #[inline]
    pub(crate) fn now_mut(&mut self) -> &mut T {
        &mut self.now
    }

    /// A step begins: what was set so far stays.
    #[inline]
    pub fn keep(&mut self) {
        self.kept = self.now;
    }

    /// The record of the step has failed.
    pub fn undo(&mut self) {
        self.now = self.kept;
    }
}
