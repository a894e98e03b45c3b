//! The rows of a key of windows together: a run for each key, in the order of times.
//!
//! Rule: a row's key is the number of a segment, the key's own bytes, and a tail that begins with the time that the segment
//! follows from. So within a run the order of tails is that of whole keys, a cell keeps its tail alone, and the key's own
//! bytes are there once.

use std::cmp::Ordering;
use std::ops::{Deref, RangeInclusive};

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::cells::{KeyBytes, are_equal, push_slowly};
use super::segments::PREFIX;

/// How the keys of a store of windows are put together.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentedKeys {
    /// Bytes behind the key's own.
    pub(super) tail: usize,
    /// How long a segment is, in milliseconds.
    pub(super) interval: i64,
}

impl SegmentedKeys {
    /// The key's own bytes and its tail.
    #[inline]
    pub(super) fn split(self, key: &[u8]) -> (&[u8], &[u8]) {
        let (front, tail) = key.split_at(key.len() - self.tail);
        (&front[PREFIX..], tail)
    }

    /// The number of the segment of a row with this tail, as keys begin with it.
    fn prefix(self, tail: &[u8]) -> [u8; PREFIX] {
        let time = tail.first_chunk().map_or(0, |time| i64::from_be_bytes(*time));
        (time.max(0) / self.interval).to_be_bytes()
    }
}

/// The bytes of a row's key.
pub(super) enum RowKey<'a> {
    /// As they lie in its cell.
    Stored(&'a [u8]),
    /// Put together.
    Joined(SmallVec<[u8; 64]>),
}

impl Deref for RowKey<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            RowKey::Stored(bytes) => bytes,
            RowKey::Joined(bytes) => bytes,
        }
    }
}

/// A tail as a number, in the order of tails. They have 8 bytes at least and 16 at most.
#[inline]
pub(super) fn rank(tail: &[u8]) -> (u64, u64) {
    let number = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes));
    // The last eight bytes of a shorter one begin within the first eight, which are equal when it comes to them.
    (number(tail.first_chunk()), number(tail.last_chunk()))
}

/// The rows of one key.
struct Run {
    own: KeyBytes,
    /// Their cells, in the order of tails.
    rows: SmallVec<[u32; 4]>,
}

/// The runs of a store.
pub(super) struct Runs {
    pub(super) keys: SegmentedKeys,
    runs: Vec<Run>,
    free: Vec<u32>,
    index: HashTable<u32>,
}

/// How far from the end a row is looked for one by one: times mostly move on.
const NEAR: usize = 4;

/// The place of a tail among rows.
#[inline]
fn search(rows: &[u32], mut compare: impl FnMut(u32) -> Ordering) -> Result<usize, usize> {
    let near = rows.len().saturating_sub(NEAR);
    for place in (near..rows.len()).rev() {
        match compare(rows[place]) {
            Ordering::Less => return Err(place + 1),
            Ordering::Equal => return Ok(place),
            Ordering::Greater => {}
        }
    }
    rows[..near].binary_search_by(|row| compare(*row))
}

impl Runs {
    pub(super) fn new(keys: SegmentedKeys) -> Self {
        Runs { keys, runs: Vec::new(), free: Vec::new(), index: HashTable::new() }
    }

    /// The run of a key, by its own bytes and their hash.
    #[inline]
    fn run_of(&self, hash: u64, own: &[u8]) -> Option<u32> {
        self.index.find(hash, |run| are_equal(&self.runs[*run as usize].own, own)).copied()
    }

    /// The cell of a row; `tail_of` gives those of cells.
    #[inline]
    pub(super) fn find<'c>(
        &self,
        hash: u64,
        (own, tail): (&[u8], &[u8]),
        tail_of: impl Fn(u32) -> &'c [u8],
    ) -> Option<u32> {
        let rows = self.rows(hash, own);
        let wanted = rank(tail);
        search(rows, |row| rank(tail_of(row)).cmp(&wanted)).ok().map(|place| rows[place])
    }

    /// The cells of a key's rows, in the order of their tails.
    #[inline]
    pub(super) fn rows(&self, hash: u64, own: &[u8]) -> &[u32] {
        self.run_of(hash, own).map_or(&[], |run| &self.runs[run as usize].rows)
    }

    /// Adds the cell of a row that is not there yet. Gives its run.
    pub(super) fn insert<'c>(
        &mut self,
        cell: u32,
        hash: u64,
        (own, tail): (&[u8], &[u8]),
        tail_of: impl Fn(u32) -> &'c [u8],
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> u32 {
        let number = self.run_of(hash, own).unwrap_or_else(|| self.add_run(hash, own, hash_of));
        let rows = &mut self.runs[number as usize].rows;
        let wanted = rank(tail);
        let place = search(rows, |row| rank(tail_of(row)).cmp(&wanted)).unwrap_or_else(|place| place);
        rows.insert(place, cell);
        number
    }

    fn add_run(&mut self, hash: u64, own: &[u8], hash_of: impl Fn(&[u8]) -> u64) -> u32 {
        let run = Run { own: KeyBytes::from_slice(own), rows: SmallVec::new() };
        let number = match self.free.pop() {
            Some(number) => {
                self.runs[number as usize] = run;
                number
            }
            None => {
                push_slowly(&mut self.runs, run);
                u32::try_from(self.runs.len() - 1).expect("a store has fewer runs than rows")
            }
        };
        let runs = &self.runs;
        self.index.insert_unique(hash, number, |run| hash_of(&runs[*run as usize].own));
        number
    }

    /// The bytes of a row's key.
    pub(super) fn key(&self, run: u32, tail: &[u8]) -> RowKey<'_> {
        let mut key = SmallVec::new();
        key.extend_from_slice(&self.keys.prefix(tail));
        key.extend_from_slice(&self.runs[run as usize].own);
        key.extend_from_slice(tail);
        RowKey::Joined(key)
    }

    /// Removes the row with a tail from a run, and the run with its last row.
    pub(super) fn remove<'c>(
        &mut self,
        run: u32,
        tail: &[u8],
        tail_of: impl Fn(u32) -> &'c [u8],
        hash_of: impl Fn(&[u8]) -> u64,
    ) {
        let wanted = rank(tail);
        let rows = &mut self.runs[run as usize].rows;
        if let Ok(place) = search(rows, |row| rank(tail_of(row)).cmp(&wanted)) {
            rows.remove(place);
        }
        self.remove_if_empty(run, hash_of);
    }

    /// Removes the rows of a run that do not `stay`, and the run with its last row.
    pub(super) fn retain(&mut self, run: u32, stay: impl Fn(u32) -> bool, hash_of: impl Fn(&[u8]) -> u64) {
        self.runs[run as usize].rows.retain(|row| stay(*row));
        self.remove_if_empty(run, hash_of);
    }

    fn remove_if_empty(&mut self, number: u32, hash_of: impl Fn(&[u8]) -> u64) {
        let run = &mut self.runs[number as usize];
        if !run.rows.is_empty() {
            return;
        }
        let hash = hash_of(&std::mem::take(&mut run.own));
        run.rows = SmallVec::new();
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == number) {
            entry.remove();
            self.free.push(number);
        }
    }

    /// All rows, those of a key together.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> {
        self.runs.iter().flat_map(|run| run.rows.iter().copied())
    }

    /// The rows of segments before one, those of a key together in the order of times.
    pub(super) fn before<'c>(
        &self,
        segment: [u8; PREFIX],
        tail_of: impl Fn(u32) -> &'c [u8] + Copy,
    ) -> impl Iterator<Item = u32> {
        let keys = self.keys;
        let leaves = move |row: &u32| keys.prefix(tail_of(*row)) < segment;
        self.runs.iter().flat_map(move |run| run.rows.iter().copied().take_while(leaves))
    }

    /// Bytes that the runs take besides the cells.
    pub(super) fn memory(&self) -> usize {
        self.runs.capacity() * size_of::<Run>() + self.index.capacity() * size_of::<u32>() * 2
    }

    pub(super) fn clear(&mut self) {
        *self = Runs::new(self.keys);
    }
}

/// Those of a run's rows whose tails lie in a range.
#[inline]
pub(super) fn rows_within<'r, 'c>(
    rows: &'r [u32],
    tails: &RangeInclusive<(u64, u64)>,
    tail_of: impl Fn(u32) -> &'c [u8],
) -> &'r [u32] {
    let to = search(rows, |row| rank(tail_of(row)).cmp(tails.end())).map_or_else(|place| place, |place| place + 1);
    let from = search(&rows[..to], |row| rank(tail_of(row)).cmp(tails.start())).unwrap_or_else(|place| place);
    &rows[from..to]
}
