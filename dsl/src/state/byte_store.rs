//! The checkpoint of a store: rows as bytes, written in batches together with the changelog offset they reflect.

use std::error::Error;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use super::Checkpoint;

/// Keys between two bounds, in the order of their unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Where the range begins.
    pub from: Bound<Vec<u8>>,
    /// Where it ends.
    pub to: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub const ALL: KeyRange = KeyRange { from: Bound::Unbounded, to: Bound::Unbounded };

    /// The keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        // The first key behind them is the prefix with its last byte below 255 raised by one.
        let to = prefix.iter().rposition(|byte| *byte < u8::MAX).map_or(Bound::Unbounded, |last| {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            Bound::Excluded(end)
        });
        KeyRange { from: Bound::Included(prefix.to_vec()), to }
    }

    /// Whether a key lies between the bounds.
    pub fn contains(&self, key: &[u8]) -> bool {
        let bounds = (self.from.as_ref().map(Vec::as_slice), self.to.as_ref().map(Vec::as_slice));
        std::ops::RangeBounds::<[u8]>::contains(&bounds, key)
    }

    /// Whether no key can lie between the bounds: an inverted range, which is empty and no error.
    pub fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        }
    }
}

/// In which order a range is walked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the lowest key up.
    #[default]
    Forward,
    /// From the greatest key down.
    Backward,
}

/// Rows of a range, one after another: key and value bytes.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + 'a>;

/// One change in a write: a key, and its new value or `None` for a delete.
#[derive(Clone, Copy, Debug)]
pub struct StoreWrite<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The new value; `None`: the row goes.
    pub value: Option<&'a [u8]>,
}

/// Rows of one store of one task, as bytes, with the changelog offset that they reflect.
///
/// Only committed rows are ever written here, and seldom; a crash between two writes loses nothing, because the
/// changelog has it.
pub trait ByteStore: Send {
    /// The value of a key, appended to `out`; `false` when there is none.
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError>;

    /// The rows of a range in the order of the keys' unsigned bytes.
    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError>;

    /// Writes rows and what they reflect in one atomic step: after a crash both are there or neither.
    ///
    /// # Panics
    ///
    /// Unless the writes come sorted by key, no key twice.
    fn write(&mut self, writes: &mut dyn Iterator<Item = StoreWrite<'_>>, at: Checkpoint) -> Result<(), StoreError>;

    /// Lets go of the rows of a range; nobody asks for them any more. They may go later, or not all: what counts is that it
    /// costs little. Other rows and the checkpoint stay as they are.
    fn discard(&mut self, range: &KeyRange) -> Result<(), StoreError>;

    /// What the rows reflect of the changelog; `None` for a new store.
    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError>;

    /// Removes all rows and the checkpoint. A crash half-way leaves the store as it was, or empty.
    fn wipe(&mut self) -> Result<(), StoreError>;

    /// Where other threads take snapshots of the rows, until the next `wipe`. Without it, what is published for queries is
    /// all rows, in memory.
    fn snapshots(&self) -> Option<Arc<dyn TakeSnapshot>> {
        None
    }
}

/// Takes snapshots of a store's rows, from any thread.
pub trait TakeSnapshot: Send + Sync {
    /// The rows now: the writes that have returned, and of one under way all or nothing.
    fn take(&self) -> Result<Arc<dyn ByteSnapshot>, StoreError>;
}

/// Rows as they were at one moment, whatever is written after it.
pub trait ByteSnapshot: Send + Sync {
    /// As [`ByteStore::get`].
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError>;

    /// As [`ByteStore::range`].
    fn range(&self, range: &KeyRange, direction: Direction) -> Result<Rows<'_>, StoreError>;

    /// About how many rows there are, found without a walk.
    fn approximate_count(&self) -> u64;
}

/// What the caller can do about a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The call or the settings are wrong. Correct them and start again.
    Invalid,
    /// Somebody else holds the store, or the folder that it lies in.
    Locked,
    /// The bytes cannot be reached or written now. Remove the cause and open the store again.
    Unavailable,
    /// Stored bytes are wrong. Wipe them and rebuild the rows from the changelog.
    Corrupt,
}

/// A store's bytes could not be read or written.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error of this kind that says `message`.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        StoreError { kind, message: message.into(), source: None }
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        StoreError { source: Some(source.into()), ..self }
    }

    /// What the caller can do.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
