//! A topic's committed records for readers outside of the topology.
//!
//! Rule: the reader pulls. Nothing is read before it is asked for, so a slow reader costs no memory; the records of a
//! partition come in their order, each once.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tidemill_dsl::Topic;
use tidemill_dsl::record::{Batch, Headers, Offset, Records, StoredRecord, Timestamp, TopicPartition};
use tidemill_dsl::serde::{Data, SerdeError};

use super::shared::Shared;
use super::{AppState, Position};
use crate::error::{Error, ErrorKind};
use crate::log::LogErrorKind;

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

/// The committed records of a topic: a stream that waits for more, and ends when the application does.
///
/// It begins with the first record that is kept, unless it is told otherwise. The records of one partition come in their
/// order; partitions take turns. A record that cannot be read is an error, and the next one comes after it. When the
/// application is closed the stream ends behind the last committed record; when it fails, it ends with the application's
/// error. Until then a subscription keeps the log, and a folder's lock, open.
///
/// ```
/// # use tidemill::{App, Topic, stream::StreamsBuilder};
/// # const IN: Topic<String, i64> = Topic::of("in");
/// # const DOUBLED: Topic<String, i64> = Topic::of("doubled");
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.stream(&IN).map_values(|value| value * 2).to(&DOUBLED);
/// # let app = App::builder("app", builder.build()?).memory().start().await?;
/// let mut doubled = app.subscribe(&DOUBLED)?;
/// app.send(&IN, "a", 4).await?;
/// let record = doubled.next().await.expect("the application runs")?;
/// assert_eq!((record.key.as_str(), record.value), ("a", Some(8)));
/// # app.close().await?;
/// # Ok(())
/// # }
/// ```
pub struct Subscription<K: 'static, V: 'static> {
    /// `None` once the stream has ended.
    shared: Option<Arc<Shared>>,
    topic: Topic<K, V>,
    places: Vec<Reading>,
    /// The partition that is asked first.
    turn: usize,
    /// What was read of the log and not taken yet, each with the offset behind it.
    read: VecDeque<(Records, Offset)>,
    /// The partition that it is of.
    reading: usize,
    /// To be told next.
    failure: Option<Error>,
    /// Ends when the application does.
    over: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// How far a partition is read.
struct Reading {
    partition: TopicPartition,
    next: Offset,
}

impl<K: Data, V: Data> Subscription<K, V> {
    pub(super) fn new(shared: Arc<Shared>, topic: &Topic<K, V>) -> Result<Self, Error> {
        let spec = shared.log.topic(topic.name())?.ok_or_else(|| unknown_topic(topic.name()))?;
        let place = |partition| {
            let partition = TopicPartition::new(spec.name.clone(), partition);
            let next = shared.log.bounds(&partition)?.start;
            Ok(Reading { partition, next })
        };
        let places = (0..spec.partitions).map(place).collect::<Result<_, Error>>()?;
        let (shared, topic) = (Some(shared), topic.clone());
        Ok(Subscription {
            shared,
            topic,
            places,
            turn: 0,
            read: VecDeque::new(),
            reading: 0,
            failure: None,
            over: None,
        })
    }

    /// Begins behind the last record that is committed now.
    pub fn at_end(mut self) -> Result<Self, Error> {
        if let Some(shared) = &self.shared {
            for place in &mut self.places {
                place.next = shared.log.bounds(&place.partition)?.end;
            }
        }
        Ok(self)
    }

    /// Begins one partition at this offset.
    ///
    /// # Errors
    ///
    /// `Unknown` when there is no such partition, `Invalid` when it does not have the offset: neither a record that is kept
    /// nor the end.
    pub fn at_offset(mut self, partition: u32, offset: Offset) -> Result<Self, Error> {
        let Some(place) = self.places.get_mut(partition as usize) else {
            let message = format!(
                "topic `{}` has {} partitions, and partition {partition} was asked for: they are counted from 0",
                self.topic.name(),
                self.places.len()
            );
            return Err(Error::new(ErrorKind::Unknown, message));
        };
        if let Some(shared) = &self.shared {
            let bounds = shared.log.bounds(&place.partition)?;
            if offset < bounds.start || offset > bounds.end {
                let message = format!(
                    "`{}` has records from {} to before {}, and {offset} was asked for: begin within them",
                    place.partition, bounds.start, bounds.end
                );
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            place.next = offset;
        }
        Ok(self)
    }

    /// Begins where a [position](Self::position) says; partitions of which it says nothing stay where they are.
    ///
    /// # Errors
    ///
    /// As [`at_offset`](Self::at_offset).
    pub fn at_position(mut self, position: &Position) -> Result<Self, Error> {
        for (partition, next) in position.iter() {
            if *partition.topic == *self.topic.name() {
                self = self.at_offset(partition.partition, next)?;
            }
        }
        Ok(self)
    }

    /// How far it was read: what `at_position` takes to go on behind the last record.
    pub fn position(&self) -> Position {
        self.places.iter().map(|place| (place.partition.clone(), place.next)).collect()
    }

    /// Waits for the next record; `None` when the application is closed and everything was read.
    pub async fn next(&mut self) -> Option<Result<ReadRecord<K, V>, Error>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// The next records that are committed now, without waiting; empty at their end. A topic that nobody writes to is always
    /// read in the same order.
    ///
    /// # Errors
    ///
    /// `Invalid` for a record that is not of the topic's types: first come the records before it, then the error, then those
    /// after it. `Lagged` when records were removed before they were read: then come those that are kept.
    pub fn read(&mut self) -> Result<Vec<ReadRecord<K, V>>, Error> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        let mut records = Vec::new();
        if self.read.is_empty() {
            self.fill()?;
        }
        while let Some(record) = self.take() {
            match record {
                Ok(record) => records.push(record),
                Err(error) if records.is_empty() => return Err(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        Ok(records)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ReadRecord<K, V>, Error>>> {
        loop {
            if let Some(record) = self.take_or_fill() {
                return Poll::Ready(Some(record));
            }
            let Some(shared) = self.shared.clone() else { return Poll::Ready(None) };
            // Both come before the last look: what happens after it wakes.
            let over = shared.state.borrow().is_over();
            shared.log.wake_at_change(context.waker());
            if let Some(record) = self.take_or_fill() {
                return Poll::Ready(Some(record));
            }
            if over {
                self.shared = None;
                return Poll::Ready(shared.failure().map(Err));
            }
            let mut states = shared.state.subscribe();
            let over = self.over.get_or_insert_with(|| {
                Box::pin(async move {
                    // The sender lives as long as the subscription's handle on the application.
                    let _ = states.wait_for(AppState::is_over).await;
                })
            });
            ready!(over.as_mut().poll(context));
            self.over = None;
        }
    }

    fn take_or_fill(&mut self) -> Option<Result<ReadRecord<K, V>, Error>> {
        if let Some(error) = self.failure.take() {
            return Some(Err(error));
        }
        if self.read.is_empty()
            && let Err(error) = self.fill()
        {
            return Some(Err(error));
        }
        self.take()
    }

    /// The next record of those that were read from the log.
    fn take(&mut self) -> Option<Result<ReadRecord<K, V>, Error>> {
        loop {
            let (records, end) = self.read.front_mut()?;
            let place = &mut self.places[self.reading];
            let Some(stored) = records.peek() else {
                place.next = *end;
                self.read.pop_front();
                continue;
            };
            let offset = records.offset();
            let record = typed(&self.topic, &place.partition, offset, &stored);
            place.next = offset.next();
            records.advance();
            return Some(record);
        }
    }

    /// Reads from the next partition that has records.
    fn fill(&mut self) -> Result<(), Error> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let count = self.places.len();
        for number in (self.turn..self.turn + count).map(|number| number % count) {
            let place = &mut self.places[number];
            let batches = match shared.log.read(&place.partition, place.next, READ_BYTES) {
                Err(cause) if cause.kind() == LogErrorKind::OutOfRange => {
                    let (wanted, start) = (place.next, shared.log.bounds(&place.partition)?.start);
                    place.next = start;
                    return Err(too_old(&place.partition, wanted, start));
                }
                batches => batches?,
            };
            if batches.is_empty() {
                continue;
            }
            let next = place.next;
            let records = |batch: Arc<Batch>| {
                let (mut records, end) = (batch.records(), batch.end());
                records.skip_to(next);
                (records, end)
            };
            self.read.extend(batches.into_iter().map(records));
            (self.reading, self.turn) = (number, number + 1);
            return Ok(());
        }
        Ok(())
    }
}

impl<K: Data, V: Data> Stream for Subscription<K, V> {
    type Item = Result<ReadRecord<K, V>, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }
}

fn too_old(partition: &TopicPartition, wanted: Offset, start: Offset) -> Error {
    let message = format!(
        "the records of `{partition}` from {wanted} to before {start} were removed before they were read: go on with those \
         that are kept, read faster, or keep records longer"
    );
    Error::new(ErrorKind::Lagged, message)
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
