//! Collects what a task writes, per topic and partition, until its driver takes it.

use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;

use super::ProcessError;
use crate::record::{Batch, BatchBuilder, BatchLength, Headers, Offset, Timestamp, TopicName, TopicPartition};
use crate::record::{Partitioner, Partitions, partition_of, partition_of_record};
use crate::serde::{Serde, SerdeError};

/// Says how many partitions a topic has.
pub trait PartitionCounts: Send + Sync {
    /// The number of partitions of a topic; `None` when there is no such topic.
    fn partitions(&self, topic: &str) -> Option<u32>;
}

/// What of a key decides the partition, where no partitioner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlacedBy {
    /// The key, without its window if it has one: topics of the outside world.
    Key,
    /// All its bytes: repartition topics, as in Kafka Streams.
    AllOfIt,
}

/// Records on their way out of a task, as bytes.
pub struct Outputs {
    topics: Vec<OutputTopic>,
    numbers: HashMap<TopicName, usize>,
    /// Partitions with records, in the order of their first one.
    written: Vec<(usize, u32)>,
    /// Whether one of them is read by this application itself.
    looped: bool,
    counts: Arc<dyn PartitionCounts>,
    reads: Box<OwnInput>,
    key_buffer: Vec<u8>,
    record_bytes_max: usize,
    /// Whether a sink has sent something since the step began.
    sent: bool,
    /// What the buffers were before each record of the step, newest last; `None`: nothing is ever taken back.
    journal: Option<Vec<BufferLength>>,
}

/// How long a buffer was.
struct BufferLength {
    topic: usize,
    partition: u32,
    length: BatchLength,
}

/// Whether the application itself reads a topic.
type OwnInput = dyn Fn(&str) -> bool + Send;

struct OutputTopic {
    name: TopicName,
    own_input: bool,
    partitions: Vec<BatchBuilder>,
    /// What was taken since somebody asked for it.
    taken: Transferred,
}

/// How much went from one place to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// Records.
    pub records: u64,
    /// Their bytes, as they are stored.
    pub bytes: u64,
}

impl Transferred {
    /// A batch more.
    pub fn add(&mut self, batch: &Batch) {
        *self += Transferred { records: batch.count().into(), bytes: batch.bytes().len() as u64 };
    }
}

impl std::ops::AddAssign for Transferred {
    fn add_assign(&mut self, more: Transferred) {
        self.records += more.records;
        self.bytes += more.bytes;
    }
}

impl Outputs {
    /// Buffers for `topics`; `reads` says whether the application itself reads one.
    pub(crate) fn new(
        topics: impl IntoIterator<Item = TopicName>,
        counts: Arc<dyn PartitionCounts>,
        reads: Box<OwnInput>,
        record_bytes_max: usize,
    ) -> Result<Self, UnknownTopic> {
        let mut outputs = Outputs {
            topics: Vec::new(),
            numbers: HashMap::default(),
            written: Vec::new(),
            looped: false,
            counts,
            reads,
            key_buffer: Vec::new(),
            record_bytes_max,
            sent: false,
            journal: None,
        };
        for name in topics {
            outputs.add_topic(name)?;
        }
        Ok(outputs)
    }

    fn add_topic(&mut self, name: TopicName) -> Result<usize, UnknownTopic> {
        let partitions = self.counts.partitions(&name).ok_or_else(|| UnknownTopic(name.clone()))?;
        let partitions = (0..partitions).map(|_| BatchBuilder::default()).collect();
        let own_input = (self.reads)(&name);
        self.numbers.insert(name.clone(), self.topics.len());
        let taken = Transferred::default();
        self.topics.push(OutputTopic { name, own_input, partitions, taken });
        Ok(self.topics.len() - 1)
    }

    /// The number of a topic that was not known when the topology was built.
    pub(crate) fn number_of(&mut self, topic: &str) -> Result<usize, ProcessError> {
        match self.numbers.get(topic) {
            Some(number) => Ok(*number),
            None => self.add_topic(topic.into()).map_err(ProcessError::from),
        }
    }

    fn partition_count(&self, topic: usize) -> u32 {
        u32::try_from(self.topics[topic].partitions.len()).expect("partition numbers are 32 bits")
    }

    /// Adds a record whose partition follows from its key's bytes, or where there is no key from its value's.
    pub(crate) fn send<K: 'static, V: 'static>(
        &mut self,
        topic: usize,
        placed_by: PlacedBy,
        serdes: (&dyn Serde<K>, &dyn Serde<V>),
        record: (&K, &V, Timestamp, &Headers),
    ) -> Result<(), ProcessError> {
        let count = self.partition_count(topic);
        let partition = if count == 1 { 0 } else { self.default_partition(topic, placed_by, serdes, record, count)? };
        self.send_to(topic, partition, serdes, record)
    }

    /// Asks a partitioner, and holds its answer against the topic's number of partitions.
    pub(crate) fn choose<K: 'static, V: 'static>(
        &mut self,
        topic: usize,
        partitioner: &dyn Partitioner<K, V>,
        (key_serde, _): (&dyn Serde<K>, &dyn Serde<V>),
        (key, value, ..): (&K, &V, Timestamp, &Headers),
    ) -> Result<Partitions, ProcessError> {
        let count = self.partition_count(topic);
        let name = &self.topics[topic].name;
        let mut bytes = std::mem::take(&mut self.key_buffer);
        bytes.clear();
        let has_key = key_serde.write_nullable(key, &mut bytes).map_err(|e| Unwritable::new("key", name, e))?;
        let partitions = partitioner.partitions(has_key.then_some(&bytes[..]), key, value, count);
        self.key_buffer = bytes;
        match &partitions {
            Partitions::These(set) if set.highest() >= count => {
                let chosen = set.highest();
                Err(format!("the partitioner chose partition {chosen} of topic `{name}`, which has {count}").into())
            }
            _ => Ok(partitions),
        }
    }

    /// Kafka's rule: murmur2 of the key's bytes. Kafka's producer scatters records without a key; here their value
    /// decides, so that the same records go the same way in every run.
    fn default_partition<K: 'static, V: 'static>(
        &mut self,
        topic: usize,
        placed_by: PlacedBy,
        (key_serde, value_serde): (&dyn Serde<K>, &dyn Serde<V>),
        (key, value, ..): (&K, &V, Timestamp, &Headers),
        count: u32,
    ) -> Result<u32, ProcessError> {
        let mut bytes = std::mem::take(&mut self.key_buffer);
        bytes.clear();
        let name = &self.topics[topic].name;
        let placing = if key_serde.write_nullable(key, &mut bytes).map_err(|e| Unwritable::new("key", name, e))? {
            match placed_by {
                PlacedBy::Key => key_serde.placing(&bytes),
                PlacedBy::AllOfIt => &bytes,
            }
        } else {
            value_serde.write_nullable(value, &mut bytes).map_err(|e| Unwritable::new("value", name, e))?;
            &bytes
        };
        let partition = partition_of(placing, count);
        self.key_buffer = bytes;
        Ok(partition)
    }

    /// Adds a record to a partition.
    pub(crate) fn send_to<K: 'static, V: 'static>(
        &mut self,
        topic: usize,
        partition: u32,
        (key_serde, value_serde): (&dyn Serde<K>, &dyn Serde<V>),
        (key, value, timestamp, headers): (&K, &V, Timestamp, &Headers),
    ) -> Result<(), ProcessError> {
        let mut bytes = std::mem::take(&mut self.key_buffer);
        bytes.clear();
        self.sent = true;
        let result = match key_serde.write_nullable(key, &mut bytes) {
            Ok(has_key) => {
                let (key_bytes, max) = (bytes.len(), self.record_bytes_max);
                let write = |out: &mut Vec<u8>| {
                    let start = out.len();
                    let present = value_serde.write_nullable(value, out)?;
                    let size = key_bytes + out.len() - start;
                    if size > max { Err(too_large(size, max)) } else { Ok(present) }
                };
                let key = has_key.then_some(&bytes[..]);
                self.append_with(topic, partition, timestamp, key, headers, write).map_err(|error| ("value", error))
            }
            Err(error) => Err(("key", error)),
        };
        self.key_buffer = bytes;
        result.map_err(|(part, error)| Unwritable::new(part, &self.topics[topic].name, error).into())
    }

    /// Adds a record with a key's bytes and a value that `write` appends; `write` says whether there is one.
    pub(crate) fn append_with<E>(
        &mut self,
        topic: usize,
        partition: u32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        headers: &Headers,
        write: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let OutputTopic { own_input, partitions, .. } = &mut self.topics[topic];
        let builder = &mut partitions[partition as usize];
        let length = builder.length();
        builder.push_with(timestamp, key, headers, write)?;
        if let Some(journal) = &mut self.journal {
            journal.push(BufferLength { topic, partition, length });
        }
        if length.is_zero() {
            self.written.push((topic, partition));
            self.looped |= *own_input;
        }
        Ok(())
    }

    /// Adds a record as it was stored elsewhere, to the partition of its key.
    pub(super) fn send_raw(
        &mut self,
        topic: usize,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: &Headers,
    ) {
        let partition = partition_of_record(key, value, self.partition_count(topic));
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(value.unwrap_or_default());
            Ok::<_, std::convert::Infallible>(value.is_some())
        };
        match self.append_with(topic, partition, timestamp, key, headers, write) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    /// Says whether buffers are to remember how long they were, so that `undo` can go back.
    pub(super) fn journal(&mut self, on: bool) {
        self.journal = on.then(Vec::new);
    }

    /// A step begins: what was added so far stays.
    pub(super) fn keep(&mut self) {
        self.sent = false;
        if let Some(journal) = &mut self.journal {
            journal.clear();
        }
    }

    /// Whether a sink has sent something since the step began.
    pub(super) fn has_sent(&self) -> bool {
        self.sent
    }

    /// Takes away what was added since `keep`.
    pub(super) fn undo(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        for BufferLength { topic, partition, length } in journal.drain(..).rev() {
            self.topics[topic].partitions[partition as usize].truncate(length);
            if length.is_zero() {
                assert_eq!(self.written.pop(), Some((topic, partition)), "additions are taken back newest first");
            }
        }
        self.looped = self.written.iter().any(|(topic, _)| self.topics[*topic].own_input);
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// How many bytes of records wait to be taken.
    pub fn waiting_bytes(&self) -> u64 {
        let size =
            |(topic, partition): &(usize, u32)| self.topics[*topic].partitions[*partition as usize].size() as u64;
        self.written.iter().map(size).sum()
    }

    /// Whether records wait that this application itself reads.
    #[inline]
    pub fn has_own_input(&self) -> bool {
        self.looped
    }

    /// Takes the records for topics that this application reads itself, partitions in the order of their first record.
    pub fn take_own_input(&mut self) -> Vec<(TopicPartition, Batch)> {
        if !std::mem::take(&mut self.looped) {
            return Vec::new();
        }
        let topics = &self.topics;
        let (taken, rest) = self.written.iter().partition(|(topic, _)| topics[*topic].own_input);
        self.written = rest;
        self.finish(taken)
    }

    /// Takes everything, partitions in the order of their first record.
    pub fn take_all(&mut self) -> Vec<(TopicPartition, Batch)> {
        self.looped = false;
        let written = std::mem::take(&mut self.written);
        self.finish(written)
    }

    fn finish(&mut self, written: Vec<(usize, u32)>) -> Vec<(TopicPartition, Batch)> {
        let take = |(topic, partition): (usize, u32)| {
            let OutputTopic { name, partitions, taken, .. } = &mut self.topics[topic];
            let batch = partitions[partition as usize].finish(Offset::ZERO);
            taken.add(&batch);
            (TopicPartition { topic: name.clone(), partition }, batch)
        };
        written.into_iter().map(take).collect()
    }

    /// How much was taken for each topic since this was asked the last time; topics that got nothing are left out.
    pub fn take_transferred(&mut self) -> Vec<(TopicName, Transferred)> {
        let of = |topic: &mut OutputTopic| {
            let taken = std::mem::take(&mut topic.taken);
            (taken.records > 0).then(|| (topic.name.clone(), taken))
        };
        self.topics.iter_mut().filter_map(of).collect()
    }

    /// Drops everything that waits.
    pub fn clear(&mut self) {
        drop(self.take_all());
    }

    /// Copies of what waits, in the order of `take_all`: for snapshots.
    pub(crate) fn waiting(&self) -> Vec<(TopicPartition, BatchBuilder)> {
        let copy = |(topic, partition): &(usize, u32)| {
            let OutputTopic { name, partitions, .. } = &self.topics[*topic];
            (TopicPartition { topic: name.clone(), partition: *partition }, partitions[*partition as usize].clone())
        };
        self.written.iter().map(copy).collect()
    }

    /// Adds the records of a batch as they are: how a snapshot comes back.
    pub(crate) fn append_batch(&mut self, to: &TopicPartition, batch: &Batch) -> Result<(), ProcessError> {
        let topic = self.number_of(&to.topic)?;
        let OutputTopic { own_input, partitions, .. } = &mut self.topics[topic];
        partitions[to.partition as usize].extend(batch);
        self.written.push((topic, to.partition));
        self.looped |= *own_input;
        Ok(())
    }
}

#[cold]
fn too_large(size: usize, max: usize) -> SerdeError {
    SerdeError::new(format!(
        "key and value have {size} bytes, and a record may have {max}: send less, or raise `record_bytes_max`"
    ))
}

/// A record goes to a topic that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownTopic(TopicName);

impl fmt::Display for UnknownTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic `{}` does not exist: create it before the application starts", self.0)
    }
}

impl std::error::Error for UnknownTopic {}

/// A key or value has no bytes.
#[derive(Debug)]
struct Unwritable {
    part: &'static str,
    topic: TopicName,
    cause: SerdeError,
}

impl Unwritable {
    #[cold]
    fn new(part: &'static str, topic: &TopicName, cause: SerdeError) -> Self {
        Unwritable { part, topic: topic.clone(), cause }
    }
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} of a record for topic `{}` cannot be written: {}", self.part, self.topic, self.cause)
    }
}

impl std::error::Error for Unwritable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
