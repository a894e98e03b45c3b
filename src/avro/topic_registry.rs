//! Schemas on a compacted topic: as Kaa keeps them, without a service of their own.
//!
//! ```text
//! topic    schemas-v1, one partition, compacted
//! key      fingerprint i64, big-endian
//! value    the schema's text, UTF-8
//! ```
//! Rule: whoever asks has read the topic up to where it ended when they asked. So a schema that was put before its values were sent is
//! found, and one that is not found was never put.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;
use tidemill_avro::{AvroError, AvroErrorKind, Schema, SchemaId, SchemaRegistry};
use tidemill_dsl::record::{Batch, BatchBuilder, Headers, Offset, StoredRecord, TopicName, TopicPartition};

use crate::clock::{Clock, SystemClock};
use crate::log::{Append, Cleanup, Log, LogError, LogErrorKind, Notes, TopicConfig, TopicSpec};

const TOPIC: &str = "schemas-v1";
const READ_BYTES: usize = 1 << 20;

/// Schemas on a topic of a log: the embedded one, Kafka, or memory.
///
/// A schema is read from the topic once, and written there if its id is not there yet. The id does not tell logical types, defaults and
/// documentation apart, so of several texts the topic keeps the last, as Kaa's does.
///
/// ```
/// use std::sync::Arc;
/// use tidemill::avro::{Codec, SingleObject, TopicRegistry};
/// use tidemill::log::MemoryLog;
/// use tidemill::serde::Serde as _;
///
/// let log = Arc::new(MemoryLog::new());
/// let names = SingleObject::<String>::new(Codec::derived()?, Arc::new(TopicRegistry::open(log.clone())?));
/// let mut bytes = Vec::new();
/// names.write(&"alice".to_owned(), &mut bytes)?;
///
/// // Another process has a registry of its own on the same topic.
/// let texts = SingleObject::<String>::new(Codec::derived()?, Arc::new(TopicRegistry::open(log)?));
/// assert_eq!(texts.read(&bytes)?, "alice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TopicRegistry {
    log: Arc<dyn Log>,
    partition: TopicPartition,
    clock: Box<dyn Clock>,
    known: Mutex<Known>,
}

/// The topic, as far as it was read.
#[derive(Default)]
struct Known {
    next: Offset,
    schemas: HashMap<SchemaId, Result<Schema, String>>,
}

impl TopicRegistry {
    /// On the topic that Kaa uses, `schemas-v1`, which is created if there is none.
    ///
    /// # Errors
    ///
    /// [`AvroErrorKind::Registry`] when the topic cannot be created, or has more than one partition.
    pub fn open(log: Arc<dyn Log>) -> Result<Self, AvroError> {
        TopicRegistry::on_topic(log, TOPIC)
    }

    /// On a topic of another name.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn on_topic(log: Arc<dyn Log>, topic: impl Into<TopicName>) -> Result<Self, AvroError> {
        let config = TopicConfig { cleanup: Cleanup::Compact, ..TopicConfig::default() };
        let spec = TopicSpec { config, ..TopicSpec::new(topic, 1) };
        log.create_topic(&spec).map_err(|error| unreachable_topic(&spec.name, error))?;
        let partition = TopicPartition::new(spec.name, 0);
        Ok(TopicRegistry { log, partition, clock: Box::new(SystemClock), known: Mutex::default() })
    }

    /// Gives the times of the topic's records, which nothing depends on.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        TopicRegistry { clock: Box::new(clock), ..self }
    }

    /// The ids of all schemas that the topic has, in order.
    ///
    /// # Errors
    ///
    /// [`AvroErrorKind::Registry`] when the topic cannot be read.
    pub fn ids(&self) -> Result<Vec<SchemaId>, AvroError> {
        let mut known = self.lock();
        self.read_on(&mut known)?;
        let mut ids: Vec<SchemaId> = known.schemas.keys().copied().collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the topic up to its end.
    fn read_on(&self, known: &mut Known) -> Result<(), AvroError> {
        let failed = |error| unreachable_topic(&self.partition.topic, error);
        let mut bounds = self.log.settled(&self.partition).map_err(failed)?;
        known.next = known.next.max(bounds.start);
        while known.next < bounds.end {
            let batches = match self.log.read(&self.partition, known.next, READ_BYTES) {
                // Its beginning was removed meanwhile.
                Err(gone) if gone.kind() == LogErrorKind::OutOfRange => {
                    bounds = self.log.bounds(&self.partition).map_err(failed)?;
                    known.next = known.next.max(bounds.start);
                    continue;
                }
                batches => batches.map_err(failed)?,
            };
            let Some(last) = batches.last() else { break };
            let next = last.end();
            batches.iter().for_each(|batch| known.add(batch));
            known.next = next;
        }
        Ok(())
    }

    /// What is known of an id; the topic is read only where it is new.
    fn find(&self, known: &mut Known, id: SchemaId) -> Result<Option<Schema>, AvroError> {
        if !known.schemas.contains_key(&id) {
            self.read_on(known)?;
        }
        match known.schemas.get(&id) {
            None => Ok(None),
            Some(Ok(schema)) => Ok(Some(schema.clone())),
            Some(Err(message)) => Err(AvroError::new(
                AvroErrorKind::Schema,
                format!("`{}` has no schema under {id} that can be read: {message}", self.partition.topic),
            )),
        }
    }
}

impl Known {
    fn add(&mut self, batch: &Batch) {
        let next = self.next;
        let added = batch.for_each(|at, record| {
            if at >= next {
                self.take(&record);
            }
            Ok::<_, Infallible>(())
        });
        match added {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    /// Takes a record; one whose key is no id is none of ours.
    fn take(&mut self, record: &StoredRecord<'_>) {
        let Some(id) = record.key.and_then(|key| key.try_into().ok()).map(SchemaId::from_be_bytes) else { return };
        match record.value {
            None => drop(self.schemas.remove(&id)),
            Some(value) => {
                let text = std::str::from_utf8(value).map_err(|error| error.to_string());
                let schema = text.and_then(|text| Schema::parse(text).map_err(|error| error.to_string()));
                self.schemas.insert(id, schema);
            }
        }
    }
}

impl SchemaRegistry for TopicRegistry {
    fn put(&self, schema: &Schema) -> Result<(), AvroError> {
        let mut known = self.lock();
        // One that cannot be read is written again.
        if matches!(self.find(&mut known, schema.id()), Ok(Some(_))) {
            return Ok(());
        }
        let mut records = BatchBuilder::default();
        let (key, value) = (schema.id().to_be_bytes(), schema.text().as_bytes());
        records.push(self.clock.now(), Some(&key), Some(value), &Headers::NONE);
        let append = Append { to: self.partition.clone(), records: records.finish(Offset::ZERO) };
        let appended = self.log.append(vec![append], "", Notes::new());
        appended.map_err(|error| unreachable_topic(&self.partition.topic, error))?;
        known.schemas.insert(schema.id(), Ok(schema.clone()));
        Ok(())
    }

    fn get(&self, id: SchemaId) -> Result<Option<Schema>, AvroError> {
        self.find(&mut self.lock(), id)
    }
}

fn unreachable_topic(topic: &TopicName, error: LogError) -> AvroError {
    AvroError::new(AvroErrorKind::Registry, format!("cannot use `{topic}` as a registry of schemas: {error}"))
        .with_source(error)
}

impl fmt::Debug for TopicRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicRegistry").field("topic", &self.partition.topic).finish_non_exhaustive()
    }
}
