//! Stores on disk in RocksDB: one database per application folder, all stores in one space of keys.
//!
//! Rule: a store's rows and its checkpoint are written in one batch, so no crash parts them.
//!
//! One space of keys and not a column family for each store, because families have memory tables of their own: here what is
//! taken does not grow with the number of partitions. What a write promises is what it promises in [`FjallStores`].
//!
//! [`FjallStores`]: super::FjallStores

mod fault;
mod keys;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ::rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DB, DBCompressionType, IteratorMode, LogLevel, LruCacheOptions,
    Options, ReadOptions, WriteBatch, WriteOptions,
};

use self::fault::{cannot_open, failed, unknown_layout};
use self::keys::{Number, ROW_PREFIX};
use super::checkpoint;
use super::leases::{Lease, Leases};
use super::order::rising;
use super::{
    ByteStore, Checkpoint, Direction, KeyRange, Rows, StoreError, StoreErrorKind, StoreId, StoreSettings, StoreWrite,
};

/// Bits of a key's filter: one miss in a hundred looks at the disk.
const FILTER_BITS: f64 = 10.0;
/// The cache has two to the power of this parts, each with a lock of its own.
const CACHE_SHARD_BITS: i32 = 2;

/// The stores in one folder. Clones share it; it is closed when the last clone and the last store are dropped.
///
/// ```
/// use tidemill::record::{Offset, Timestamp};
/// use tidemill::store::{ByteStore, Checkpoint, RocksDbStores, StoreSettings, StoreWrite};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// let stores = RocksDbStores::open(folder, StoreSettings::default())?;
/// let mut accounts = stores.open_store("accounts", 0)?;
/// let checkpoint = Checkpoint { next: Offset::new(1), at: Timestamp::from_millis(1_000) };
/// accounts.write(&mut [StoreWrite { key: b"alice", value: Some(b"10") }].into_iter(), checkpoint)?;
/// drop((stores, accounts));
///
/// let accounts = RocksDbStores::open(folder, StoreSettings::default())?.open_store("accounts", 0)?;
/// assert_eq!(accounts.checkpoint()?, Some(checkpoint));
/// # Ok::<(), tidemill::store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct RocksDbStores {
    shared: Arc<Shared>,
}

struct Shared {
    database: DB,
    folder: PathBuf,
    leases: Arc<Leases>,
    // Two stores made at a time must not get one number.
    giving_out: Mutex<()>,
}

impl RocksDbStores {
    /// Opens the stores in `folder`, which is made when it is not there. Of the settings' `write_buffer_bytes` all stores
    /// together have two.
    ///
    /// # Errors
    ///
    /// `Locked` when somebody has the folder open, `Unavailable` when it cannot be read or written, `Corrupt` when it is
    /// damaged or in another layout.
    pub fn open(folder: impl Into<PathBuf>, settings: StoreSettings) -> Result<Self, StoreError> {
        let folder = folder.into();
        let database = DB::open(&options(settings), &folder).map_err(|cause| cannot_open(&folder, cause))?;
        let (leases, giving_out) = (Arc::default(), Mutex::default());
        let stores = RocksDbStores { shared: Arc::new(Shared { database, folder, leases, giving_out }) };
        stores.shared.last_number()?;
        Ok(stores)
    }

    /// Opens the store `name` of one partition; a new one is empty and without a checkpoint.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name that no store can have (see [`StoreId::new`]), `Locked` while the store is open.
    pub fn open_store(&self, name: &str, partition: u32) -> Result<RocksDbStore, StoreError> {
        let lease = self.lease(StoreId::new(name, partition)?)?;
        let number = match self.shared.number(&lease.id)? {
            Some(number) => number,
            None => self.shared.renew(&lease.id, None)?,
        };
        Ok(RocksDbStore { number, shared: self.shared.clone(), lease })
    }

    /// The stores in the folder, open or not, in order of name and partition.
    ///
    /// # Errors
    ///
    /// When the list cannot be read.
    pub fn names(&self) -> Result<Vec<StoreId>, StoreError> {
        let (from, to) = keys::stores();
        let mut ids = Vec::new();
        for entry in self.shared.database.iterator_opt(IteratorMode::Start, between(&from, &to)) {
            let (key, _) = entry.map_err(|cause| cannot_open(&self.shared.folder, cause))?;
            ids.push(keys::store_of(&key).ok_or_else(|| unknown_layout(&self.shared.folder, "a store"))?);
        }
        ids.sort();
        Ok(ids)
    }

    /// Removes a store with its rows and its checkpoint; `false` when there is none.
    ///
    /// # Errors
    ///
    /// As [`open_store`](Self::open_store).
    pub fn remove(&self, name: &str, partition: u32) -> Result<bool, StoreError> {
        let lease = self.lease(StoreId::new(name, partition)?)?;
        let Some(number) = self.shared.number(&lease.id)? else { return Ok(false) };
        let mut batch = WriteBatch::default();
        batch.delete(keys::store(&lease.id));
        let (from, to) = number.everything();
        batch.delete_range(from.as_slice(), to.as_slice());
        let done = self.shared.database.write_opt(batch, &durable());
        done.map(|()| true).map_err(|cause| failed(&lease.id, "be removed", cause))
    }

    fn lease(&self, id: StoreId) -> Result<Lease, StoreError> {
        Lease::take(&self.shared.leases, id).map_err(|id| {
            let folder = self.shared.folder.display();
            let message = format!("the store `{id}` in `{folder}` is open already; close it first");
            StoreError::new(StoreErrorKind::Locked, message)
        })
    }
}

impl fmt::Debug for RocksDbStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksDbStores").field("folder", &self.shared.folder).finish_non_exhaustive()
    }
}

impl Shared {
    fn last_number(&self) -> Result<Number, StoreError> {
        let stored = self.database.get_pinned(keys::COUNTER).map_err(|cause| cannot_open(&self.folder, cause))?;
        let read =
            |stored: &[u8]| keys::read_counter(stored).ok_or_else(|| unknown_layout(&self.folder, "its counter"));
        stored.as_deref().map_or(Ok(Number(0)), read)
    }

    fn number(&self, id: &StoreId) -> Result<Option<Number>, StoreError> {
        let stored = self.database.get_pinned(keys::store(id)).map_err(|cause| failed(id, "be opened", cause))?;
        let read = |stored: &[u8]| Number::read(stored).ok_or_else(|| unknown_layout(&self.folder, "a store's number"));
        stored.as_deref().map(read).transpose()
    }

    /// Gives the store a number that nobody had, and lets go of what lies under its old one, in one step.
    fn renew(&self, id: &StoreId, old: Option<Number>) -> Result<Number, StoreError> {
        let _one_at_a_time = self.giving_out.lock().unwrap_or_else(PoisonError::into_inner);
        let number = Number(self.last_number()?.0 + 1);
        let mut batch = WriteBatch::default();
        batch.put(keys::COUNTER, keys::counter(number));
        batch.put(keys::store(id), number.0.to_be_bytes());
        if let Some((from, to)) = old.map(Number::everything) {
            batch.delete_range(from.as_slice(), to.as_slice());
        }
        self.database.write_opt(batch, &durable()).map_err(|cause| failed(id, "be made anew", cause))?;
        Ok(number)
    }
}

/// One store of one partition on disk. There is one of it at a time; it keeps its folder open.
///
/// It gives no snapshots to other threads: those of the binding borrow the database. So the rows of a store that is queried
/// are published from memory.
pub struct RocksDbStore {
    number: Number,
    shared: Arc<Shared>,
    // The last field, as it is dropped last: the next owner must find everything closed.
    lease: Lease,
}

impl RocksDbStore {
    /// Which store this is.
    pub fn id(&self) -> &StoreId {
        &self.lease.id
    }

    fn failed(&self, what: &str, cause: ::rocksdb::Error) -> StoreError {
        failed(self.id(), what, cause)
    }
}

impl ByteStore for RocksDbStore {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let value =
            self.shared.database.get_pinned(self.number.row(key)).map_err(|cause| self.failed("be read", cause))?;
        out.extend_from_slice(value.as_deref().unwrap_or_default());
        Ok(value.is_some())
    }

    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError> {
        if range.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let (from, to) = self.number.bounds(range);
        let mode = match direction {
            Direction::Forward => IteratorMode::Start,
            Direction::Backward => IteratorMode::End,
        };
        let rows = self.shared.database.iterator_opt(mode, between(&from, &to));
        Ok(Box::new(rows.map(|entry| {
            let (key, value) = entry.map_err(|cause| self.failed("be read", cause))?;
            Ok((key[ROW_PREFIX..].to_vec(), value.into_vec()))
        })))
    }

    fn write(&mut self, writes: &mut dyn Iterator<Item = StoreWrite<'_>>, at: Checkpoint) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for write in rising(writes) {
            let key = self.number.row(write.key);
            match write.value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        batch.put(self.number.checkpoint(), checkpoint::encode(at));
        self.shared.database.write(batch).map_err(|cause| self.failed("be written", cause))
    }

    /// Whole files go, which costs no write; rows that share a file with others stay until that is cut anew.
    fn discard(&mut self, range: &KeyRange) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        let (from, to) = self.number.bounds(range);
        let dropped = self.shared.database.delete_file_in_range(from, to);
        dropped.map_err(|cause| self.failed("let go of old rows", cause))
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        let stored = self.shared.database.get_pinned(self.number.checkpoint());
        let stored = stored.map_err(|cause| self.failed("be read", cause))?;
        let read = |stored: &[u8]| {
            checkpoint::decode(stored).ok_or_else(|| unknown_layout(&self.shared.folder, "a checkpoint"))
        };
        stored.as_deref().map(read).transpose()
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.number = self.shared.renew(&self.lease.id, Some(self.number))?;
        Ok(())
    }
}

impl fmt::Debug for RocksDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksDbStore").field("id", self.id()).finish()
    }
}

fn options(settings: StoreSettings) -> Options {
    let mut blocks = BlockBasedOptions::default();
    let mut cache = LruCacheOptions::default();
    cache.set_capacity(usize::try_from(settings.cache_bytes).unwrap_or(usize::MAX));
    cache.set_num_shard_bits(CACHE_SHARD_BITS);
    blocks.set_block_cache(&Cache::new_lru_cache_opts(&cache));
    // What finds the blocks counts towards the cache, as it grows with the number of rows. In one piece it would be larger than a
    // part of a small cache, and read anew for every row.
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    blocks.set_partition_filters(true);
    blocks.set_bloom_filter(FILTER_BITS, false);
    blocks.set_pin_top_level_index_and_filter(true);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_compression_type(DBCompressionType::None);
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(usize::try_from(settings.write_buffer_bytes).unwrap_or(usize::MAX));
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_log_level(LogLevel::Error);
    options.set_keep_log_file_num(1);
    options
}

/// Rows from one key to before another.
fn between(from: &[u8], to: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(from);
    options.set_iterate_upper_bound(to);
    options
}

/// On the disk before it returns: a power loss must not bring back an entry without its rows.
fn durable() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}
