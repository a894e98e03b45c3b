//! Where the bytes below a store lie, and stay between two tasks.

use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tidemill::record::Offset;
use tidemill::state::{ByteStore, Direction, KeyRange, Rows, StoreError, StoreWrite};
use tidemill::store::{FjallStores, MemoryStore, StoreSettings};

/// What a store is opened over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Below {
    Nothing,
    Memory,
    Fjall,
}

/// A place that outlives the task that opens it.
pub(crate) enum Home {
    Nothing,
    Memory(SharedMemory),
    Fjall(TempDir),
}

impl Home {
    pub(crate) fn new(below: Below) -> Home {
        match below {
            Below::Nothing => Home::Nothing,
            Below::Memory => Home::Memory(SharedMemory::default()),
            Below::Fjall => Home::Fjall(tempfile::tempdir().unwrap()),
        }
    }

    pub(crate) fn open(&self) -> Option<Box<dyn ByteStore>> {
        match self {
            Home::Nothing => None,
            Home::Memory(shared) => Some(Box::new(shared.clone())),
            Home::Fjall(folder) => {
                let stores = FjallStores::open(folder.path(), StoreSettings::default()).unwrap();
                Some(Box::new(stores.open_store("rows", 0).unwrap()))
            }
        }
    }
}

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

    fn write(&mut self, writes: &mut dyn Iterator<Item = StoreWrite<'_>>, next: Offset) -> Result<(), StoreError> {
        self.0.lock().unwrap().write(writes, next)
    }

    fn checkpoint(&self) -> Result<Option<Offset>, StoreError> {
        self.0.lock().unwrap().checkpoint()
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.0.lock().unwrap().wipe()
    }
}
