//! Where a repository's events are.
//!
//! Rule: events of a key come in their order, and are taken only as the next ones of the version that their sender means.

use std::fmt;
use std::future::Future;

use tidemill_dsl::event_sourcing::Aggregate;

use crate::error::Error;

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded<K, E> {
    /// What it happened to.
    pub key: K,
    /// How many events the key has had with this one; `None` where its writer did not say.
    pub version: Option<u64>,
    /// What happened.
    pub event: E,
}

/// How much of what is stored was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Events that were read, those that were removed meanwhile included.
    pub read: u64,
    /// Events that there were when the reading began.
    pub total: u64,
}

/// Some events, and how much of all was read with them.
pub struct EventBatch<A: Aggregate> {
    /// The events; those of a key in their order.
    pub events: Vec<Recorded<A::Key, A::Event>>,
    /// How much was read.
    pub loaded: Loaded,
}

/// A stream of batches: it ends at the events that were stored when it began.
pub type Batches<'a, A> = Box<dyn Iterator<Item = Result<EventBatch<A>, Error>> + Send + 'a>;

/// Has the events of aggregates.
pub trait Provider<A: Aggregate>: Send + Sync {
    /// All events that are stored now, up to `batch` at a time; the last batch may have fewer.
    ///
    /// # Errors
    ///
    /// When they cannot be read. An event that cannot be is an error in its batch's place.
    fn fetch_all(&self, batch: usize) -> Result<Batches<'_, A>, Error>;

    /// Stores events as the next ones of a key that has had `expected` so far, all or none; gives the version after them. `id` is that
    /// of an earlier send of the same events whose outcome is unknown.
    fn send(
        &self,
        key: A::Key,
        expected: u64,
        events: Vec<A::Event>,
        id: Option<String>,
    ) -> impl Future<Output = Result<u64, SaveError>> + Send;

    /// Ends it: everything that was sent is stored.
    fn close(self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Why events were not stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SaveError {
    /// Others have added events meanwhile. Load the aggregate again, and decide again.
    Conflict {
        /// The version that the events were meant for.
        expected: u64,
        /// The version that there is.
        actual: u64,
    },
    /// They were not sent.
    NotSent(Error),
    /// They may be stored, or may be yet. Save again: they are stored once.
    Unknown {
        /// The id to send the same events with.
        id: String,
        /// What happened.
        cause: Error,
    },
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SaveError::Conflict { expected, actual } => write!(
                f,
                "the events were meant for version {expected}, and the aggregate has version {actual}: load it again, and decide again"
            ),
            SaveError::NotSent(cause) => write!(f, "the events were not sent: {cause}"),
            SaveError::Unknown { cause, .. } => {
                write!(f, "nobody knows whether the events are stored: {cause}; save again, which stores them once")
            }
        }
    }
}

impl std::error::Error for SaveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SaveError::Conflict { .. } => None,
            SaveError::NotSent(cause) | SaveError::Unknown { cause, .. } => std::error::Error::source(cause),
        }
    }
}
