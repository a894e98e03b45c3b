//! One row in memory, in as few bytes as it can be kept in: there are as many of these as there are rows.
//!
//! Keys of up to 16 bytes lie in the cell itself, and what is known of a row is a bit each. What few stores have, such as
//! long keys, entries of a cache and headers, lies beside the cells.

use crate::record::Timestamp;

/// Bytes of a key that lie in the cell.
pub(super) const INLINE: usize = 16;

/// The length that stands for a key which lies elsewhere.
const ELSEWHERE: u8 = u8::MAX;

/// Keys that are too long for their cells.
#[derive(Default)]
pub(super) struct LongKeys {
    keys: Vec<Box<[u8]>>,
    free: Vec<u32>,
}

impl LongKeys {
    fn add(&mut self, key: &[u8]) -> u32 {
        match self.free.pop() {
            Some(place) => {
                self.keys[place as usize] = key.into();
                place
            }
            None => {
                self.keys.push(key.into());
                u32::try_from(self.keys.len() - 1).expect("a store has no more long keys than cells")
            }
        }
    }

    fn remove(&mut self, place: u32) {
        self.keys[place as usize] = Box::default();
        self.free.push(place);
    }
}

/// Something that is known of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Changed since the changelog last had it.
    Unlogged = 1,
    /// Changed since the bytes below last had it.
    Unflushed = 2,
    /// Changed since the published rows last had it.
    Unpublished = 4,
    /// The store's cache has an entry of it.
    Cached = 8,
    /// Used since the last sweep.
    Used = 16,
    /// On the list of those that may have to go because they have no value.
    Emptied = 32,
    /// On its way out.
    Leaves = 64,
}

/// Those that somebody still has to do with the row for.
const OWED: u8 = Mark::Unlogged as u8 | Mark::Unflushed as u8 | Mark::Unpublished as u8 | Mark::Cached as u8;

/// A row in memory. A cell without value is a row that is not there.
pub(super) struct Cell<V> {
    /// All of the key, or, where rows lie in runs, its tail; of a longer key nothing.
    key: [u8; INLINE],
    pub(super) value: Option<V>,
    pub(super) timestamp: Timestamp,
    /// Where rows lie in runs, the number of the row's own; else the place of a key that lies elsewhere.
    place: u32,
    key_len: u8,
    marks: u8,
}

impl<V> Cell<V> {
    /// A cell of a row that was just used. The run is that of rows in runs, and their keys, which are tails, are short.
    #[inline]
    pub(super) fn new(key: &[u8], run: Option<u32>, long: &mut LongKeys, row: (Option<V>, Timestamp)) -> Self {
        let mut inline = [0; INLINE];
        let (key_len, place) = match inline.get_mut(..key.len()) {
            Some(bytes) => {
                bytes.copy_from_slice(key);
                (u8::try_from(key.len()).unwrap_or(ELSEWHERE), run.unwrap_or(0))
            }
            None => (ELSEWHERE, long.add(key)),
        };
        Cell { key: inline, value: row.0, timestamp: row.1, place, key_len, marks: Mark::Used as u8 }
    }

    /// Lets go of key and value, so that the cell can be another row's.
    pub(super) fn empty(&mut self, long: &mut LongKeys) {
        if self.key_len == ELSEWHERE {
            long.remove(self.place);
        }
        (self.key_len, self.value) = (0, None);
    }

    /// The key, or what of it lies here.
    #[inline]
    pub(super) fn key<'a>(&'a self, long: &'a LongKeys) -> &'a [u8] {
        if self.key_len == ELSEWHERE { &long.keys[self.place as usize] } else { self.tail() }
    }

    /// The key of a row in a run.
    #[inline]
    pub(super) fn tail(&self) -> &[u8] {
        self.key.get(..usize::from(self.key_len)).unwrap_or_default()
    }

    /// The number of the run that the row lies in, where rows do.
    #[inline]
    pub(super) fn run(&self) -> u32 {
        self.place
    }

    /// Bytes of the key that do not lie in the cell itself.
    pub(super) fn key_bytes_elsewhere(&self, long: &LongKeys) -> usize {
        if self.key_len == ELSEWHERE { size_of::<Box<[u8]>>() + self.key(long).len() } else { 0 }
    }

    /// Whether a mark is set.
    #[inline]
    pub(super) fn is(&self, mark: Mark) -> bool {
        self.marks & mark as u8 != 0
    }

    /// Sets a mark. Gives whether it was not set before.
    #[inline]
    pub(super) fn set(&mut self, mark: Mark) -> bool {
        let was = self.is(mark);
        self.marks |= mark as u8;
        !was
    }

    /// Takes a mark away. Gives whether it was set.
    #[inline]
    pub(super) fn unset(&mut self, mark: Mark) -> bool {
        let was = self.is(mark);
        self.marks &= !(mark as u8);
        was
    }

    /// Whether the changelog, the bytes below, readers or the cache still have to do with it.
    #[inline]
    pub(super) fn is_owed(&self) -> bool {
        self.marks & OWED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_number_takes_48_bytes() {
        assert_eq!(size_of::<Cell<i64>>(), 48);
    }

    #[test]
    fn keys_of_all_lengths_are_kept_and_their_places_used_again() {
        let mut long = LongKeys::default();
        for _ in 0..3 {
            let keys: Vec<Vec<u8>> = (0..300).map(|len| vec![7; len]).collect();
            let mut cells: Vec<Cell<()>> =
                keys.iter().map(|key| Cell::new(key, None, &mut long, (None, Timestamp::ZERO))).collect();
            assert!(cells.iter().zip(&keys).all(|(cell, key)| cell.key(&long) == *key));
            cells.iter_mut().for_each(|cell| cell.empty(&mut long));
        }
        assert_eq!((long.keys.len(), long.free.len()), (300 - INLINE - 1, 300 - INLINE - 1));
    }

    #[test]
    fn marks_are_set_one_by_one() {
        let mut cell: Cell<()> = Cell::new(b"a", Some(3), &mut LongKeys::default(), (None, Timestamp::ZERO));
        assert!(cell.is(Mark::Used) && !cell.is_owed());
        assert!(cell.set(Mark::Unflushed) && !cell.set(Mark::Unflushed) && cell.is_owed());
        assert!(cell.unset(Mark::Unflushed) && !cell.unset(Mark::Unflushed) && !cell.is_owed());
        assert_eq!((cell.tail(), cell.run()), (&b"a"[..], 3));
    }
}
