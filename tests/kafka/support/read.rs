//! Reads output with a plain client that sees committed records only.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::waiting::{Deadline, LIMIT};

const POLL: Duration = Duration::from_millis(100);

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Output {
    /// The key as text; empty where there is none.
    pub(crate) fn text_key(&self) -> String {
        String::from_utf8_lossy(self.key.as_deref().unwrap_or_default()).into_owned()
    }

    /// The value as an eight-byte number; `None` for a value that is none.
    pub(crate) fn long(&self) -> Option<i64> {
        Some(i64::from_be_bytes(self.value.as_deref()?.try_into().ok()?))
    }

    fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        let owned =
            |header: rdkafka::message::Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
        Output {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.map(owned).collect(),
        }
    }
}

/// Reads all partitions of a topic from their starts, and goes on where it was.
pub(crate) struct Reader {
    brokers: String,
    client: RefCell<BaseConsumer>,
    topic: String,
    /// Where each partition goes on.
    next: RefCell<BTreeMap<i32, Offset>>,
}

impl Reader {
    pub(crate) fn new(brokers: &str, topic: &str) -> Self {
        let client = consumer(brokers);
        let metadata = client.fetch_metadata(Some(topic), LIMIT).unwrap();
        let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
        let found = found.unwrap_or_else(|| panic!("there is no topic `{topic}`"));
        let next = found.partitions().iter().map(|partition| (partition.id(), Offset::Beginning)).collect();
        let (brokers, client) = (brokers.to_owned(), RefCell::new(client));
        let reader = Reader { brokers, client, topic: topic.to_owned(), next: RefCell::new(next) };
        reader.begin_where_it_was();
        reader
    }

    /// What has been committed since the last call, up to the ends as they are now.
    pub(crate) fn to_the_end(&self) -> Vec<Output> {
        let (deadline, mut found) = (Deadline::after(LIMIT), Vec::new());
        let mut open: BTreeSet<i32> = self.next.borrow().keys().copied().collect();
        // An end is told once: those that were told in an earlier call are told again to a client that begins anew. One that is only
        // assigned anew may still hand out what it had fetched before.
        *self.client.borrow_mut() = consumer(&self.brokers);
        self.begin_where_it_was();
        while !open.is_empty() {
            assert!(!deadline.is_over(), "the end of `{}` was not reached; {} records so far", self.topic, found.len());
            match self.client.borrow().poll(POLL) {
                Some(Ok(message)) => found.push(self.take(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => _ = open.remove(&partition),
                // The broker may be away for a while; the deadline says for how long.
                Some(Err(_)) | None => {}
            }
        }
        found
    }

    /// Reads until what was read since the start of this call is enough; panics when it never is.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut enough: impl FnMut(&[Output]) -> bool) -> Vec<Output> {
        let (deadline, mut found) = (Deadline::after(LIMIT), Vec::new());
        while !enough(&found) {
            assert!(
                !deadline.is_over(),
                "{what}: not in `{}`, which has {} records: {found:?}",
                self.topic,
                found.len()
            );
            if let Some(Ok(message)) = self.client.borrow().poll(POLL) {
                found.push(self.take(&message));
            }
        }
        found
    }

    fn begin_where_it_was(&self) {
        let mut assignment = TopicPartitionList::new();
        for (partition, next) in self.next.borrow().iter() {
            assignment.add_partition_offset(&self.topic, *partition, *next).unwrap();
        }
        self.client.borrow().assign(&assignment).unwrap();
    }

    fn take(&self, message: &BorrowedMessage<'_>) -> Output {
        self.next.borrow_mut().insert(message.partition(), Offset::Offset(message.offset() + 1));
        Output::of(message)
    }
}

fn consumer(brokers: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "none").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    config.set("auto.offset.reset", "error").set("allow.auto.create.topics", "false");
    config.create().unwrap()
}

/// All committed records of a topic, each partition in order.
pub(crate) fn read_all(brokers: &str, topic: &str) -> Vec<Output> {
    Reader::new(brokers, topic).to_the_end()
}

/// The offsets after the last records of a topic's partitions.
pub(crate) fn ends(brokers: &str, topic: &str, partitions: u32) -> Vec<i64> {
    let client = consumer(brokers);
    let partitions = 0..i32::try_from(partitions).unwrap();
    partitions.map(|partition| client.fetch_watermarks(topic, partition, LIMIT).unwrap().1).collect()
}
