//! Rows of all partitions as one commit left them.

use std::iter::Peekable;
use std::sync::Arc;

use tidemill_dsl::record::{Timestamp, partition_of};
use tidemill_dsl::state::{CommittedRows, CommittedWalk, Direction, KeyRange, RowBytes, Store};

use super::rows::{Row, range_of, typed};
use crate::error::{Error, ErrorKind};
use crate::runtime::Position;
use crate::runtime::committed::Snapshot;

/// The rows of a store as one commit left them, in all partitions, as bytes. What happens later does not change it; held
/// long, it keeps memory and old rows on disk from being freed.
#[derive(Clone)]
pub struct StoreSnapshot {
    parts: Arc<[CommittedRows]>,
    /// Which partitions they are, in their order.
    partitions: Arc<[u32]>,
    position: Arc<Position>,
    /// How many partitions the keys are spread over.
    spread: u32,
}

impl StoreSnapshot {
    pub(super) fn new(found: Snapshot, partitions: &[u32], spread: u32) -> Self {
        StoreSnapshot { parts: found.parts.into(), partitions: partitions.into(), position: found.position, spread }
    }

    /// How far the application's inputs were at that commit.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The row of a key, from the partition that records with its bytes go to by default.
    ///
    /// # Errors
    ///
    /// `Elsewhere` where the snapshot is of some partitions only (see [`TableQuery::local`](crate::TableQuery::local)) and that is not one of
    /// them; `Unavailable` or `Corrupt` when the row cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<(Vec<u8>, Timestamp)>, Error> {
        if self.spread == 0 {
            return Ok(None);
        }
        let partition = partition_of(key, self.spread);
        let part = self.partitions.binary_search(&partition).map_err(|_| not_in(partition))?;
        self.get_at(part, key)
    }

    /// The rows of each partition.
    pub(super) fn parts(&self) -> &[CommittedRows] {
        &self.parts
    }

    pub(super) fn get_at(&self, part: usize, key: &[u8]) -> Result<Option<(Vec<u8>, Timestamp)>, Error> {
        let mut value = Vec::new();
        let found = self.parts[part].get(key, &mut value)?;
        Ok(found.map(|timestamp| (value, timestamp)))
    }

    /// The rows of a range in the order of their keys' bytes. They are read from the snapshot page by page, as they are
    /// asked for.
    pub fn rows(&self, range: KeyRange, direction: Direction) -> impl Iterator<Item = Result<RowBytes, Error>> + use<> {
        MergedRows::new(&self.parts, range, direction)
    }

    /// About how many rows there are: exact in memory; on disk, rows that were changed or deleted may count twice.
    pub fn approximate_count(&self) -> u64 {
        self.parts.iter().map(CommittedRows::approximate_count).sum()
    }
}

fn not_in(partition: u32) -> Error {
    let message =
        format!("the snapshot has no rows of partition {partition}: it was taken of the partitions that were here");
    Error::new(ErrorKind::Elsewhere, message)
}

/// A key-value store as one commit left it, in all partitions. Reading waits for nobody; rows on disk may wait for the disk.
///
/// What happens later does not change it; held long, it keeps memory and old rows on disk from being freed.
pub struct TableSnapshot<K: 'static, V: 'static> {
    rows: StoreSnapshot,
    store: Store<K, V>,
}

impl<K: 'static, V: Send + 'static> TableSnapshot<K, V> {
    pub(super) fn new(rows: StoreSnapshot, store: &Store<K, V>) -> Self {
        TableSnapshot { rows, store: store.clone() }
    }

    /// How far the application's inputs were at that commit.
    pub fn position(&self) -> &Position {
        self.rows.position()
    }

    /// The value of a key.
    pub fn get(&self, key: impl Into<K>) -> Result<Option<V>, Error> {
        Ok(self.get_with_time(key)?.map(|(value, _)| value))
    }

    /// The value of a key and the time of its last update.
    pub fn get_with_time(&self, key: impl Into<K>) -> Result<Option<(V, Timestamp)>, Error> {
        let mut bytes = Vec::new();
        self.store.key_serde().write(&key.into(), &mut bytes)?;
        let row = self.rows.get(&bytes)?;
        row.map(|(value, time)| Ok((self.store.value_serde().read(&value)?, time))).transpose()
    }

    /// The rows from `from` to `to`, both included, in the order of the keys' bytes; an absent bound is open.
    pub fn range(&self, from: Option<K>, to: Option<K>, direction: Direction) -> Result<SnapshotRows<K, V>, Error> {
        Ok(self.walk(range_of(&self.store, from, to)?, direction))
    }

    /// The rows whose key's bytes begin with `prefix`, in the order of the keys' bytes.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>, direction: Direction) -> SnapshotRows<K, V> {
        self.walk(KeyRange::prefix(prefix.as_ref()), direction)
    }

    /// All rows in the order of the keys' bytes.
    pub fn all(&self, direction: Direction) -> SnapshotRows<K, V> {
        self.walk(KeyRange::ALL, direction)
    }

    /// About how many rows there are: exact in memory; on disk, rows that were changed or deleted may count twice.
    pub fn approximate_count(&self) -> u64 {
        self.rows.approximate_count()
    }

    fn walk(&self, range: KeyRange, direction: Direction) -> SnapshotRows<K, V> {
        SnapshotRows { rows: MergedRows::new(&self.rows.parts, range, direction), store: self.store.clone() }
    }
}

/// Rows of a [`TableSnapshot`], one after another. It can be sent on, and outlives the snapshot that it came from.
pub struct SnapshotRows<K: 'static, V: 'static> {
    rows: MergedRows,
    store: Store<K, V>,
}

impl<K: 'static, V: 'static> Iterator for SnapshotRows<K, V> {
    type Item = Result<Row<K, V>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.rows.next()?.and_then(|row| typed(&self.store, row)))
    }
}

/// The rows of several partitions in one order.
pub(super) struct MergedRows {
    parts: Vec<Peekable<CommittedWalk>>,
    direction: Direction,
}

impl MergedRows {
    pub(super) fn new(parts: &[CommittedRows], range: KeyRange, direction: Direction) -> Self {
        let walk = |rows: &CommittedRows| rows.walk(range.clone(), direction).peekable();
        MergedRows { parts: parts.iter().map(walk).collect(), direction }
    }
}

impl Iterator for MergedRows {
    type Item = Result<RowBytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut first: Option<(usize, &[u8])> = None;
        let mut failed = None;
        for (place, part) in self.parts.iter_mut().enumerate() {
            match (part.peek(), first, self.direction) {
                (None, ..) => {}
                (Some(Err(_)), ..) => failed = Some(place),
                (Some(Ok(row)), Some((_, best)), Direction::Forward) if row.key.as_slice() >= best => {}
                (Some(Ok(row)), Some((_, best)), Direction::Backward) if row.key.as_slice() <= best => {}
                (Some(Ok(row)), ..) => first = Some((place, &row.key)),
            }
        }
        let place = failed.or(first.map(|(place, _)| place))?;
        let next = self.parts[place].next()?.map_err(Error::from);
        if next.is_err() {
            self.parts.clear();
        }
        Some(next)
    }
}
