//! A topic that a test reads records from.

use std::sync::Arc;

use tidemill::Topic;
use tidemill::record::{Batch, Headers, Offset, Timestamp};
use tidemill::serde::{Data, SerdeRef};

use super::TestDriver;

/// A record as it was written, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: Offset,
    /// The key's bytes.
    pub key: Option<Vec<u8>>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The time.
    pub timestamp: Timestamp,
    /// The headers.
    pub headers: Headers,
}

impl RawRecord {
    pub(super) fn read_all(partition: u32, batch: &Arc<Batch>, out: &mut Vec<RawRecord>) {
        let mut records = batch.records();
        while let Some(record) = records.peek() {
            out.push(RawRecord {
                partition,
                offset: records.offset(),
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                timestamp: record.timestamp,
                headers: record.headers().expect("a task writes headers that can be read"),
            });
            records.advance();
        }
    }
}

/// A record as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputRecord<K, V> {
    /// The key; `None` for a null.
    pub key: Option<K>,
    /// The value; `None` for a null.
    pub value: Option<V>,
    /// The time.
    pub timestamp: Timestamp,
    /// The headers.
    pub headers: Headers,
}

/// A topic to read typed records from. Every call takes what was written since the last one, all partitions together in
/// the order of writing.
///
/// # Panics
///
/// When the bytes are not of the topic's types, or a null is met where a value was asked for.
pub struct Output<'d, K: 'static, V: 'static> {
    driver: &'d mut TestDriver,
    topic: Topic<K, V>,
}

impl<'d, K: Data, V: Data> Output<'d, K, V> {
    pub(super) fn new(driver: &'d mut TestDriver, topic: Topic<K, V>) -> Self {
        Output { driver, topic }
    }

    /// The records with their times and headers.
    pub fn records(&mut self) -> Vec<OutputRecord<K, V>> {
        let raw = self.driver.take_raw(self.topic.name());
        let typed = |record: RawRecord| OutputRecord {
            key: record.key.map(|bytes| self.read(self.topic.key_serde(), "key", &bytes)),
            value: record.value.map(|bytes| self.read(self.topic.value_serde(), "value", &bytes)),
            timestamp: record.timestamp,
            headers: record.headers,
        };
        raw.into_iter().map(typed).collect()
    }

    fn read<T>(&self, serde: &SerdeRef<T>, part: &str, bytes: &[u8]) -> T {
        serde
            .read(bytes)
            .unwrap_or_else(|error| panic!("a {part} of topic `{}` cannot be read: {error}", self.topic.name()))
    }

    /// Keys and values.
    pub fn key_values(&mut self) -> Vec<(K, V)> {
        let name = self.topic.name().to_owned();
        let both =
            |record: OutputRecord<K, V>| (present(record.key, "key", &name), present(record.value, "value", &name));
        self.records().into_iter().map(both).collect()
    }

    /// Values.
    pub fn values(&mut self) -> Vec<V> {
        let name = self.topic.name().to_owned();
        self.records().into_iter().map(|record| present(record.value, "value", &name)).collect()
    }

    /// Values, `None` for a null.
    pub fn optional_values(&mut self) -> Vec<Option<V>> {
        self.records().into_iter().map(|record| record.value).collect()
    }
}

/// What is there, or what the type has for a null.
fn present<T: Data>(value: Option<T>, part: &str, topic: &str) -> T {
    value.or_else(T::absent).unwrap_or_else(|| panic!("a {part} of topic `{topic}` is null: read it with `records`"))
}
