//! Stores on disk: one fjall database per application folder, one keyspace per store and partition.
//!
//! Rule: a store's rows and its checkpoint lie in one keyspace and are written in one batch, so no crash parts them.
//!
//! ```text
//! keyspace v1   <store name>/<partition>/<generation>, the generation being that of the directory
//! checkpoint    key 00               value 01 | changelog offset u64, big-endian; 01 is the version of this layout
//! row           key 01 | key bytes   value as given
//! ```
//!
//! A write that has returned survives the death of the process. It does not wait for the disk: after a power loss a
//! store may have an older checkpoint, with the rows of that checkpoint, and a store that is written after the log may
//! even be ahead of a log that lost its own tail. Whoever opens a store compares the checkpoint with the changelog's
//! end, and wipes a store that is ahead.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::fjall::{
    AbstractTree, Database, Guard, Iter, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot, UserValue,
};
use smallvec::SmallVec;

use super::checkpoint;
use super::directory::{Directory, DirectoryFault};
use super::folder::{locked, prepare};
use super::label::Label;
use super::leases::{Lease, Leases};
use super::order::rising;
use super::{
    ByteSnapshot, ByteStore, Checkpoint, Direction, KeyRange, Rows, StoreError, StoreErrorKind, StoreId, StoreWrite,
    TakeSnapshot,
};

const CHECKPOINT: [u8; 1] = [0];
const ROW: u8 = 1;
const BEHIND_ROWS: u8 = ROW + 1;

/// The longest key of a row: fjall's limit without the byte that says what the key is.
const KEY_BYTES_MAX: usize = u16::MAX as usize - 1;

/// When sealed journals reach this, the stores that hold the oldest one back are flushed. fjall's least: opening reads
/// all journals, and one seldom written store would keep all of them.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

type StoredKey = SmallVec<[u8; 64]>;

/// What the stores of one folder may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// Blocks read from disk that are kept in memory, in bytes, for all stores of the folder together.
    pub cache_bytes: u64,
    /// Rows written and not yet sorted into a file, in bytes, for each store and partition. A store keeps the limit
    /// that it was created with until it is wiped or removed.
    pub write_buffer_bytes: u64,
}

impl Default for StoreSettings {
    /// 16 MiB each.
    fn default() -> Self {
        StoreSettings { cache_bytes: 16 << 20, write_buffer_bytes: 16 << 20 }
    }
}

/// The stores in one folder. Clones share it; it is closed when the last clone and the last store are dropped.
///
/// ```
/// use tidemill::record::{Offset, Timestamp};
/// use tidemill::store::{ByteStore, Checkpoint, FjallStores, StoreSettings, StoreWrite};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// let stores = FjallStores::open(folder, StoreSettings::default())?;
/// let mut accounts = stores.open_store("accounts", 0)?;
/// let checkpoint = Checkpoint { next: Offset::new(1), at: Timestamp::from_millis(1_000) };
/// accounts.write(&mut [StoreWrite { key: b"alice", value: Some(b"10") }].into_iter(), checkpoint)?;
/// drop((stores, accounts));
///
/// let accounts = FjallStores::open(folder, StoreSettings::default())?.open_store("accounts", 0)?;
/// assert_eq!(accounts.checkpoint()?, Some(checkpoint));
/// # Ok::<(), tidemill::store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct FjallStores {
    database: Database,
    directory: Arc<Directory>,
    folder: Arc<Path>,
    settings: StoreSettings,
    leases: Arc<Leases>,
}

impl FjallStores {
    /// Opens the stores in `folder`, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// `Locked` when somebody has the folder open, `Unavailable` when it cannot be read or written, `Corrupt` when
    /// what lies in it is no store folder or is damaged.
    pub fn open(folder: impl Into<PathBuf>, settings: StoreSettings) -> Result<Self, StoreError> {
        let folder: Arc<Path> = folder.into().into();
        prepare(&folder)?;
        let database = Database::builder(&folder)
            .cache_size(settings.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .open()
            .map_err(|cause| cannot_open(&folder, cause))?;
        let directory = Directory::open(&database).map_err(|fault| unlisted(&folder, fault))?;
        Ok(FjallStores { database, directory: Arc::new(directory), folder, settings, leases: Arc::default() })
    }

    /// Opens the store `name` of one partition; a new one is empty and without a checkpoint.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name that no store can have (see [`StoreId::new`]), `Locked` while the store is open.
    pub fn open_store(&self, name: &str, partition: u32) -> Result<FjallStore, StoreError> {
        let lease = self.lease(StoreId::new(name, partition)?)?;
        let generation = self.directory.generation(&lease.id).map_err(|fault| unlisted(&self.folder, fault))?;
        let keyspace = match generation {
            Some(generation) => self.keyspace(&lease.id, generation)?,
            None => self.new_keyspace(&lease.id)?,
        };
        Ok(FjallStore { stores: self.clone(), keyspace, lease })
    }

    /// The stores in the folder, open or not, in order of name and partition.
    ///
    /// # Errors
    ///
    /// When the list cannot be read.
    pub fn names(&self) -> Result<Vec<StoreId>, StoreError> {
        self.directory.ids().map_err(|fault| unlisted(&self.folder, fault))
    }

    /// What a store says of itself; `None` for a store that was never given a label.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name that no store can have; when the list of stores cannot be read.
    pub fn label(&self, name: &str, partition: u32) -> Result<Option<Label>, StoreError> {
        self.directory.label(&StoreId::new(name, partition)?).map_err(|fault| unlisted(&self.folder, fault))
    }

    /// Sets what a store says of itself; it is on the disk when this returns, and goes when the store is removed.
    ///
    /// # Errors
    ///
    /// As [`label`](Self::label), and when it cannot be written.
    pub fn set_label(&self, name: &str, partition: u32, label: &Label) -> Result<(), StoreError> {
        self.directory.set_label(&StoreId::new(name, partition)?, label).map_err(|fault| unlisted(&self.folder, fault))
    }

    /// Removes a store with its rows and its checkpoint; `false` when there is none.
    ///
    /// # Errors
    ///
    /// As [`open_store`](Self::open_store).
    pub fn remove(&self, name: &str, partition: u32) -> Result<bool, StoreError> {
        let lease = self.lease(StoreId::new(name, partition)?)?;
        let generation = self.directory.generation(&lease.id).map_err(|fault| unlisted(&self.folder, fault))?;
        let Some(generation) = generation else { return Ok(false) };
        let keyspace = self.keyspace(&lease.id, generation)?;
        self.directory.forget(&lease.id).map_err(|fault| unlisted(&self.folder, fault))?;
        self.database.delete_keyspace(keyspace).map_err(|cause| failed(&lease.id, "be removed", cause))?;
        Ok(true)
    }

    fn lease(&self, id: StoreId) -> Result<Lease, StoreError> {
        Lease::take(&self.leases, id).map_err(|id| {
            StoreError::new(
                StoreErrorKind::Locked,
                format!("the store `{id}` in `{}` is open already; close it first", self.folder.display()),
            )
        })
    }

    fn new_keyspace(&self, id: &StoreId) -> Result<Keyspace, StoreError> {
        let generation = self.directory.renew(id).map_err(|fault| unlisted(&self.folder, fault))?;
        self.keyspace(id, generation)
    }

    fn keyspace(&self, id: &StoreId, generation: u64) -> Result<Keyspace, StoreError> {
        let write_buffer = self.settings.write_buffer_bytes;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(write_buffer);
        self.database.keyspace(&id.keyspace(generation), options).map_err(|cause| failed(id, "be opened", cause))
    }
}

impl fmt::Debug for FjallStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallStores").field("folder", &self.folder).field("settings", &self.settings).finish()
    }
}

/// One store of one partition on disk. There is one of it at a time; it keeps its folder open.
pub struct FjallStore {
    keyspace: Keyspace,
    stores: FjallStores,
    // The last field, as it is dropped last: the next owner must find everything closed.
    lease: Lease,
}

impl FjallStore {
    /// Which store this is.
    pub fn id(&self) -> &StoreId {
        &self.lease.id
    }

    fn failed(&self, what: &str, cause: ::fjall::Error) -> StoreError {
        failed(self.id(), what, cause)
    }

    fn refuse_too_long(&self, write: &StoreWrite<'_>) -> Result<(), StoreError> {
        let too_long = |part: &str, bytes: usize, limit: usize| {
            let message =
                format!("the store `{}` cannot hold a {part} of {bytes} bytes; {limit} are allowed", self.id());
            Err(StoreError::new(StoreErrorKind::Invalid, message))
        };
        match (write.key.len(), write.value.map_or(0, <[u8]>::len)) {
            (key, _) if key > KEY_BYTES_MAX => too_long("key", key, KEY_BYTES_MAX),
            (_, value) if value > u32::MAX as usize => too_long("value", value, u32::MAX as usize),
            _ => Ok(()),
        }
    }
}

impl ByteStore for FjallStore {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        get(self.id(), |key| self.keyspace.get(key), key, out)
    }

    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError> {
        Ok(walk(self.id(), |bounds| self.keyspace.range(bounds), range, direction))
    }

    /// # Errors
    ///
    /// `Invalid`, and nothing is written, for a key longer than 65,534 bytes. After `Unavailable` nobody knows what
    /// reached the disk: every later write is refused until the folder is opened again.
    fn write(&mut self, writes: &mut dyn Iterator<Item = StoreWrite<'_>>, at: Checkpoint) -> Result<(), StoreError> {
        let mut batch = self.stores.database.batch().durability(Some(PersistMode::Buffer));
        for write in rising(writes) {
            self.refuse_too_long(&write)?;
            let key = stored_key(write.key);
            match write.value {
                Some(value) => batch.insert(&self.keyspace, &key[..], value),
                None => batch.remove(&self.keyspace, &key[..]),
            }
        }
        batch.insert(&self.keyspace, CHECKPOINT, checkpoint::encode(at));
        batch.commit().map_err(|cause| self.failed("be written", cause))
    }

    /// Whole tables go, which costs no write; rows that share a table with others stay until that is cut anew.
    fn discard(&mut self, range: &KeyRange) -> Result<(), StoreError> {
        let dropped = self.keyspace.tree.drop_range::<StoredKey, _>(stored_bounds(range));
        dropped.map_err(|cause| self.failed("let go of old rows", cause.into()))
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        let stored = self.keyspace.get(CHECKPOINT).map_err(|cause| self.failed("be read", cause))?;
        let read = |stored: &[u8]| {
            checkpoint::decode(stored).ok_or_else(|| {
                StoreError::new(
                    StoreErrorKind::Corrupt,
                    format!(
                        "the checkpoint of the store `{}` is in no layout known here: `{stored:02x?}`; start the \
                         version that wrote it, or wipe the store",
                        self.id()
                    ),
                )
            })
        };
        stored.as_deref().map(read).transpose()
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        // The rows of an older generation are nobody's. Deletes of all rows would be slow, and in the way of scans.
        let empty = self.stores.new_keyspace(self.id())?;
        let old = std::mem::replace(&mut self.keyspace, empty);
        self.stores.database.delete_keyspace(old).map_err(|cause| self.failed("be wiped", cause))
    }

    fn snapshots(&self) -> Option<Arc<dyn TakeSnapshot>> {
        let (id, database, keyspace) = (self.id().clone(), self.stores.database.clone(), self.keyspace.clone());
        Some(Arc::new(Snapshots { id, database, keyspace }))
    }
}

impl fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallStore").field("id", self.id()).finish()
    }
}

/// The rows of a store for readers in other threads.
struct Snapshots {
    id: StoreId,
    database: Database,
    keyspace: Keyspace,
}

impl TakeSnapshot for Snapshots {
    fn take(&self) -> Result<Arc<dyn ByteSnapshot>, StoreError> {
        let (id, keyspace) = (self.id.clone(), self.keyspace.clone());
        Ok(Arc::new(FjallSnapshot { id, keyspace, snapshot: self.database.snapshot() }))
    }
}

/// The rows of a store at one moment. As long as it is held, fjall keeps the rows of that moment on disk.
struct FjallSnapshot {
    id: StoreId,
    keyspace: Keyspace,
    snapshot: Snapshot,
}

impl ByteSnapshot for FjallSnapshot {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        get(&self.id, |key| self.snapshot.get(&self.keyspace, key), key, out)
    }

    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError> {
        Ok(walk(&self.id, |bounds| self.snapshot.range(&self.keyspace, bounds), range, direction))
    }

    fn approximate_count(&self) -> u64 {
        // The checkpoint lies among the rows.
        (self.keyspace.approximate_len() as u64).saturating_sub(1)
    }
}

/// Appends the value that `read` finds under the stored form of a key.
fn get(
    id: &StoreId,
    read: impl FnOnce(StoredKey) -> ::fjall::Result<Option<UserValue>>,
    key: &[u8],
    out: &mut Vec<u8>,
) -> Result<bool, StoreError> {
    if key.len() > KEY_BYTES_MAX {
        return Ok(false);
    }
    let value = read(stored_key(key)).map_err(|cause| failed(id, "be read", cause))?;
    out.extend_from_slice(value.as_deref().unwrap_or_default());
    Ok(value.is_some())
}

/// The rows that `read` finds between the stored forms of a range's bounds.
fn walk<'a>(
    id: &'a StoreId,
    read: impl FnOnce((Bound<StoredKey>, Bound<StoredKey>)) -> Iter,
    range: &KeyRange,
    direction: Direction,
) -> Rows<'a> {
    if range.is_empty() {
        return Box::new(std::iter::empty());
    }
    let row = |guard: Guard| {
        let (key, value) = guard.into_inner().map_err(|cause| failed(id, "be read", cause))?;
        Ok((key[1..].to_vec(), value.to_vec()))
    };
    let rows = read(stored_bounds(range));
    match direction {
        Direction::Forward => Box::new(rows.map(row)),
        Direction::Backward => Box::new(rows.rev().map(row)),
    }
}

fn stored_key(key: &[u8]) -> StoredKey {
    let mut stored = StoredKey::with_capacity(1 + key.len());
    stored.push(ROW);
    stored.extend_from_slice(key);
    stored
}

/// The bounds of a range among the rows, the checkpoint left out.
///
/// fjall knows no bound longer than its longest key. The first bytes of such a bound separate the same rows, as no row
/// is long enough to tell the rest: a row that equals them lies before the bound, every other one lies on its side.
fn stored_bounds(range: &KeyRange) -> (Bound<StoredKey>, Bound<StoredKey>) {
    let cut = |key: &[u8]| stored_key(&key[..KEY_BYTES_MAX]);
    let from = match &range.from {
        Bound::Included(key) | Bound::Excluded(key) if key.len() > KEY_BYTES_MAX => Bound::Excluded(cut(key)),
        Bound::Included(key) => Bound::Included(stored_key(key)),
        Bound::Excluded(key) => Bound::Excluded(stored_key(key)),
        Bound::Unbounded => Bound::Included(stored_key(&[])),
    };
    let to = match &range.to {
        Bound::Included(key) | Bound::Excluded(key) if key.len() > KEY_BYTES_MAX => Bound::Included(cut(key)),
        Bound::Included(key) => Bound::Included(stored_key(key)),
        Bound::Excluded(key) => Bound::Excluded(stored_key(key)),
        Bound::Unbounded => Bound::Excluded(StoredKey::from_slice(&[BEHIND_ROWS])),
    };
    (from, to)
}

fn cannot_open(folder: &Path, cause: ::fjall::Error) -> StoreError {
    let kind = kind_of(&cause);
    let next = match kind {
        StoreErrorKind::Locked => return locked(folder),
        StoreErrorKind::Corrupt => "remove it, and the stores are rebuilt from their changelogs",
        _ => "make it readable and writable",
    };
    let message = format!("cannot open the store folder `{}`: {}; {next}", folder.display(), reason(&cause));
    StoreError::new(kind, message).with_source(cause)
}

fn unlisted(folder: &Path, fault: DirectoryFault) -> StoreError {
    match fault {
        DirectoryFault::Storage(cause) => cannot_open(folder, cause),
        DirectoryFault::Foreign(name) => StoreError::new(
            StoreErrorKind::Corrupt,
            format!(
                "the store folder `{}` holds `{name}`, which is no store's; give the stores a folder of their own",
                folder.display()
            ),
        ),
    }
}

fn failed(id: &StoreId, what: &str, cause: ::fjall::Error) -> StoreError {
    let kind = kind_of(&cause);
    let next = match kind {
        StoreErrorKind::Corrupt => "wipe it, and it is rebuilt from its changelog",
        _ => "remove the cause and open its folder again",
    };
    StoreError::new(kind, format!("the store `{id}` could not {what}: {}; {next}", reason(&cause))).with_source(cause)
}

fn kind_of(cause: &::fjall::Error) -> StoreErrorKind {
    use ::fjall::Error;
    match cause {
        Error::Locked => StoreErrorKind::Locked,
        Error::Io(cause) | Error::Storage(::fjall::LsmError::Io(cause)) => kind_of_io(cause),
        Error::Poisoned | Error::KeyspaceDeleted => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Corrupt,
    }
}

/// A file that is gone, ends too soon, says nonsense or is where none should be was damaged; anything else is the
/// operating system's refusal.
fn kind_of_io(cause: &io::Error) -> StoreErrorKind {
    match cause.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::AlreadyExists => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Unavailable,
    }
}

/// fjall's own words are its types' names; the frequent causes deserve better.
fn reason(cause: &::fjall::Error) -> String {
    use ::fjall::Error;
    match cause {
        Error::Io(cause) | Error::Storage(::fjall::LsmError::Io(cause)) => cause.to_string(),
        Error::Storage(::fjall::LsmError::ChecksumMismatch { .. }) => "a block does not match its checksum".to_owned(),
        Error::Storage(cause) => format!("{cause:?}"),
        Error::InvalidVersion(_) => "it was written in another format".to_owned(),
        Error::Poisoned => "an earlier write failed, and nobody knows what of it reached the disk".to_owned(),
        cause => format!("{cause:?}"),
    }
}
