//! Bytes below a store that stay where they are when the task that opened them ends.

use std::sync::{Arc, Mutex};

use tidemill::state::{ByteStore, Checkpoint, Direction, KeyRange, Rows, StoreError, StoreWrite};
use tidemill::store::MemoryStore;

/// A store in memory that several tasks open one after another.
#[derive(Clone, Default)]
pub(crate) struct SharedMemory(Arc<Mutex<MemoryStore>>);

impl ByteStore for SharedMemory {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.0.lock().unwrap().get(key, out)
    }

    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError> {
        let rows: Vec<_> = self.0.lock().unwrap().range(range, direction)?.collect();
        Ok(Box::new(rows.into_iter()))
    }

    fn write(&mut self, writes: &mut dyn Iterator<Item = StoreWrite<'_>>, at: Checkpoint) -> Result<(), StoreError> {
        self.0.lock().unwrap().write(writes, at)
    }

    fn discard(&mut self, range: &KeyRange) -> Result<(), StoreError> {
        self.0.lock().unwrap().discard(range)
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.0.lock().unwrap().checkpoint()
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.0.lock().unwrap().wipe()
    }
}
