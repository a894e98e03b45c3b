//! The reference store: a sorted map, and nothing that could be wrong about it.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::order::rising;
use super::{ByteStore, Checkpoint, Direction, KeyRange, Rows, StoreError, StoreWrite};

/// Rows in memory, gone with the value.
///
/// ```
/// use tidemill::record::{Offset, Timestamp};
/// use tidemill::store::{ByteStore, Checkpoint, MemoryStore, StoreWrite};
///
/// let mut store = MemoryStore::new();
/// let checkpoint = Checkpoint { next: Offset::new(1), at: Timestamp::from_millis(1_000) };
/// store.write(&mut [StoreWrite { key: b"alice", value: Some(b"10") }].into_iter(), checkpoint)?;
///
/// let mut balance = Vec::new();
/// assert!(store.get(b"alice", &mut balance)?);
/// assert_eq!((balance, store.checkpoint()?), (b"10".to_vec(), Some(checkpoint)));
/// # Ok::<(), tidemill::store::StoreError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    checkpoint: Option<Checkpoint>,
}

impl MemoryStore {
    /// A store without rows and without a checkpoint.
    pub fn new() -> Self {
        MemoryStore::default()
    }
}

impl ByteStore for MemoryStore {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let value = self.rows.get(key);
        out.extend(value.into_iter().flatten());
        Ok(value.is_some())
    }

    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError> {
        // The map panics on an inverted range.
        if range.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) =
            (range.from.as_ref().map(Vec::as_slice), range.to.as_ref().map(Vec::as_slice));
        let rows = self.rows.range::<[u8], _>(bounds).map(|(key, value)| Ok((key.clone(), value.clone())));
        Ok(match direction {
            Direction::Forward => Box::new(rows),
            Direction::Backward => Box::new(rows.rev()),
        })
    }

    fn write(&mut self, writes: &mut dyn Iterator<Item = StoreWrite<'_>>, at: Checkpoint) -> Result<(), StoreError> {
        let writes: Vec<_> = rising(writes).collect();
        for write in writes {
            match write.value {
                Some(value) => self.rows.insert(write.key.to_vec(), value.to_vec()),
                None => self.rows.remove(write.key),
            };
        }
        self.checkpoint = Some(at);
        Ok(())
    }

    fn discard(&mut self, range: &KeyRange) -> Result<(), StoreError> {
        self.rows.retain(|key, _| !range.contains(key));
        Ok(())
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        Ok(self.checkpoint)
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        *self = MemoryStore::new();
        Ok(())
    }
}
