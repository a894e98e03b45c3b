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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicConfig {
    /// Which records may go.
    pub cleanup: Cleanup,
    /// How long records are kept at least; `None`: for ever.
    pub retention: Option<Duration>,
}

/// Which of a topic's records may be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cleanup {
    /// Those older than the retention.
    #[default]
    Delete,
    /// Those that a later record of the same key replaced: a changelog.
    Compact,
}
