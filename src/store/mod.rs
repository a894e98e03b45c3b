//! A store is a checkpoint of its changelog: rows, and how much of it they reflect, written in one atomic step.
//!
//! So a store may lag behind its changelog, and never contradicts it: whoever opens one replays the changelog from
//! [`ByteStore::checkpoint`]. Nothing is written per record; a write carries thousands of committed rows.

mod checkpoint;
mod directory;
mod fjall;
mod folder;
mod label;
mod leases;
mod memory;
mod names;
mod order;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod stores;

pub use tidemill_dsl::state::{
    ByteSnapshot, ByteStore, Checkpoint, Direction, KeyRange, Rows, StoreError, StoreErrorKind, StoreWrite,
    TakeSnapshot,
};

pub use self::fjall::{FjallStore, FjallStores, StoreSettings};
pub use self::label::Label;
pub use self::memory::MemoryStore;
pub use self::names::StoreId;
#[cfg(feature = "rocksdb")]
pub use self::rocksdb::{RocksDbStore, RocksDbStores};
pub use self::stores::StoreEngine;
pub(crate) use self::stores::{PROCESS_LOCK, Stores, state_folder};
