//! How rows lie in RocksDB: all stores of a folder in one space of keys, each under a number that no other ever had.
//!
//! ```text
//! key v1      00                                 value: 01 | the last number given out, u32, big-endian
//! store       01 | <store name>/<partition>      value: its number, u32, big-endian
//! checkpoint  02 | number u32, big-endian | 00   value: see `checkpoint`
//! row         02 | number u32, big-endian | 01 | key bytes     value: as given
//! ```
//!
//! The 01 before a number is the version of this layout.

use std::ops::Bound;

use smallvec::SmallVec;

use crate::store::{KeyRange, StoreId};

pub(super) const COUNTER: [u8; 1] = [0];
const STORE: u8 = 1;
const CONTENT: u8 = 2;
const CHECKPOINT: u8 = 0;
const ROW: u8 = 1;
const LAYOUT: u8 = 1;
/// What stands before a row's own key.
pub(super) const ROW_PREFIX: usize = 6;

pub(super) type StoredKey = SmallVec<[u8; 64]>;

/// The number of a store's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) u32);

impl Number {
    fn key(self, kind: u8, rest: &[u8]) -> StoredKey {
        let mut key = StoredKey::with_capacity(ROW_PREFIX + rest.len());
        key.push(CONTENT);
        key.extend_from_slice(&self.0.to_be_bytes());
        key.push(kind);
        key.extend_from_slice(rest);
        key
    }

    pub(super) fn row(self, key: &[u8]) -> StoredKey {
        self.key(ROW, key)
    }

    pub(super) fn checkpoint(self) -> StoredKey {
        self.key(CHECKPOINT, &[])
    }

    /// From the checkpoint to behind the last row.
    pub(super) fn everything(self) -> (StoredKey, StoredKey) {
        (self.checkpoint(), self.key(ROW + 1, &[]))
    }

    /// The first stored key of a range of rows, and the first one behind it.
    pub(super) fn bounds(self, range: &KeyRange) -> (StoredKey, StoredKey) {
        let from = match &range.from {
            Bound::Included(key) => self.row(key),
            Bound::Excluded(key) => behind(self.row(key)),
            Bound::Unbounded => self.row(&[]),
        };
        let to = match &range.to {
            Bound::Included(key) => behind(self.row(key)),
            Bound::Excluded(key) => self.row(key),
            Bound::Unbounded => self.key(ROW + 1, &[]),
        };
        (from, to)
    }

    pub(super) fn read(stored: &[u8]) -> Option<Number> {
        Some(Number(u32::from_be_bytes(stored.try_into().ok()?)))
    }
}

/// The next key.
fn behind(mut key: StoredKey) -> StoredKey {
    key.push(0);
    key
}

pub(super) fn store(id: &StoreId) -> Vec<u8> {
    [&[STORE], id.place().as_bytes()].concat()
}

/// The stores' entries, and the first key behind them.
pub(super) fn stores() -> ([u8; 1], [u8; 1]) {
    ([STORE], [STORE + 1])
}

pub(super) fn store_of(key: &[u8]) -> Option<StoreId> {
    StoreId::of_place(std::str::from_utf8(key.strip_prefix(&[STORE])?).ok()?)
}

pub(super) fn counter(last: Number) -> [u8; 5] {
    let number = last.0.to_be_bytes();
    [LAYOUT, number[0], number[1], number[2], number[3]]
}

pub(super) fn read_counter(stored: &[u8]) -> Option<Number> {
    Number::read(stored.strip_prefix(&[LAYOUT])?)
}
