//! A store as one commit left it, opened like the store itself: so what a kind of store can be asked is written once.

use std::any::Any;
use std::sync::Arc;

use super::CommittedRows;
use crate::processor::{Outputs, PartitionCounts};
use crate::state::{
    ByteStore, CacheBudget, ChangelogOut, Checkpoint, Descriptor, Direction, KeyRange, Reader, Rows, StateStore,
    StoreError, StoreErrorKind, StoreSpec, StoreWrite,
};

/// A store of one task as one commit left it. It is a store of its own over the committed rows: what is written to it,
/// nobody else sees.
pub struct CommittedStore {
    state: Box<dyn StateStore>,
    outputs: Outputs,
    budget: CacheBudget,
}

impl CommittedStore {
    /// The store that `spec` describes, with these rows.
    pub fn new(spec: &StoreSpec, rows: CommittedRows) -> Result<Self, StoreError> {
        let note = rows.note.clone();
        let mut state = spec.open_committed(Box::new(ReadOnly(rows)));
        if !note.is_empty() {
            state.resume(&note)?;
        }
        let outputs = Outputs::new([], Arc::new(NoTopics), Box::new(|_| false), usize::MAX);
        let outputs = outputs.expect("it has no topic that could be unknown");
        Ok(CommittedStore { state, outputs, budget: CacheBudget::default() })
    }

    /// The store as a processor gets it; `None` when it is of another kind or has other types.
    pub fn open<D: Descriptor>(&mut self, store: &D) -> Option<D::Access<'_>> {
        let state: &mut dyn Any = &mut *self.state;
        let out = ChangelogOut {
            outputs: &mut self.outputs,
            topic: None,
            partition: 0,
            budget: &mut self.budget,
            address: None,
            cause: None,
            gives_headers: false,
            reader: Reader::Outside,
        };
        Some(store_access(store, state.downcast_mut()?, out))
    }
}

/// Only the type of the descriptor counts.
fn store_access<'a, D: Descriptor>(_: &D, state: &'a mut D::State, out: ChangelogOut<'a>) -> D::Access<'a> {
    D::access(state, out)
}

/// Nothing is written to any topic.
struct NoTopics;

impl PartitionCounts for NoTopics {
    fn partitions(&self, _topic: &str) -> Option<u32> {
        None
    }
}

/// Committed rows as the bytes below a store.
struct ReadOnly(CommittedRows);

impl ReadOnly {
    fn refused<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::new(StoreErrorKind::Invalid, "the rows that a commit left are only read"))
    }
}

impl ByteStore for ReadOnly {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let mut value = Vec::new();
        let Some(timestamp) = self.0.get(key, &mut value)? else { return Ok(false) };
        self.0.format.join(timestamp, &value, out);
        Ok(true)
    }

    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError> {
        let format = self.0.format;
        Ok(Box::new(self.0.walk(range.clone(), direction).map(move |row| {
            let row = row?;
            let mut bytes = Vec::new();
            format.join(row.timestamp, &row.value, &mut bytes);
            Ok((row.key, bytes))
        })))
    }

    fn write(&mut self, _writes: &mut dyn Iterator<Item = StoreWrite<'_>>, _at: Checkpoint) -> Result<(), StoreError> {
        self.refused()
    }

    fn discard(&mut self, _range: &KeyRange) -> Result<(), StoreError> {
        self.refused()
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        Ok(None)
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.refused()
    }
}
