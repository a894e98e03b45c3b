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
    /// How long records are kept at least, by their own times; `None`: for ever. For [`Cleanup::Delete`].
    pub retention: Option<Duration>,
    /// How many bytes of records a partition keeps at least; `None`: all. For [`Cleanup::Delete`].
    pub retention_bytes: Option<u64>,
    /// How long a tombstone is kept after everything that it deletes is gone, so that readers learn of the delete. For
    /// [`Cleanup::Compact`].
    pub tombstones: Duration,
}

impl Default for TopicConfig {
    /// Keeps all records for ever; tombstones of a compacted topic stay for a day, as in Kafka.
    fn default() -> Self {
        let tombstones = Duration::from_secs(24 * 60 * 60);
        TopicConfig { cleanup: Cleanup::Delete, retention: None, retention_bytes: None, tombstones }
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
}
