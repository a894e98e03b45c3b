//! What a topic is created with.

use std::time::Duration;

use tidemill_dsl::record::TopicName;

/// A topic's name, number of partitions and settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// The name.
    pub name: TopicName,
    /// How many partitions it has, at least 1; never changes.
    pub partitions: u32,
    /// What becomes of its old records.
    pub config: TopicConfig,
}

/// Which topic it is: a topic that is deleted and made again under the same name has another id. Unique within a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(u128);

impl TopicId {
    /// An id by its number.
    pub const fn new(id: u128) -> Self {
        TopicId(id)
    }

    /// The number.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl TopicSpec {
    /// A topic that keeps its records for ever.
    pub fn new(name: impl Into<TopicName>, partitions: u32) -> Self {
        TopicSpec { name: name.into(), partitions, config: TopicConfig::default() }
    }
}

/// What becomes of a topic's old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// Which records may go.
    pub cleanup: Cleanup,
    /// How long records are kept at least, by their own times; `None`: for ever. For [`Cleanup::Delete`] and, counted back
    /// from the youngest record at most, for [`Cleanup::CompactAndDelete`].
    pub retention: Option<Duration>,
    /// How many bytes of records a partition keeps at least; `None`: all. For [`Cleanup::Delete`] and
    /// [`Cleanup::CompactAndDelete`].
    pub retention_bytes: Option<u64>,
    /// How long a tombstone is kept after everything that it deletes is gone, so that readers learn of the delete. For
    /// [`Cleanup::Compact`] and [`Cleanup::CompactAndDelete`].
    pub tombstones: Duration,
    /// How long a record replaces no earlier one, by its own time, counted back from the youngest record at most: so long every
    /// version of a row is kept. For [`Cleanup::Compact`] and [`Cleanup::CompactAndDelete`].
    pub compaction_lag: Duration,
}

impl Default for TopicConfig {
    /// Keeps all records for ever; tombstones of a compacted topic stay for a day, as in Kafka.
    fn default() -> Self {
        let tombstones = Duration::from_secs(24 * 60 * 60);
        TopicConfig {
            cleanup: Cleanup::Delete,
            retention: None,
            retention_bytes: None,
            tombstones,
            compaction_lag: Duration::ZERO,
        }
    }
}

/// Which of a topic's records may be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cleanup {
    /// Those older than the retention, and those beyond the bytes to be kept.
    #[default]
    Delete,
    /// Those that a later record of the same key replaced: a changelog.
    Compact,
    /// Both: a changelog of windows. Here ages are counted from the partition's youngest record where that is older than the
    /// present, because a store lets go of windows by record time too: reading old data again deletes none that it still has.
    CompactAndDelete,
}

impl Cleanup {
    /// Whether records go that a later one of the same key replaced.
    pub fn compacts(self) -> bool {
        matches!(self, Cleanup::Compact | Cleanup::CompactAndDelete)
    }

    /// Whether records go that are too old or too many.
    pub fn deletes(self) -> bool {
        matches!(self, Cleanup::Delete | Cleanup::CompactAndDelete)
    }
}
