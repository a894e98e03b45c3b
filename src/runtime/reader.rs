//! Reads a topic's committed records from outside the topology.

use std::sync::Arc;

use tidemill_dsl::Topic;
use tidemill_dsl::record::{Headers, Offset, Timestamp, TopicPartition};
use tidemill_dsl::serde::{Data, SerdeError};

use crate::error::{Error, ErrorKind};
use crate::log::Log;

/// How many bytes are read at once.
const READ_BYTES: usize = 1 << 20;

/// A record that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadRecord<K, V> {
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: Offset,
    /// The key.
    pub key: K,
    /// The value; `None` for a tombstone.
    pub value: Option<V>,
    /// The time.
    pub timestamp: Timestamp,
    /// The headers.
    pub headers: Headers,
}

/// Reads the committed records of a topic, from the first that is kept, partition by partition.
pub struct Reader<K: 'static, V: 'static> {
    log: Arc<dyn Log>,
    topic: Topic<K, V>,
    places: Vec<(TopicPartition, Offset)>,
}

impl<K: Data, V: Data> Reader<K, V> {
    pub(super) fn new(log: Arc<dyn Log>, topic: &Topic<K, V>) -> Result<Self, Error> {
        let spec = log.topic(topic.name())?.ok_or_else(|| unknown_topic(topic.name()))?;
        let place = |partition| {
            let partition = TopicPartition::new(spec.name.clone(), partition);
            let start = log.bounds(&partition)?.start;
            Ok((partition, start))
        };
        let places = (0..spec.partitions).map(place).collect::<Result<_, Error>>()?;
        Ok(Reader { log, topic: topic.clone(), places })
    }

    /// The next records of the lowest partition that has any, in their order; empty at the end of what is committed now.
    ///
    /// So a topic that nobody writes to is read partition by partition, always in the same order.
    pub fn read(&mut self) -> Result<Vec<ReadRecord<K, V>>, Error> {
        let (mut records, topic) = (Vec::new(), &self.topic);
        for (partition, next) in &mut self.places {
            for batch in self.log.read(partition, *next, READ_BYTES)? {
                let from = *next;
                batch.for_each(|offset, stored| {
                    if offset < from {
                        return Ok(());
                    }
                    let fail = |part: &str, cause: SerdeError| {
                        let message = format!("the {part} of record {offset} of `{partition}` cannot be read: {cause}");
                        Error::new(ErrorKind::Invalid, message)
                    };
                    let key = topic.key_serde().read_nullable(stored.key).map_err(|cause| fail("key", cause))?;
                    let value = stored.value.map(|bytes| topic.value_serde().read(bytes)).transpose();
                    let headers =
                        stored.headers().map_err(|cause| fail("header", SerdeError::new(cause.to_string())))?;
                    records.push(ReadRecord {
                        partition: partition.partition,
                        offset,
                        key,
                        value: value.map_err(|cause| fail("value", cause))?,
                        timestamp: stored.timestamp,
                        headers,
                    });
                    Ok::<_, Error>(())
                })?;
                *next = batch.end();
            }
            if !records.is_empty() {
                break;
            }
        }
        Ok(records)
    }
}

/// The error for a topic that does not exist.
pub(super) fn unknown_topic(topic: &str) -> Error {
    let message = format!("topic `{topic}` does not exist: create it, or name one that the topology reads or writes");
    Error::new(ErrorKind::Unknown, message)
}
