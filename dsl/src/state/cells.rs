//! Typed rows in memory, found by the bytes of their key.
//!
//! Equality of keys is that of their bytes, as in Kafka Streams, so a key needs neither `Hash` nor `Eq` nor `Clone`.
//! Keys of up to 16 bytes lie in the cell itself. An ordered index exists from the first range query on.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::Bound;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::cache::EntryId;
use crate::record::Timestamp;

/// The bytes of a key.
pub(super) type KeyBytes = SmallVec<[u8; 16]>;

/// The bytes of a key in the ordered index. Keys of windows and sessions lie in the index itself: a way down through it that
/// looks elsewhere for each comparison costs many times as much.
pub(super) type OrderedKey = SmallVec<[u8; 32]>;

/// A row in memory. A cell without value is a row that is not there.
pub(super) struct Cell<V> {
    pub(super) key: KeyBytes,
    pub(super) value: Option<V>,
    pub(super) timestamp: Timestamp,
    /// Changed since the changelog last had it.
    pub(super) unlogged: bool,
    /// Changed since the bytes below last had it.
    pub(super) unflushed: bool,
    /// Changed since the published rows last had it.
    pub(super) unpublished: bool,
    /// Used since the last sweep.
    pub(super) used: bool,
    /// Its entry in the store's cache.
    pub(super) entry: Option<EntryId>,
}

impl<V> Cell<V> {
    pub(super) fn new(key: KeyBytes, value: Option<V>, timestamp: Timestamp) -> Self {
        Cell { key, value, timestamp, unlogged: false, unflushed: false, unpublished: false, used: true, entry: None }
    }

    /// Whether the changelog, the bytes below, readers or the cache still have to do with it.
    pub(super) fn is_owed(&self) -> bool {
        self.unlogged || self.unflushed || self.unpublished || self.entry.is_some()
    }
}

/// The cells of a store.
pub(super) struct Cells<V> {
    cells: Vec<Cell<V>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    order: Option<BTreeMap<OrderedKey, u32>>,
    // Keys come from outside, so the seed is a random one. No order of hashes shows anywhere.
    hash: foldhash::fast::RandomState,
}

impl<V> Cells<V> {
    pub(super) fn new() -> Self {
        Cells {
            cells: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            order: None,
            hash: foldhash::fast::RandomState::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> &Cell<V> {
        &self.cells[id as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> &mut Cell<V> {
        &mut self.cells[id as usize]
    }

    fn hash(state: &foldhash::fast::RandomState, key: &[u8]) -> u64 {
        let mut hasher = state.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = Self::hash(&self.hash, key);
        self.index.find(hash, |id| are_equal(&self.cells[*id as usize].key, key)).copied()
    }

    /// Adds a cell whose key is not there yet.
    pub(super) fn insert(&mut self, cell: Cell<V>) -> u32 {
        let hash = Self::hash(&self.hash, &cell.key);
        if let Some(order) = &mut self.order {
            order.insert(
                OrderedKey::from_slice(&cell.key),
                self.free.last().copied().unwrap_or(Self::id(self.cells.len())),
            );
        }
        let id = match self.free.pop() {
            Some(id) => {
                self.cells[id as usize] = cell;
                id
            }
            None => {
                self.cells.push(cell);
                Self::id(self.cells.len() - 1)
            }
        };
        let (cells, state) = (&self.cells, &self.hash);
        self.index.insert_unique(hash, id, |id| Self::hash(state, &cells[*id as usize].key));
        id
    }

    /// The cells that have a value, in no order.
    pub(super) fn filled(&self) -> Vec<u32> {
        self.index.iter().copied().filter(|id| self.get(*id).value.is_some()).collect()
    }

    /// Sorts cells by their keys. What is compared nearly always lies in the sorted list itself: looking at two cells for each
    /// comparison would be most of the time that a commit of many rows takes.
    pub(super) fn sort(&self, ids: &mut [u32]) {
        let mut all: Vec<(u128, u32)> = ids.iter().map(|id| (beginning(&self.get(*id).key), *id)).collect();
        all.sort_unstable_by(|(a, one), (b, other)| {
            a.cmp(b).then_with(|| self.get(*one).key.cmp(&self.get(*other).key))
        });
        ids.iter_mut().zip(all).for_each(|(id, (_, sorted))| *id = sorted);
    }

    fn id(index: usize) -> u32 {
        u32::try_from(index).expect("a task's store has fewer than 2^32 rows in memory")
    }

    /// Removes a cell.
    pub(super) fn remove(&mut self, id: u32) {
        let key = std::mem::take(&mut self.cells[id as usize].key);
        let hash = Self::hash(&self.hash, &key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        if let Some(order) = &mut self.order {
            order.remove::<[u8]>(&key);
        }
        self.cells[id as usize].value = None;
        self.free.push(id);
    }

    /// The next cell with a value from place `at` on, around the end, and the place behind it. It does not search long.
    pub(super) fn next_filled(&self, at: usize) -> Option<(usize, &Cell<V>)> {
        const PLACES: usize = 16;
        let places = (0..PLACES.min(self.cells.len())).map(|step| (at + step) % self.cells.len());
        places.map(|place| (place + 1, &self.cells[place])).find(|(_, cell)| cell.value.is_some())
    }

    /// Removes the cells for which `leave` holds.
    pub(super) fn remove_where(&mut self, mut leave: impl FnMut(&mut Cell<V>) -> bool) {
        let ids: Vec<u32> = self.index.iter().copied().collect();
        for id in ids {
            if leave(&mut self.cells[id as usize]) {
                self.remove(id);
            }
        }
    }

    /// The cells whose keys lie before `floor`.
    pub(super) fn before(&self, floor: &[u8]) -> Vec<u32> {
        match &self.order {
            Some(order) => {
                order.range::<[u8], _>((Bound::Unbounded, Bound::Excluded(floor))).map(|(_, id)| *id).collect()
            }
            None => self.index.iter().copied().filter(|id| self.cells[*id as usize].key.as_slice() < floor).collect(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.cells.clear();
        self.free.clear();
        self.index.clear();
        self.order = None;
    }

    /// The cells' keys in order; made at the first call and kept up to date from then on.
    pub(super) fn order(&mut self) -> &BTreeMap<OrderedKey, u32> {
        let (index, cells) = (&self.index, &self.cells);
        self.order.get_or_insert_with(|| {
            index.iter().map(|id| (OrderedKey::from_slice(&cells[*id as usize].key), *id)).collect()
        })
    }

    /// As `order`, without making it.
    pub(super) fn order_made(&self) -> Option<&BTreeMap<OrderedKey, u32>> {
        self.order.as_ref()
    }
}

/// Whether keys are equal. Those of the usual lengths are compared without a call: their first and their last eight bytes.
#[inline]
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match (one.first_chunk::<8>(), other.first_chunk::<8>(), one.last_chunk::<8>(), other.last_chunk::<8>()) {
        (Some(first), Some(other_first), Some(last), Some(other_last)) if one.len() <= 16 => {
            first == other_first && last == other_last
        }
        _ => one == other,
    }
}

/// The first bytes of a key, in their order; equal for keys that go on differently.
fn beginning(key: &[u8]) -> u128 {
    let (mut bytes, length) = ([0; 16], key.len().min(16));
    bytes[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(bytes)
}
