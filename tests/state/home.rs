//! Where the bytes below a store lie, and stay between two tasks.

use tempfile::TempDir;
use tidemill::state::ByteStore;
use tidemill::store::{FjallStores, StoreSettings};

use super::shared_memory::SharedMemory;

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
