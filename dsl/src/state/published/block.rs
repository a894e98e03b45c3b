//! Rows packed one behind another, sorted by key: cheap to build, to copy and to search.
//!
//! ```text
//! row      key_len u32 | value_len u32 | time i64 | key | value      little-endian; a value_len of u32::MAX: deleted
//! ```

use crate::record::Timestamp;

const HEAD: usize = 16;
const DELETED: u32 = u32::MAX;

/// A row in a block, or in one of the blocks of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackedRow<'a> {
    pub(super) key: &'a [u8],
    /// `None`: the row is gone.
    pub(super) value: Option<&'a [u8]>,
    pub(super) timestamp: Timestamp,
}

/// Sorted rows, no key twice.
#[derive(Clone, Debug, Default)]
pub(in crate::state) struct RowBlock {
    bytes: Vec<u8>,
    /// Where each row begins.
    starts: Vec<u32>,
}

impl RowBlock {
    pub(super) fn with_capacity(rows: usize, bytes: usize) -> Self {
        RowBlock { bytes: Vec::with_capacity(bytes), starts: Vec::with_capacity(rows) }
    }

    /// Adds rows of another block behind all others, until this one has `size_max` bytes; at least one, if there is one.
    /// Gives the place of the first row that was not added.
    pub(super) fn push_rows(&mut self, from: &RowBlock, rows: std::ops::Range<usize>, size_max: usize) -> usize {
        if rows.is_empty() {
            return rows.end;
        }
        let start = from.starts[rows.start] as usize;
        let room = size_max.saturating_sub(self.size());
        let taken = |row: usize| from.end_of(row) - start + (row + 1 - rows.start) * size_of::<u32>();
        let (mut low, mut high) = (1, rows.len());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if taken(rows.start + middle - 1) <= room { low = middle } else { high = middle - 1 }
        }
        let end = rows.start + low;
        // Lengths below 4 GiB, so the sum is checked once for all.
        let (own, bytes) = (self.bytes.len(), &from.bytes[start..from.end_of(end - 1)]);
        length(own + bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.starts.extend(from.starts[rows.start..end].iter().map(|row| row - start as u32 + own as u32));
        end
    }

    /// Adds a row behind all others; `write` appends its value, or says `false` where there is none.
    pub(in crate::state) fn push_with<E>(
        &mut self,
        key: &[u8],
        timestamp: Timestamp,
        write: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        debug_assert!(
            self.is_empty() || self.row(self.len() - 1).key < key,
            "rows are pushed in the order of their keys"
        );
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&length(key.len()).to_le_bytes());
        self.bytes.extend_from_slice(&DELETED.to_le_bytes());
        self.bytes.extend_from_slice(&timestamp.as_millis().to_le_bytes());
        self.bytes.extend_from_slice(key);
        let value = self.bytes.len();
        if write(&mut self.bytes)? {
            let written = length(self.bytes.len() - value);
            self.bytes[start + 4..start + 8].copy_from_slice(&written.to_le_bytes());
        }
        self.starts.push(length(start));
        Ok(())
    }

    /// The same without much room for more rows.
    pub(super) fn fitted(mut self) -> Self {
        if self.bytes.capacity() > self.bytes.len() + self.bytes.len() / 4 {
            self.bytes.shrink_to_fit();
            self.starts.shrink_to_fit();
        }
        self
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// How many bytes the rows take.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.starts.len() * size_of::<u32>()
    }

    pub(super) fn row(&self, index: usize) -> PackedRow<'_> {
        let row = &self.bytes[self.starts[index] as usize..];
        let word = |at: usize| u32::from_le_bytes(row[at..at + 4].try_into().expect("four bytes"));
        let (key, value) = (HEAD + word(0) as usize, word(4));
        let millis = i64::from_le_bytes(row[8..HEAD].try_into().expect("eight bytes"));
        PackedRow {
            key: &row[HEAD..key],
            value: (value != DELETED).then(|| &row[key..key + value as usize]),
            timestamp: Timestamp::from_millis(millis),
        }
    }

    /// How many bytes these rows take.
    pub(super) fn size_of_rows(&self, rows: &std::ops::Range<usize>) -> usize {
        if rows.is_empty() {
            return 0;
        }
        self.end_of(rows.end - 1) - self.starts[rows.start] as usize + rows.len() * size_of::<u32>()
    }

    /// Where the bytes of a row end.
    fn end_of(&self, index: usize) -> usize {
        self.starts.get(index + 1).map_or(self.bytes.len(), |next| *next as usize)
    }

    /// The place of the first row whose key is `key` or greater.
    pub(super) fn lower_bound(&self, key: &[u8]) -> usize {
        self.first_where(|row| row >= key)
    }

    /// The place of the first row whose key is greater than `key`.
    pub(super) fn upper_bound(&self, key: &[u8]) -> usize {
        self.first_where(|row| row > key)
    }

    fn first_where(&self, holds: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if holds(self.row(middle).key) { high = middle } else { low = middle + 1 }
        }
        low
    }
}

/// A length in a block. Blocks are the changes of one commit or a few thousand bytes, so this is a commit of 4 GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes)
        .ok()
        .filter(|length| *length != DELETED)
        .expect("a store changes by less than 4 GiB in a commit")
}
