//! What a task does with a store, whatever its types are.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::cache::{CacheBudget, HeldCause, Reader};
use super::{Changelog, Checkpoint, Direction, KeyRange, PublishedRows, Release, RowMemory, StoreError};
use crate::processor::{Address, Outputs};
use crate::record::{Change, Headers, Record, StoredRecord, Timestamp};

/// A store of a task, type erased. Its rows change only through the typed stores, such as
/// [`KeyValueState`](super::KeyValueState).
pub trait StateStore: Any + Send {
    /// The store's name.
    fn name(&self) -> &Arc<str>;

    /// What the changelog gets.
    fn changelog(&self) -> Changelog;

    /// Writes what a commit owes the changelog. Called once before each commit.
    fn log_changes(&mut self, out: &mut ChangelogOut<'_>) -> Result<(), StoreError>;

    /// Applies a record of the changelog.
    fn apply(&mut self, record: &StoredRecord<'_>) -> Result<(), StoreError>;

    /// How many changed rows the bytes below do not have yet; always 0 for a store in memory.
    fn unflushed(&self) -> usize;

    /// Writes changed rows to the bytes below, with what they reflect of the changelog. Only between a commit and the next
    /// change.
    fn flush(&mut self, at: Checkpoint) -> Result<(), StoreError>;

    /// What the rows in memory take.
    fn memory(&self) -> RowMemory;

    /// Lets go of rows that the bytes below have, those first that nobody used lately, until about so many bytes are left. Only
    /// between a commit and the next change; a store in memory keeps all.
    fn shrink(&mut self, bytes: u64);

    /// What the bytes below reflect of the changelog; `None` for a new store and for one in memory.
    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError>;

    /// What has to be known besides the rows, if anything: it goes with every commit, and comes back by `resume`.
    fn commit_note(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes the note of the last commit, after the rows were restored.
    fn resume(&mut self, _note: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Says whether the store is to remember what it was before each change, so that `undo` can go back. A store that is
    /// not told so remembers nothing.
    fn journal(&mut self, on: bool);

    /// A step begins: what was done so far is never taken back.
    fn keep(&mut self);

    /// Takes back what was done since `keep`: the record of the step has failed. Only in a store that remembers it.
    fn undo(&mut self) -> Result<(), StoreError>;

    /// Removes all rows.
    fn wipe(&mut self) -> Result<(), StoreError>;

    /// Appends all rows, and what is still owed to the changelog, as canonical bytes.
    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError>;

    /// Sets rows and debts from what `snapshot` wrote.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Visits the rows of a range as bytes, those not committed yet included, until `visit` breaks.
    fn visit(&mut self, range: &KeyRange, direction: Direction, visit: VisitBytes<'_>) -> Result<(), StoreError>;

    /// Publishes the committed rows from now on, for readers in other threads; called again it gives the same. Only between a
    /// commit and the next change, as what is there now counts as committed.
    fn publish(&mut self) -> Result<Arc<PublishedRows>, StoreError>;

    /// Whether a cache holds changes back.
    fn is_cached(&self) -> bool {
        false
    }

    /// Whether the cache has changes that nobody was told of.
    fn holds_changes(&self) -> bool {
        false
    }

    /// How much the cache holds, as it counts towards the task's limit.
    fn cached_bytes(&self) -> u64 {
        0
    }

    /// Lets changes out of the cache of a store that no node tells of: only the changelog gets them. `false` when the
    /// cache is empty.
    fn write_back(&mut self, _what: Release, _out: &mut ChangelogOut<'_>) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// Looks at a row as bytes: key, value as in the changelog, time; `Break` ends the walk.
pub type VisitBytes<'a> = &'a mut dyn FnMut(&[u8], &[u8], Timestamp) -> ControlFlow<()>;

/// The record that changes a row.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a> {
    /// Its time, which need not be the row's.
    pub timestamp: Timestamp,
    /// Its headers.
    pub headers: &'a Headers,
}

impl<'a, K, V> From<Record<'a, K, V>> for Cause<'a> {
    fn from(record: Record<'a, K, V>) -> Self {
        Cause { timestamp: record.timestamp, headers: record.headers }
    }
}

impl<'a, K, V> From<Change<'a, K, V>> for Cause<'a> {
    fn from(change: Change<'a, K, V>) -> Self {
        Cause { timestamp: change.timestamp, headers: change.headers }
    }
}

/// Where a store's changes go, and what they come from.
pub struct ChangelogOut<'a> {
    pub(crate) outputs: &'a mut Outputs,
    /// The changelog's number among the outputs; `None` when the store has none.
    pub(crate) topic: Option<usize>,
    pub(crate) partition: u32,
    /// What the caches of the task may hold.
    pub(crate) budget: &'a mut CacheBudget,
    /// The record being processed.
    pub(crate) address: Option<&'a Address>,
    pub(crate) cause: Option<Cause<'a>>,
    /// Whether the headers of the cause are given with rows, to be kept.
    pub(crate) gives_headers: bool,
    /// Who reads the store by this.
    pub(crate) reader: Reader,
}

impl<'a> ChangelogOut<'a> {
    /// The same for changes by this record.
    #[must_use]
    pub(crate) fn caused_by(self, cause: Cause<'a>) -> Self {
        ChangelogOut { cause: Some(cause), ..self }
    }

    /// The same for one change, by this record, whose headers are the row's.
    pub(super) fn because<'b>(&'b mut self, cause: Cause<'b>) -> ChangelogOut<'b> {
        let ChangelogOut { outputs, topic, partition, budget, address, reader, .. } = self;
        let (topic, partition, address, reader) = (*topic, *partition, *address, *reader);
        ChangelogOut { outputs, topic, partition, budget, address, cause: Some(cause), gives_headers: true, reader }
    }

    /// The time of the record that changes rows now.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.cause.map(|cause| cause.timestamp)
    }

    /// The headers of the record that changes rows now.
    pub(super) fn headers(&self) -> &Headers {
        self.cause.map_or(&Headers::NONE, |cause| cause.headers)
    }

    /// The record that changes rows now, to be kept with them.
    pub(super) fn cause(&self, row_time: Timestamp) -> HeldCause {
        let (timestamp, headers) = match self.cause {
            Some(Cause { timestamp, headers }) => (timestamp, headers.clone()),
            None => (row_time, Headers::NONE),
        };
        HeldCause { timestamp, headers, address: self.address.cloned() }
    }

    pub(super) fn write<E>(
        &mut self,
        key: &[u8],
        timestamp: Timestamp,
        headers: &Headers,
        value: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        match self.topic {
            Some(topic) => self.outputs.append_with(topic, self.partition, timestamp, Some(key), headers, value),
            None => Ok(()),
        }
    }
}
