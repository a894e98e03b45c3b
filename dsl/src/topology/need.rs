//! What an application's own topics need to be, in Kafka's terms.
//!
//! Rule: a topic never loses a record that a task or a store still needs: a repartition topic keeps all until they were
//! processed, a changelog the last record of each key, one of windows as long as the store keeps windows, one of versions all
//! versions as long as the store does. A day is added where Kafka counts by its own clock.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::TopicName;

/// What Kafka Streams adds to the retention of a window changelog (`windowstore.changelog.additional.retention.ms`), and to the
/// compaction lag of a versioned one.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an answer waits for whoever asked; nobody waits longer.
pub const ANSWERS_KEPT: Duration = Duration::from_secs(60 * 60);

/// A topic of the application's own: what it needs to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNeed {
    /// The full name.
    pub name: TopicName,
    /// The number of partitions.
    pub partitions: u32,
    /// What it is for.
    pub kind: TopicKind,
    /// What the program sets itself, by the names in Kafka, in place of what the topic would get for its kind.
    pub settings: BTreeMap<String, String>,
}

impl TopicNeed {
    /// The topic's settings by their names in Kafka, in that order: as Kafka Streams makes a topic of this kind, but for what the
    /// program sets itself. What is not named is the broker's to decide.
    pub fn configs(&self) -> BTreeMap<String, String> {
        let mut configs: BTreeMap<String, String> =
            self.kind.configs().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        configs.extend(self.settings.clone());
        configs
    }
}

/// What a topic of an application's own is for; decides which of its records may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKind {
    /// Records on their way to the task of another key; gone when they were processed.
    Repartition,
    /// Answers to commands: they are read by those who wait for them, or never.
    Answers,
    /// The rows of a store: the last record of each key is needed.
    Changelog,
    /// The rows of a window or session store, which lets go of those that are older than its retention.
    WindowChangelog {
        /// How long the store keeps rows, in record time.
        retention: Duration,
    },
    /// The rows of a window store that keeps duplicates, for a join of streams. Nothing in it is compacted: Kafka Streams counts
    /// duplicates from 0 again when it starts, so a key may come twice and mean two rows.
    DuplicatesChangelog {
        /// How long the store keeps rows, in record time.
        retention: Duration,
    },
    /// The rows of a versioned store: of each key every record that is not older than its retention.
    VersionedChangelog {
        /// How long the store keeps versions, in record time.
        retention: Duration,
    },
}

impl TopicKind {
    /// Whether it holds the rows of a store.
    pub fn is_changelog(self) -> bool {
        !matches!(self, TopicKind::Repartition | TopicKind::Answers)
    }

    /// The topic's settings as Kafka Streams makes it, by their names in Kafka, in that order. What is not named is the
    /// broker's to decide.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill_dsl::topology::TopicKind;
    ///
    /// let configs = TopicKind::WindowChangelog { retention: Duration::from_secs(3_600) }.configs();
    /// let shown: Vec<String> = configs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    /// assert_eq!(shown, ["cleanup.policy=compact,delete", "message.timestamp.type=CreateTime", "retention.ms=90000000"]);
    /// ```
    pub fn configs(self) -> Vec<(&'static str, String)> {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX).to_string();
        let mut configs = vec![("message.timestamp.type", "CreateTime".to_owned())];
        configs.extend(match self {
            TopicKind::Repartition => vec![
                ("cleanup.policy", "delete".into()),
                ("retention.ms", "-1".into()),
                ("segment.bytes", "52428800".into()),
            ],
            TopicKind::Answers => {
                vec![("cleanup.policy", "delete".into()), ("retention.ms", millis(ANSWERS_KEPT))]
            }
            TopicKind::Changelog => vec![("cleanup.policy", "compact".into())],
            TopicKind::WindowChangelog { retention } => vec![
                ("cleanup.policy", "compact,delete".into()),
                ("retention.ms", millis(retention.saturating_add(DAY))),
            ],
            TopicKind::DuplicatesChangelog { retention } => {
                vec![("cleanup.policy", "delete".into()), ("retention.ms", millis(retention.saturating_add(DAY)))]
            }
            TopicKind::VersionedChangelog { retention } => vec![
                ("cleanup.policy", "compact".into()),
                ("min.compaction.lag.ms", millis(retention.saturating_add(DAY))),
            ],
        });
        configs.sort();
        configs
    }
}
