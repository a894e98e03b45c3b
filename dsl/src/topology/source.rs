//! Sources: where records enter, get their types and their time.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::{Fault, OffsetReset, SourceTopics, TopicPattern, TopicRef};
use crate::processor::{
    Attempt, DropReason, Flow, HeadRecord, Origin, Outlet, ProcessError, Stage, StreamOf, TaskState,
};
use crate::record::{Headers, Record, Records, StoredRecord, Timestamp};
use crate::serde::{SerdeError, SerdeRef};
use crate::topic::Topic;

/// Chooses a record's time. Given the record and the greatest time that its partition has had so far.
type ChooseTime<K, V> = dyn Fn(&Record<'_, K, V>, Option<Timestamp>) -> Timestamp + Send + Sync;

/// Where a record's time comes from. A record whose time is negative in the end is dropped and counted.
///
/// The first four are Kafka Streams' `FailOnInvalidTimestamp`, `LogAndSkipOnInvalidTimestamp`,
/// `UsePartitionTimeOnInvalidTimestamp` and `WallclockTimestampExtractor`.
pub enum TimestampExtractor<K: 'static, V: 'static> {
    /// The stored time; a negative one fails the task.
    FailOnInvalid,
    /// The stored time; a record with a negative one is dropped.
    SkipInvalid,
    /// The stored time; in place of a negative one the greatest of the partition so far, without one the task fails.
    PartitionTimeOnInvalid,
    /// The time at which the record is processed.
    WallClock,
    /// What a function says.
    Custom(Arc<ChooseTime<K, V>>),
}

impl<K, V> TimestampExtractor<K, V> {
    /// The time that `choose` says, given the record and the greatest time that its partition has had so far.
    pub fn custom(choose: impl Fn(&Record<'_, K, V>, Option<Timestamp>) -> Timestamp + Send + Sync + 'static) -> Self {
        TimestampExtractor::Custom(Arc::new(choose))
    }

    fn time(
        &self,
        record: &Record<'_, K, V>,
        partition_time: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Timestamp, &'static str> {
        let stored = record.timestamp;
        match self {
            TimestampExtractor::FailOnInvalid if !stored.is_valid() => {
                Err("it is negative: use another timestamp extractor to skip or mend such records")
            }
            TimestampExtractor::FailOnInvalid | TimestampExtractor::SkipInvalid => Ok(stored),
            TimestampExtractor::PartitionTimeOnInvalid if !stored.is_valid() => {
                partition_time.ok_or("it is negative, and its partition has had no time before")
            }
            TimestampExtractor::PartitionTimeOnInvalid => Ok(stored),
            TimestampExtractor::WallClock => Ok(now),
            TimestampExtractor::Custom(choose) => Ok(choose(record, partition_time)),
        }
    }
}

impl<K, V> Clone for TimestampExtractor<K, V> {
    fn clone(&self) -> Self {
        match self {
            TimestampExtractor::FailOnInvalid => TimestampExtractor::FailOnInvalid,
            TimestampExtractor::SkipInvalid => TimestampExtractor::SkipInvalid,
            TimestampExtractor::PartitionTimeOnInvalid => TimestampExtractor::PartitionTimeOnInvalid,
            TimestampExtractor::WallClock => TimestampExtractor::WallClock,
            TimestampExtractor::Custom(choose) => TimestampExtractor::Custom(choose.clone()),
        }
    }
}

/// What a source node reads, and how.
pub struct Source<K: 'static, V: 'static> {
    pub(crate) topics: Result<SourceTopics, Fault>,
    pub(crate) key: SerdeRef<K>,
    pub(crate) value: SerdeRef<V>,
    pub(crate) timestamps: TimestampExtractor<K, V>,
    pub(crate) reset: Option<OffsetReset>,
}

impl<K: 'static, V: 'static> Source<K, V> {
    /// Reads one topic.
    pub fn topic(topic: &Topic<K, V>) -> Self {
        let topics = SourceTopics::Named(vec![TopicRef::External(topic.name().into())]);
        Source::new(Ok(topics), topic.key_serde(), topic.value_serde())
    }

    /// Reads several topics with the same types through one node; the serdes are those of the first.
    pub fn topics(first: &Topic<K, V>, others: &[&Topic<K, V>]) -> Self {
        let names = std::iter::once(first).chain(others.iter().copied());
        let topics = names.map(|topic| TopicRef::External(topic.name().into())).collect();
        Source::new(Ok(SourceTopics::Named(topics)), first.key_serde(), first.value_serde())
    }

    /// Reads every topic whose whole name matches a regular expression.
    pub fn matching(pattern: &str, key: &SerdeRef<K>, value: &SerdeRef<V>) -> Self {
        Source::new(TopicPattern::parse(pattern).map(SourceTopics::Matching), key, value)
    }

    pub(crate) fn internal(name: &str, key: &SerdeRef<K>, value: &SerdeRef<V>) -> Self {
        let source = Source::new(Ok(SourceTopics::Named(vec![TopicRef::Internal(name.into())])), key, value);
        // What its own nodes wrote is an application's to process, whatever it thinks of the records of others.
        source.reset(OffsetReset::Earliest)
    }

    fn new(topics: Result<SourceTopics, Fault>, key: &SerdeRef<K>, value: &SerdeRef<V>) -> Self {
        let (key, value) = (key.clone(), value.clone());
        Source { topics, key, value, timestamps: TimestampExtractor::FailOnInvalid, reset: None }
    }

    /// Takes the records' times from elsewhere; by default they are the stored ones, and a negative one fails the task.
    #[must_use]
    pub fn timestamps(self, timestamps: TimestampExtractor<K, V>) -> Self {
        Source { timestamps, ..self }
    }

    /// Says where to begin in a partition that the application has no place in, in place of the application's setting.
    #[must_use]
    pub fn reset(self, reset: OffsetReset) -> Self {
        Source { reset: Some(reset), ..self }
    }
}

/// A compiled source. A task loads the record at the head of a queue, and runs it when its turn comes.
pub trait SourceRunner: Send + Sync {
    /// An empty place for the head of a queue.
    fn new_head(&self) -> Box<dyn Any + Send>;

    /// Reads a record into the head of `queue` and gives its time; `None` when it is dropped.
    fn load(
        &self,
        queue: usize,
        record: &StoredRecord<'_>,
        partition_time: Option<Timestamp>,
        task: &mut TaskState,
    ) -> Result<Option<Timestamp>, ProcessError>;

    /// Where to begin in a partition that the application has no place in, if the source says so.
    fn reset(&self) -> Option<OffsetReset>;

    /// Whether the bytes of a record are of the source's types.
    fn can_read(&self, record: &StoredRecord<'_>) -> bool;

    /// Takes the record at the head of `queue`, at which `records` stands, through everything below.
    fn run(&self, queue: usize, records: &Records, task: &mut TaskState) -> Result<Attempt, ProcessError>;

    /// Takes the records of a batch through everything below, one after another, the loaded head first: what a task does
    /// when no other queue has a record, so that there is nothing to choose. After an error `run` stands at the record that
    /// failed; and it stops before a record that cannot be read, which `load` then says.
    fn run_on(&self, queue: usize, run: &mut Run<'_>, task: &mut TaskState) -> Flow;
}

/// A run of records from one batch.
pub struct Run<'a> {
    /// The batch, at the next record.
    pub records: &'a mut Records,
    /// The greatest time of the partition so far.
    pub partition_time: Option<Timestamp>,
    /// How many records may still be processed.
    pub left: u32,
    /// Ends the run after a record.
    pub stop: &'a mut dyn FnMut(&mut TaskState) -> bool,
}

pub(crate) struct SourceNode<K: 'static, V: 'static> {
    pub(crate) key: SerdeRef<K>,
    pub(crate) value: SerdeRef<V>,
    pub(crate) timestamps: TimestampExtractor<K, V>,
    pub(crate) reset: Option<OffsetReset>,
    pub(crate) outlet: Outlet<StreamOf<K, V>>,
}

impl<K: Send + 'static, V: Send + 'static> SourceRunner for SourceNode<K, V> {
    fn new_head(&self) -> Box<dyn Any + Send> {
        Box::new(HeadRecord::<K, V>(None))
    }

    fn load(
        &self,
        queue: usize,
        stored: &StoredRecord<'_>,
        partition_time: Option<Timestamp>,
        task: &mut TaskState,
    ) -> Result<Option<Timestamp>, ProcessError> {
        let (key, value, headers) = self.read(stored)?;
        let record = Record { key: &key, value: &value, timestamp: stored.timestamp, headers: &headers };
        let time = self.time(&record, partition_time, task)?;
        task.head::<K, V>(queue).0 = time.map(|time| (key, value, time, headers));
        Ok(time)
    }

    fn reset(&self) -> Option<OffsetReset> {
        self.reset
    }

    fn can_read(&self, record: &StoredRecord<'_>) -> bool {
        self.key.read_nullable(record.key).is_ok()
            && self.value.read_nullable(record.value).is_ok()
            && record.headers().is_ok()
    }

    fn run(&self, queue: usize, records: &Records, task: &mut TaskState) -> Result<Attempt, ProcessError> {
        let (key, value, timestamp, headers) =
            task.head::<K, V>(queue).0.take().expect("a record is loaded before it runs");
        self.process(Record { key: &key, value: &value, timestamp, headers: &headers }, records, task)
    }

    fn run_on(&self, queue: usize, run: &mut Run<'_>, task: &mut TaskState) -> Flow {
        if run.left > 0
            && let Some((key, value, timestamp, headers)) = task.head::<K, V>(queue).0.take()
        {
            self.process_next(Record { key: &key, value: &value, timestamp, headers: &headers }, run, task)?;
        }
        while run.left > 0
            && let Some(stored) = run.records.peek()
        {
            let Ok((key, value, headers)) = self.read(&stored) else { return Ok(()) };
            let record = Record { key: &key, value: &value, timestamp: stored.timestamp, headers: &headers };
            let Ok(time) = self.time(&record, run.partition_time, task) else { return Ok(()) };
            match time {
                Some(timestamp) => self.process_next(record.with_timestamp(timestamp), run, task)?,
                None => run.records.advance(),
            }
        }
        Ok(())
    }
}

impl<K: Send + 'static, V: Send + 'static> SourceNode<K, V> {
    /// Takes a record through everything below.
    #[inline(always)]
    fn process(
        &self,
        record: Record<'_, K, V>,
        records: &Records,
        task: &mut TaskState,
    ) -> Result<Attempt, ProcessError> {
        let origin = Origin { record: Some(records), timestamp: record.timestamp };
        task.attempt(origin, |task| {
            task.advance_stream_time(record.timestamp);
            self.outlet.push(record, task)
        })
    }

    /// Processes the record that a run stands at, and goes on to the next one.
    #[inline(always)]
    fn process_next(&self, record: Record<'_, K, V>, run: &mut Run<'_>, task: &mut TaskState) -> Flow {
        task.set_offset(run.records.offset());
        if self.process(record, run.records, task)? == Attempt::Done {
            run.partition_time = run.partition_time.max(Some(record.timestamp));
        }
        run.left -= 1;
        if (run.stop)(task) {
            run.left = 0;
        }
        run.records.advance();
        Ok(())
    }

    /// Gives a record its types.
    #[inline(always)]
    fn read(&self, stored: &StoredRecord<'_>) -> Result<(K, V, Headers), ProcessError> {
        let key = self.key.read_nullable(stored.key).map_err(|cause| unreadable("key", cause))?;
        let value = self.value.read_nullable(stored.value).map_err(|cause| unreadable("value", cause))?;
        let headers = stored.headers().map_err(|cause| unreadable("headers", SerdeError::new(cause.to_string())))?;
        Ok((key, value, headers))
    }

    /// The time of a record; `None` when it is dropped.
    #[inline(always)]
    fn time(
        &self,
        record: &Record<'_, K, V>,
        partition_time: Option<Timestamp>,
        task: &mut TaskState,
    ) -> Result<Option<Timestamp>, ProcessError> {
        let time = self.timestamps.time(record, partition_time, task.now()).map_err(without_time)?;
        if !time.is_valid() {
            task.drop_record(DropReason::InvalidTimestamp);
            return Ok(None);
        }
        Ok(Some(time))
    }
}

#[cold]
fn unreadable(part: &'static str, cause: SerdeError) -> ProcessError {
    ProcessError::from(LoadError { part, cause }).at_stage(Stage::Deserialization)
}

#[cold]
fn without_time(reason: &'static str) -> ProcessError {
    ProcessError::from(LoadError { part: "time", cause: SerdeError::new(reason) }).never_skipped()
}

/// A stored record cannot be read. The error that carries it names topic, partition and offset.
#[derive(Debug)]
pub struct LoadError {
    part: &'static str,
    cause: SerdeError,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its {} cannot be read: {}", self.part, self.cause)
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
