//! What lies on an imagined disk: the bytes below the stores of one task.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tidemill::record::Offset;
use tidemill::state::{ByteStore, Checkpoint, Direction, KeyRange, Rows, StoreError, StoreWrite};
use tidemill::store::MemoryStore;

/// The stores of a task by their names. They stay when the task ends.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<BTreeMap<String, MemoryStore>>>);

/// A store's rows as bytes, and how much of its changelog they reflect.
pub(super) type Written = (Vec<(Vec<u8>, Vec<u8>)>, Option<Offset>);

impl Disk {
    fn stores(&self) -> MutexGuard<'_, BTreeMap<String, MemoryStore>> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// Opens a store; a new one has no rows.
    pub(super) fn open(&self, store: &str) -> Box<dyn ByteStore> {
        self.stores().entry(store.to_owned()).or_default();
        Box::new(OnDisk { disk: self.clone(), store: store.to_owned() })
    }

    /// What is written of each store.
    pub(super) fn written(&self) -> Result<BTreeMap<String, Written>, StoreError> {
        let read = |(name, store): (&String, &MemoryStore)| {
            let rows: Result<Vec<_>, _> = store.range(&KeyRange::ALL, Direction::Forward)?.collect();
            Ok((name.clone(), (rows?, store.checkpoint()?.map(|checkpoint| checkpoint.next))))
        };
        self.stores().iter().map(read).collect()
    }
}

struct OnDisk {
    disk: Disk,
    store: String,
}

impl OnDisk {
    fn with<R>(&self, run: impl FnOnce(&mut MemoryStore) -> R) -> R {
        run(self.disk.stores().entry(self.store.clone()).or_default())
    }
}

impl ByteStore for OnDisk {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.with(|store| store.get(key, out))
    }

    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError> {
        let rows: Vec<_> = self.with(|store| store.range(range, direction).map(Iterator::collect))?;
        Ok(Box::new(rows.into_iter()))
    }

    fn write(&mut self, writes: &mut dyn Iterator<Item = StoreWrite<'_>>, at: Checkpoint) -> Result<(), StoreError> {
        self.with(|store| store.write(writes, at))
    }

    fn discard(&mut self, range: &KeyRange) -> Result<(), StoreError> {
        self.with(|store| store.discard(range))
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.with(|store| store.checkpoint())
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.with(ByteStore::wipe)
    }
}
