//! The byte stores: the same suite for each, and what only a store on disk must bear.

mod conformance;
mod crash;
mod damage;
mod folder;
#[cfg(feature = "rocksdb")]
mod rocksdb;

use tidemill::record::{Offset, Timestamp};
use tidemill::store::Checkpoint;

/// What a write says that it reflects.
fn at(next: u64) -> Checkpoint {
    Checkpoint { next: Offset::new(next), at: Timestamp::ZERO }
}
