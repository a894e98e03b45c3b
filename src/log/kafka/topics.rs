//! Topics: what there are, and what becomes of their records.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::MetadataTopic;
use tidemill_dsl::record::{Offset, TopicName, TopicPartition, name_fault};

use super::super::{Bounds, Cleanup, LogError, LogErrorKind, TopicConfig, TopicId, TopicSpec};
use super::client::{self, Quiet};
use super::fault::{coded, fault, late};
use super::native;
use super::reader::number;
use super::settings::KafkaSettings;

/// How often it is asked whether brokers have heard of a change.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Administers topics.
pub(super) struct Topics {
    admin: AdminClient<Quiet>,
    brokers: String,
    limit: Duration,
    replication: Option<u16>,
    /// How many partitions topics have, which never shrink.
    known: Mutex<BTreeMap<TopicName, u32>>,
}

impl Topics {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, LogError> {
        let admin = client::admin(settings)?
            .create_with_context(Quiet::default())
            .map_err(|error| fault("cannot make a client that administers topics", &error))?;
        Ok(Topics {
            admin,
            brokers: settings.brokers.clone(),
            limit: settings.answer_within,
            replication: settings.replication,
            known: Mutex::default(),
        })
    }

    /// The client, for questions that concern no topic.
    pub(super) fn client(&self) -> &Client<Quiet> {
        self.admin.inner()
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.limit)).operation_timeout(Some(self.limit))
    }

    /// An error when nobody answers.
    pub(super) fn reach(&self) -> Result<(), LogError> {
        let answer = self.client().fetch_metadata(Some("tidemill-notes"), self.limit);
        answer.map(drop).map_err(|error| self.explain("cannot reach the cluster", &error))
    }

    fn explain(&self, what: &str, error: &KafkaError) -> LogError {
        match error.rdkafka_error_code() {
            Some(Code::OperationTimedOut | Code::BrokerTransportFailure | Code::AllBrokersDown) => {
                late(what, &self.brokers, self.limit)
            }
            _ => fault(what, error),
        }
    }

    pub(super) fn create(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let configs = configs_of(&spec.config).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.create_with(&spec.name, spec.partitions, &configs)
    }

    /// Creates a topic that is set so.
    pub(super) fn create_with(
        &self,
        name: &str,
        count: u32,
        configs: &BTreeMap<String, String>,
    ) -> Result<(), LogError> {
        let what = format!("cannot create topic `{name}`");
        let invalid = |reason: &str| Err(LogError::new(LogErrorKind::Invalid, format!("{what}: {reason}")));
        if !is_name(name) {
            return invalid("use 1 to 249 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`");
        }
        if count == 0 {
            return invalid("it needs one partition at least");
        }
        let partitions = i32::try_from(count).unwrap_or(i32::MAX);
        let replication = self.replication.map_or(-1, i32::from);
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replication));
        topic = configs.iter().fold(topic, |topic, (name, value)| topic.set(name, value));
        let answer = wait(self.admin.create_topics([&topic], &self.options()));
        match answer.map_err(|error| self.explain(&what, &error))?.into_iter().next() {
            // Whoever else made it just now is answered before all brokers have heard of it.
            Some(Err((_, Code::TopicAlreadyExists))) => match self.heard(&what, || self.partitions_told(name))? {
                there if there == count => Ok(()),
                there => invalid(&format!("it is there with {there} partitions, not {count}")),
            },
            Some(Err((_, code))) => Err(coded(&what, code)),
            _ => self.heard(&what, || Ok(self.partitions_told(name)?.filter(|there| *there == count))).map(drop),
        }
    }

    /// Waits until brokers have heard of a change. Gives what they say then.
    fn heard<T>(&self, what: &str, heard: impl Fn() -> Result<Option<T>, LogError>) -> Result<T, LogError> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(heard) = heard()? {
                return Ok(heard);
            }
            if waited > self.limit {
                return Err(late(what, &self.brokers, self.limit));
            }
            // Brokers tell nobody when they have heard of a topic, so they are asked again.
            thread::park_timeout(ASK_EVERY);
            waited += ASK_EVERY;
        }
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), LogError> {
        let what = format!("cannot delete topic `{name}`");
        let answer = wait(self.admin.delete_topics(&[name], &self.options()));
        self.lock_known().remove(name);
        match answer.map_err(|error| self.explain(&what, &error))?.into_iter().next() {
            Some(Err((_, code))) => Err(coded(&what, code)),
            _ => self.heard(&what, || Ok(self.partitions_told(name)?.is_none().then_some(()))),
        }
    }

    fn lock_known(&self) -> std::sync::MutexGuard<'_, BTreeMap<TopicName, u32>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many partitions a topic has; `None` for one that does not exist.
    pub(super) fn partitions(&self, name: &str) -> Result<Option<u32>, LogError> {
        let known = self.lock_known().get(name).copied();
        match known {
            Some(partitions) => Ok(Some(partitions)),
            None => self.partitions_told(name),
        }
    }

    /// An error unless the partition exists.
    pub(super) fn check(&self, partition: &TopicPartition) -> Result<(), LogError> {
        let missing = |message| Err(LogError::new(LogErrorKind::UnknownTopic, message));
        match self.partitions(&partition.topic)? {
            None => missing(format!("there is no topic `{}`: create it first", partition.topic)),
            Some(count) if partition.partition < count => Ok(()),
            // Somebody may have added partitions.
            Some(_) => match self.partitions_told(&partition.topic)? {
                Some(count) if partition.partition < count => Ok(()),
                count => missing(format!(
                    "there is no partition {} of topic `{}`, which has {}",
                    partition.partition,
                    partition.topic,
                    count.unwrap_or_default()
                )),
            },
        }
    }

    /// The same, asked anew.
    fn partitions_told(&self, name: &str) -> Result<Option<u32>, LogError> {
        if !is_name(name) {
            return Ok(None);
        }
        let what = format!("cannot ask for topic `{name}`");
        let metadata =
            self.client().fetch_metadata(Some(name), self.limit).map_err(|error| self.explain(&what, &error))?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Ok(None) };
        let partitions = count_of(topic, &what)?;
        match partitions {
            Some(count) => self.lock_known().insert(name.into(), count),
            None => self.lock_known().remove(name),
        };
        Ok(partitions)
    }

    pub(super) fn spec(&self, name: &str) -> Result<Option<TopicSpec>, LogError> {
        let Some(partitions) = self.partitions_told(name)? else { return Ok(None) };
        Ok(self.specs(vec![(name.into(), partitions)])?.pop())
    }

    /// All topics but the brokers' own and `hidden`, by name.
    pub(super) fn all(&self, hidden: &str) -> Result<Vec<TopicSpec>, LogError> {
        let what = "cannot ask for the topics";
        let metadata = self.client().fetch_metadata(None, self.limit).map_err(|error| self.explain(what, &error))?;
        let mut found = Vec::new();
        for topic in metadata.topics().iter().filter(|topic| !topic.name().starts_with("__") && topic.name() != hidden)
        {
            found.extend(count_of(topic, what)?.map(|count| (TopicName::from(topic.name()), count)));
        }
        found.sort();
        self.specs(found)
    }

    fn specs(&self, topics: Vec<(TopicName, u32)>) -> Result<Vec<TopicSpec>, LogError> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let what = "cannot ask for the settings of topics";
        let wanted: Vec<_> = topics.iter().map(|(name, _)| ResourceSpecifier::Topic(name)).collect();
        let answer = wait(self.admin.describe_configs(&wanted, &self.options()));
        let described = answer.map_err(|error| self.explain(what, &error))?;
        let mut specs = Vec::with_capacity(topics.len());
        for ((name, partitions), described) in topics.into_iter().zip(described) {
            match described {
                Ok(resource) => specs.push(TopicSpec { name, partitions, config: config_of(&resource) }),
                // It was deleted meanwhile.
                Err(Code::UnknownTopicOrPartition) => {}
                Err(code) => return Err(coded(&format!("cannot ask for the settings of topic `{name}`"), code)),
            }
        }
        Ok(specs)
    }

    pub(super) fn id(&self, name: &str) -> Result<Option<TopicId>, LogError> {
        let id = native::topic_id(self.client(), name, self.limit);
        let id = id.map_err(|code| coded(&format!("cannot ask for the id of topic `{name}`"), code))?;
        Ok(id.map(TopicId::new))
    }

    /// The end of what was written, transactions that are open among it.
    pub(super) fn written_end(&self, partition: &TopicPartition) -> Result<Offset, LogError> {
        ends(self.client(), partition, &self.brokers, self.limit).map(|bounds| bounds.end)
    }

    /// Lets a partition begin at `before`, which is not behind its end.
    pub(super) fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<(), LogError> {
        let what = format!("cannot delete the records of `{partition}` before {before}");
        let mut list = TopicPartitionList::with_capacity(1);
        let at = rdkafka::Offset::Offset(before.get().cast_signed());
        list.add_partition_offset(&partition.topic, number(partition), at).map_err(|error| fault(&what, &error))?;
        let answer = wait(self.admin.delete_records(&list, &self.options()));
        let done = answer.map_err(|error| self.explain(&what, &error))?;
        done.elements().iter().try_for_each(|part| part.error()).map_err(|error| fault(&what, &error))
    }
}

/// Start and end of a partition that exists, as its leader says and `client` may see them.
pub(super) fn ends<C: ClientContext>(
    client: &Client<C>,
    partition: &TopicPartition,
    brokers: &str,
    limit: Duration,
) -> Result<Bounds, LogError> {
    let what = format!("cannot ask for the ends of `{partition}`");
    let mut waited = Duration::ZERO;
    loop {
        let offset = |number: i64| Offset::new(u64::try_from(number).unwrap_or_default());
        let error = match client.fetch_watermarks(&partition.topic, number(partition), limit) {
            Ok((start, end)) => return Ok(Bounds { start: offset(start), end: offset(end) }),
            Err(error) => error,
        };
        match error.rdkafka_error_code() {
            // It is new, or has moved.
            Some(
                Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::BrokerTransportFailure,
            ) if waited < limit => {
                thread::park_timeout(ASK_EVERY);
                waited += ASK_EVERY;
            }
            Some(Code::OperationTimedOut | Code::BrokerTransportFailure) => return Err(late(&what, brokers, limit)),
            _ => return Err(fault(&what, &error)),
        }
    }
}

/// How many partitions a topic has, of which each has a leader; `None` for one that does not exist.
fn count_of(topic: &MetadataTopic, what: &str) -> Result<Option<u32>, LogError> {
    match topic.error().map(Code::from) {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::LeaderNotAvailable) => return Ok(None),
        Some(code) => return Err(coded(what, code)),
        None => {}
    }
    let led = topic.partitions().iter().all(|partition| partition.leader() >= 0);
    Ok((led && !topic.partitions().is_empty()).then(|| u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX)))
}

fn is_name(name: &str) -> bool {
    name_fault(name, 249).is_none()
}

/// What a topic is created with, besides what brokers do unless told otherwise.
fn configs_of(config: &TopicConfig) -> Vec<(&'static str, String)> {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX).to_string();
    let cleanup = match config.cleanup {
        Cleanup::Delete => "delete",
        Cleanup::Compact => "compact",
        Cleanup::CompactAndDelete => "compact,delete",
    };
    let default = TopicConfig::default();
    let mut configs = vec![("cleanup.policy", cleanup.to_owned()), ("message.timestamp.type", "CreateTime".to_owned())];
    match config.retention {
        Some(time) => configs.push(("retention.ms", millis(time))),
        None if config.cleanup.deletes() => configs.push(("retention.ms", "-1".to_owned())),
        None => {}
    }
    configs.extend(config.retention_bytes.map(|bytes| ("retention.bytes", bytes.to_string())));
    if config.tombstones != default.tombstones {
        configs.push(("delete.retention.ms", millis(config.tombstones)));
    }
    if config.compaction_lag != default.compaction_lag {
        configs.push(("min.compaction.lag.ms", millis(config.compaction_lag)));
    }
    configs
}

/// What a topic was created with. Of times that do not matter for its kind, those count that were set for it.
fn config_of(resource: &ConfigResource) -> TopicConfig {
    let entries = resource.entry_map();
    let value = |name: &str| entries.get(name).and_then(|entry| entry.value.as_deref());
    let own = |name: &str| entries.get(name).is_some_and(|entry| entry.source == ConfigSource::DynamicTopic);
    let number = |name: &str| value(name).and_then(|value| value.parse::<i64>().ok());
    let positive = |name: &str| number(name).and_then(|number| u64::try_from(number).ok());
    let policy = value("cleanup.policy").unwrap_or_default();
    let cleanup = match (policy.contains("compact"), policy.contains("delete")) {
        (true, true) => Cleanup::CompactAndDelete,
        (true, false) => Cleanup::Compact,
        _ => Cleanup::Delete,
    };
    let counts = |name| cleanup.deletes() || own(name);
    TopicConfig {
        cleanup,
        retention: positive("retention.ms").filter(|_| counts("retention.ms")).map(Duration::from_millis),
        retention_bytes: positive("retention.bytes").filter(|_| counts("retention.bytes")),
        tombstones: positive("delete.retention.ms").map_or(TopicConfig::default().tombstones, Duration::from_millis),
        compaction_lag: positive("min.compaction.lag.ms").map_or(Duration::ZERO, Duration::from_millis),
    }
}

/// Waits for what the client does in a thread of its own.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, mut context) = (pin!(future), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return answer,
            // The client answers every question within its limit.
            Poll::Pending => thread::park(),
        }
    }
}
