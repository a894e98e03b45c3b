//! How to reach a Kafka cluster, and what is asked of it.
//!
//! Rule: what the engine's promises rest on is set by the engine alone; a setting that would change it is refused, with the reason.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_dsl::record::TopicName;

use super::security::Security;

/// What becomes of a record when something dies in the middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarantee {
    /// It may be processed again, and what came of it may be there twice; it is never left out. Readers see records of open
    /// and aborted transactions of others.
    AtLeastOnce,
    /// Its effects are there once: outputs, changelogs and positions are committed in one transaction, and readers see committed
    /// records only.
    #[default]
    ExactlyOnce,
}

/// How the processes of an application agree on who works on what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// `Consumer` where the brokers have it, else `Classic`.
    #[default]
    Auto,
    /// The brokers decide (KIP-848, Kafka 4.0 and later): only what moves is stopped.
    Consumer,
    /// A member decides; with every change all members stop and give everything back.
    Classic,
}

/// How to reach a Kafka cluster, and what is asked of it.
///
/// ```
/// use tidemill::log::kafka::{Guarantee, KafkaSettings};
///
/// let settings = KafkaSettings { guarantee: Guarantee::AtLeastOnce, ..KafkaSettings::new("localhost:9092") };
/// assert_eq!(settings.brokers, "localhost:9092");
/// ```
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// Some of the cluster's brokers, `host:port`, separated by commas.
    pub brokers: String,
    /// What becomes of a record when something dies in the middle.
    pub guarantee: Guarantee,
    /// On how many brokers each partition of a topic that the engine creates lies; `None`: what the brokers say.
    pub replication: Option<u16>,
    /// How long a call may wait for the cluster before it fails.
    pub answer_within: Duration,
    /// How long a transaction may be open before the brokers abort it: more than the commit interval and the longest time that
    /// a record takes. At most what the brokers allow (`transaction.max.timeout.ms`, 15 minutes unless changed).
    pub transaction_timeout: Duration,
    /// How long a process may be silent before the others take its work.
    pub session_timeout: Duration,
    /// How long a process may go without asking what has become of its share before it is taken for stuck.
    pub poll_timeout: Duration,
    /// How the processes of an application agree on who works on what.
    pub group_protocol: GroupProtocol,
    /// How long a start waits for foreign members to leave the application's group, such as processes of Kafka Streams, before it is
    /// refused.
    pub foreign_members_wait: Duration,
    /// How many bytes of records are fetched ahead of each partition.
    pub fetch_ahead_bytes: usize,
    /// The compacted topic that keeps notes which belong to no partition; created when there is something to note.
    pub notes_topic: TopicName,
    /// How connections are encrypted, and who the program says it is.
    pub security: Security,
    /// Other settings of the client, librdkafka, by their names there. Unknown ones are refused, and those that the engine
    /// sets itself.
    pub client: BTreeMap<String, String>,
}

impl KafkaSettings {
    /// Exactly once, through connections that are not encrypted, with the times that Kafka's own clients use.
    pub fn new(brokers: impl Into<String>) -> Self {
        KafkaSettings {
            brokers: brokers.into(),
            guarantee: Guarantee::default(),
            replication: None,
            answer_within: Duration::from_secs(30),
            transaction_timeout: Duration::from_secs(60),
            session_timeout: Duration::from_secs(45),
            poll_timeout: Duration::from_secs(300),
            group_protocol: GroupProtocol::default(),
            foreign_members_wait: Duration::ZERO,
            fetch_ahead_bytes: 4 << 20,
            notes_topic: "tidemill-notes".into(),
            security: Security::default(),
            client: BTreeMap::new(),
        }
    }
}

impl From<&str> for KafkaSettings {
    /// The standard settings for these brokers.
    fn from(brokers: &str) -> Self {
        KafkaSettings::new(brokers)
    }
}

impl From<String> for KafkaSettings {
    /// The standard settings for these brokers.
    fn from(brokers: String) -> Self {
        KafkaSettings::new(brokers)
    }
}
