//! The byte stores: the same suite for each, and what only a store on disk must bear.

mod conformance;
mod crash;
mod damage;
mod folder;
#[cfg(feature = "rocksdb")]
mod rocksdb;
