//! Every store keeps the same rules, whether rows stay in its write buffer or go through files.

use tempfile::TempDir;
use tidemill::store::{FjallStore, FjallStores, MemoryStore, StoreSettings};
use tidemill_testkit::conformance::{StoreHome, check_store, check_store_against_a_map};

const SEED: u64 = 20_261_122;

struct InMemory;

impl StoreHome for InMemory {
    type Store = MemoryStore;

    fn create(&mut self) -> MemoryStore {
        MemoryStore::new()
    }

    fn reopen(&mut self, store: MemoryStore) -> MemoryStore {
        store
    }
}

struct OnDisk {
    folder: TempDir,
    settings: StoreSettings,
}

impl OnDisk {
    fn new(settings: StoreSettings) -> Self {
        OnDisk { folder: tempfile::tempdir().unwrap(), settings }
    }
}

impl StoreHome for OnDisk {
    type Store = FjallStore;

    fn create(&mut self) -> FjallStore {
        // The store alone keeps the folder open, so dropping it closes everything.
        FjallStores::open(self.folder.path(), self.settings).unwrap().open_store("rows", 0).unwrap()
    }

    fn reopen(&mut self, store: FjallStore) -> FjallStore {
        drop(store);
        self.create()
    }
}

/// Every write fills the buffer, so that files are written and merged all the time.
fn tiny_buffers() -> StoreSettings {
    StoreSettings { cache_bytes: 1 << 10, write_buffer_bytes: 1 }
}

#[test]
fn a_store_in_memory_passes_the_suite() {
    check_store(|| InMemory);
}

#[test]
fn a_store_on_disk_passes_the_suite() {
    check_store(|| OnDisk::new(StoreSettings::default()));
}

#[test]
fn a_store_on_disk_with_tiny_buffers_passes_the_suite() {
    check_store(|| OnDisk::new(tiny_buffers()));
}

#[test]
fn a_store_in_memory_agrees_with_a_map() {
    check_store_against_a_map(|| InMemory, 500, SEED);
}

#[test]
fn a_store_on_disk_agrees_with_a_map() {
    check_store_against_a_map(|| OnDisk::new(StoreSettings::default()), 40, SEED);
}

#[test]
fn a_store_on_disk_with_tiny_buffers_agrees_with_a_map() {
    check_store_against_a_map(|| OnDisk::new(tiny_buffers()), 40, SEED);
}
