//! Typed rows in memory, found by the bytes of their key.
//!
//! Equality of keys is that of their bytes, as in Kafka Streams, so a key needs neither `Hash` nor `Eq` nor `Clone`.
//! An ordered index exists from the first range query on.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::cache::EntryId;
use super::cell::{Cell, LongKeys, Mark};
use super::ordered_key::OrderedKey;
use super::runs::{RowKey, Runs, SegmentedKeys};
use super::segments::PREFIX;
use crate::record::Timestamp;

/// The bytes of a key, in the order of times and of a run.
pub(super) type KeyBytes = SmallVec<[u8; 16]>;

/// What finds a cell.
enum Index {
    /// The hash of the whole key.
    Keys(HashTable<u32>),
    /// The key's run.
    Runs(Runs),
}

/// The cells of a store.
pub(super) struct Cells<V> {
    cells: Vec<Cell<V>>,
    long: LongKeys,
    /// The entries that the store's cache has of cells, by their numbers; of others none.
    entries: Vec<Option<EntryId>>,
    free: Vec<u32>,
    index: Index,
    order: Option<BTreeMap<OrderedKey, u32>>,
    // Keys come from outside, so the seed is a random one. No order of hashes shows anywhere.
    hash: foldhash::fast::RandomState,
}

fn hash(state: &foldhash::fast::RandomState, key: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(key);
    hasher.finish()
}

impl<V> Cells<V> {
    pub(super) fn new() -> Self {
        Cells::found_by(Index::Keys(HashTable::new()))
    }

    /// Cells of rows that lie in runs.
    pub(super) fn in_runs(keys: SegmentedKeys) -> Self {
        Cells::found_by(Index::Runs(Runs::new(keys)))
    }

    fn found_by(index: Index) -> Self {
        let hash = foldhash::fast::RandomState::default();
        let (cells, long, entries) = (Vec::new(), LongKeys::default(), Vec::new());
        Cells { cells, long, entries, free: Vec::new(), index, order: None, hash }
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len() - self.free.len()
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> &Cell<V> {
        &self.cells[id as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> &mut Cell<V> {
        &mut self.cells[id as usize]
    }

    /// The entry that the store's cache has of a cell.
    #[inline]
    pub(super) fn entry(&self, id: u32) -> Option<EntryId> {
        self.entries.get(id as usize).copied().flatten()
    }

    /// Says which entry the store's cache has of a cell.
    pub(super) fn set_entry(&mut self, id: u32, entry: Option<EntryId>) {
        let place = id as usize;
        match (entry, self.entries.get_mut(place)) {
            (None, None) => return,
            (_, Some(known)) => *known = entry,
            (_, None) => {
                self.entries.resize(place, None);
                self.entries.push(entry);
            }
        }
        let cell = self.get_mut(id);
        if entry.is_some() {
            cell.set(Mark::Cached)
        } else {
            cell.unset(Mark::Cached)
        };
    }

    /// Bytes of a cell's key that do not lie in the cell itself.
    pub(super) fn key_bytes_elsewhere(&self, cell: &Cell<V>) -> usize {
        cell.key_bytes_elsewhere(&self.long)
    }

    /// All cells, those without a row too, by their numbers.
    #[inline]
    pub(super) fn all_cells(&self) -> &[Cell<V>] {
        &self.cells
    }

    /// The bytes of a cell's key.
    pub(super) fn key(&self, id: u32) -> RowKey<'_> {
        let cell = self.get(id);
        match &self.index {
            Index::Keys(_) => RowKey::Stored(cell.key(&self.long)),
            Index::Runs(runs) => runs.key(cell.run(), cell.tail()),
        }
    }

    /// The end of a cell's key, with its times where rows lie in runs.
    #[inline]
    pub(super) fn tail(&self, id: u32) -> &[u8] {
        self.get(id).tail()
    }

    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Option<u32> {
        let (cells, long) = (&self.cells, &self.long);
        match &self.index {
            Index::Keys(index) => {
                let hash = hash(&self.hash, key);
                index.find(hash, |id| are_equal(cells[*id as usize].key(long), key)).copied()
            }
            Index::Runs(runs) => {
                let (own, tail) = runs.keys.split(key);
                runs.find(hash(&self.hash, own), (own, tail), tails(cells))
            }
        }
    }

    /// The cells of a key's rows in the order of their tails, where rows lie in runs.
    #[inline]
    pub(super) fn run(&self, own: &[u8]) -> &[u32] {
        match &self.index {
            Index::Keys(_) => &[],
            Index::Runs(runs) => runs.rows(hash(&self.hash, own), own),
        }
    }

    /// Adds a cell whose key is not there yet.
    pub(super) fn insert(&mut self, key: &[u8], value: Option<V>, timestamp: Timestamp) -> u32 {
        let id = self.free.last().copied().unwrap_or_else(|| {
            u32::try_from(self.cells.len()).expect("a task's store has fewer than 2^32 rows in memory")
        });
        let (cells, long, state) = (&self.cells, &self.long, &self.hash);
        let (stored, run) = match &mut self.index {
            Index::Keys(index) => {
                index.insert_unique(hash(state, key), id, |id| hash(state, cells[*id as usize].key(long)));
                (key, None)
            }
            Index::Runs(runs) => {
                let (own, tail) = runs.keys.split(key);
                (tail, Some(runs.insert(id, hash(state, own), (own, tail), tails(cells), |own| hash(state, own))))
            }
        };
        let cell = Cell::new(stored, run, &mut self.long, (value, timestamp));
        match self.free.pop() {
            Some(id) => self.cells[id as usize] = cell,
            None => push_slowly(&mut self.cells, cell),
        }
        if let Some(order) = &mut self.order {
            order.insert(OrderedKey::new(key), id);
        }
        id
    }

    /// All cells, in no order.
    fn all(&self) -> Vec<u32> {
        match &self.index {
            Index::Keys(index) => index.iter().copied().collect(),
            Index::Runs(runs) => runs.all().collect(),
        }
    }

    /// The cells that have a value, in no order.
    pub(super) fn filled(&self) -> Vec<u32> {
        let mut filled = self.all();
        filled.retain(|id| self.get(*id).value.is_some());
        filled
    }

    /// Sorts cells by their keys. What is compared nearly always lies in the sorted list itself: looking at two cells for each
    /// comparison would be most of the time that a commit of many rows takes.
    pub(super) fn sort(&self, ids: &mut [u32]) {
        let mut all: Vec<(u128, u32)> = ids.iter().map(|id| (beginning(&self.key(*id)), *id)).collect();
        all.sort_unstable_by(|(a, one), (b, other)| a.cmp(b).then_with(|| self.key(*one).cmp(&self.key(*other))));
        ids.iter_mut().zip(all).for_each(|(id, (_, sorted))| *id = sorted);
    }

    /// Removes a cell.
    pub(super) fn remove(&mut self, id: u32) {
        self.leave_order(id);
        let (cells, long, state) = (&self.cells, &self.long, &self.hash);
        let cell = &cells[id as usize];
        match &mut self.index {
            Index::Keys(index) => {
                if let Ok(entry) = index.find_entry(hash(state, cell.key(long)), |other| *other == id) {
                    entry.remove();
                }
            }
            Index::Runs(runs) => runs.remove(cell.run(), cell.tail(), tails(cells), |own| hash(state, own)),
        }
        self.free(id);
    }

    fn leave_order(&mut self, id: u32) {
        if let Some(mut order) = self.order.take() {
            order.remove(&OrderedKey::new(&self.key(id)));
            self.order = Some(order);
        }
    }

    fn free(&mut self, id: u32) {
        self.set_entry(id, None);
        self.cells[id as usize].empty(&mut self.long);
        self.free.push(id);
    }

    /// Removes cells. Where many of one run go, one after another in the list, the run is gone through once.
    pub(super) fn remove_all(&mut self, ids: &[u32]) {
        if matches!(self.index, Index::Keys(_)) {
            ids.iter().for_each(|id| self.remove(*id));
            return;
        }
        let mut rest = ids;
        while let Some(first) = rest.first() {
            let run = self.get(*first).run();
            let count = rest.iter().take_while(|id| self.get(**id).run() == run).count();
            let (together, others) = rest.split_at(count);
            self.remove_together(together);
            rest = others;
        }
    }

    fn remove_together(&mut self, ids: &[u32]) {
        if let [id] = ids {
            return self.remove(*id);
        }
        for id in ids {
            self.leave_order(*id);
            self.get_mut(*id).set(Mark::Leaves);
        }
        let (cells, state) = (&self.cells, &self.hash);
        if let (Index::Runs(runs), Some(first)) = (&mut self.index, ids.first()) {
            let stays = |id: u32| !cells[id as usize].is(Mark::Leaves);
            runs.retain(cells[*first as usize].run(), stays, |own| hash(state, own));
        }
        ids.iter().for_each(|id| self.free(*id));
    }

    /// The next cell with a value from place `at` on, around the end, and the place behind it. It does not search long.
    pub(super) fn next_filled(&self, at: usize) -> Option<(usize, &Cell<V>)> {
        const PLACES: usize = 16;
        let places = (0..PLACES.min(self.cells.len())).map(|step| (at + step) % self.cells.len());
        places.map(|place| (place + 1, &self.cells[place])).find(|(_, cell)| cell.value.is_some())
    }

    /// Removes the cells for which `leave` holds.
    pub(super) fn remove_where(&mut self, mut leave: impl FnMut(&mut Cell<V>) -> bool) {
        let mut ids = self.all();
        ids.retain(|id| leave(&mut self.cells[*id as usize]));
        self.remove_all(&ids);
    }

    /// The cells whose keys lie before `floor`, the number of a segment.
    pub(super) fn before(&self, floor: [u8; PREFIX]) -> Vec<u32> {
        match &self.index {
            Index::Keys(_) => self.all().into_iter().filter(|id| *self.key(*id) < floor[..]).collect(),
            Index::Runs(runs) => runs.before(floor, tails(&self.cells)).collect(),
        }
    }

    /// Bytes that what finds cells takes, where that is not a fixed number for each.
    pub(super) fn index_memory(&self) -> usize {
        match &self.index {
            Index::Keys(_) => 0,
            Index::Runs(runs) => runs.memory(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.cells.clear();
        self.entries.clear();
        self.long = LongKeys::default();
        self.free.clear();
        match &mut self.index {
            Index::Keys(index) => index.clear(),
            Index::Runs(runs) => runs.clear(),
        }
        self.order = None;
    }

    /// The cells' keys in order; made at the first call and kept up to date from then on.
    pub(super) fn order(&mut self) -> &BTreeMap<OrderedKey, u32> {
        if self.order.is_none() {
            let entry = |id: u32| (OrderedKey::new(&self.key(id)), id);
            self.order = Some(self.all().into_iter().map(entry).collect());
        }
        self.order.as_ref().expect("made in the lines above")
    }

    /// As `order`, without making it.
    pub(super) fn order_made(&self) -> Option<&BTreeMap<OrderedKey, u32>> {
        self.order.as_ref()
    }
}

/// Cells up to which their list doubles when it is full.
const DOUBLES_UP_TO: usize = 1 << 12;

/// Adds to a list that grows by an eighth when it is long: of many cells no more than so much lies unused.
pub(super) fn push_slowly<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() && list.len() >= DOUBLES_UP_TO {
        list.reserve_exact(list.len() / 8);
    }
    list.push(item);
}

/// Gives the tails of cells in runs.
#[inline]
pub(super) fn tails<'c, V>(cells: &'c [Cell<V>]) -> impl Fn(u32) -> &'c [u8] + Copy {
    |id| cells[id as usize].tail()
}

/// Whether keys are equal. Those of the usual lengths are compared without a call: their first and their last eight bytes.
#[inline]
pub(super) fn are_equal(one: &[u8], other: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::runs::rows_within;
    use super::*;

    const KEYS: SegmentedKeys = SegmentedKeys { tail: 12, interval: 10 };

    /// Segment, own bytes, time and number.
    fn key(own: &[u8], time: u8, number: u8) -> Vec<u8> {
        let segment = (i64::from(time) / KEYS.interval).to_be_bytes();
        let tail = [&i64::from(time).to_be_bytes()[..], &u32::from(number).to_be_bytes()].concat();
        [&segment[..], own, &tail].concat()
    }

    #[derive(Clone, Debug)]
    enum Op {
        Add(Vec<u8>),
        Remove(Vec<u8>),
        /// All of these segments and those before.
        Drop(u8),
    }

    fn any_op() -> impl Strategy<Value = Op> {
        let own = prop::sample::select(vec![&b""[..], b"a", b"ab", b"longer-than-sixteen-bytes"]);
        let key = (own, 0..40_u8, 0..2_u8).prop_map(|(own, time, number)| key(own, time, number));
        prop_oneof![6 => key.clone().prop_map(Op::Add), 2 => key.prop_map(Op::Remove), 1 => (0..4_u8).prop_map(Op::Drop)]
    }

    /// The keys of cells as all ways to them say.
    fn keys_of(cells: &Cells<u8>, all: &BTreeSet<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut filled = cells.filled();
        cells.sort(&mut filled);
        for key in all {
            let id = cells.find(key).expect("a cell that is there is found");
            assert!(filled.contains(&id) && *cells.key(id) == key[..]);
        }
        filled.into_iter().map(|id| cells.key(id).to_vec()).collect()
    }

    proptest! {
        #[test]
        fn cells_in_runs_are_those_that_a_set_of_keys_has(
            ops in prop::collection::vec(any_op(), 0..120),
            ordered_at in 0..120_usize,
        ) {
            let mut cells: [Cells<u8>; 2] = [Cells::new(), Cells::in_runs(KEYS)];
            let mut model = BTreeSet::new();
            for (number, op) in ops.iter().enumerate() {
                for cells in &mut cells {
                    if number == ordered_at {
                        cells.order();
                    }
                    match op {
                        Op::Add(key) if cells.find(key).is_none() => {
                            cells.insert(key, Some(1), Timestamp::ZERO);
                        }
                        Op::Add(_) => {}
                        Op::Remove(key) => cells.find(key).into_iter().for_each(|id| cells.remove(id)),
                        Op::Drop(segment) => {
                            let ids = cells.before((i64::from(*segment) + 1).to_be_bytes());
                            cells.remove_all(&ids);
                        }
                    }
                }
                match op {
                    Op::Add(key) => drop(model.insert(key.clone())),
                    Op::Remove(key) => drop(model.remove(key)),
                    Op::Drop(segment) => model.retain(|key| key[7] > *segment),
                }
                for cells in &mut cells {
                    prop_assert_eq!(cells.len(), model.len());
                    prop_assert_eq!(keys_of(cells, &model), model.iter().cloned().collect::<Vec<_>>());
                    if number >= ordered_at {
                        let order: Vec<Vec<u8>> = cells.order().keys().map(|key| key.as_slice().to_vec()).collect();
                        prop_assert_eq!(order, model.iter().cloned().collect::<Vec<_>>());
                    }
                }
                let within = rows_within(cells[1].run(b"ab"), &((5, 0)..=(15, u64::MAX)), tails(cells[1].all_cells()));
                let within: Vec<Vec<u8>> = within.iter().map(|id| cells[1].key(*id).to_vec()).collect();
                let expected = model.iter().filter(|key| key.len() == 22 && key[8..10] == *b"ab" && (5..=15).contains(&key[17]));
                prop_assert_eq!(within, expected.cloned().collect::<Vec<_>>());
            }
        }
    }
}
