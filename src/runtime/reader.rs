//! Reads a topic's committed records from outside the topology.

use std::sync::Arc;

use tidemill_dsl::Topic;
use tidemill_dsl::record::{Headers, Offset, StoredRecord, Timestamp, TopicPartition};
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
    ///
    /// # Errors
    ///
    /// `Invalid` at a record that is not of the topic's types: first come the records before it, then, at every call, this.
    pub fn read(&mut self) -> Result<Vec<ReadRecord<K, V>>, Error> {
        let mut records = Vec::new();
        for (partition, next) in &mut self.places {
            for batch in self.log.read(partition, *next, READ_BYTES)? {
                let from = *next;
                let all = batch.for_each(|offset, stored| {
                    if offset >= from {
                        records.push(typed(&self.topic, partition, offset, &stored)?);
                        *next = offset.next();
                    }
                    Ok(())
                });
                match all {
                    Ok(()) => *next = batch.end(),
                    Err(_) if !records.is_empty() => return Ok(records),
                    Err(error) => return Err(error),
                }
            }
            if !records.is_empty() {
                break;
            }
        }
        Ok(records)
    }
}

/// Gives a stored record its types.
fn typed<K: Data, V: Data>(
    topic: &Topic<K, V>,
    partition: &TopicPartition,
    offset: Offset,
    stored: &StoredRecord<'_>,
) -> Result<ReadRecord<K, V>, Error> {
    let fail = |part: &str, cause: SerdeError| {
        let message = format!(
            "the {part} of record {offset} of `{partition}` cannot be read: {cause}; read the topic with the types that it \
             was written with"
        );
        Error::new(ErrorKind::Invalid, message)
    };
    let key = topic.key_serde().read_nullable(stored.key).map_err(|cause| fail("key", cause))?;
    let value = stored.value.map(|bytes| topic.value_serde().read(bytes)).transpose();
    let headers = stored.headers().map_err(|cause| fail("header", SerdeError::new(cause.to_string())))?;
    Ok(ReadRecord {
        partition: partition.partition,
        offset,
        key,
        value: value.map_err(|cause| fail("value", cause))?,
        timestamp: stored.timestamp,
        headers,
    })
}

/// The error for a topic that does not exist.
pub(super) fn unknown_topic(topic: &str) -> Error {
    let message = format!("topic `{topic}` does not exist: create it, or name one that the topology reads or writes");
    Error::new(ErrorKind::Unknown, message)
}
