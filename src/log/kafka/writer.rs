//! Writes records, and ends transactions.
//!
//! Rule: a call whose outcome is not known is made again until its time is over; after that the transaction's fate is unknown,
//! and its producer is never used again. The next one of the same id finds out, and ends what was left open.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use tidemill_dsl::record::{Batch, Headers, Offset, StoredRecord, TopicPartition};

use super::super::{LogError, LogErrorKind};
use super::client;
use super::fault::{coded, fault, late};
use super::native::{self, Sender, TopicHandles};
use super::settings::KafkaSettings;
use super::trouble;

/// How long it is waited for room, or before a call is made again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long one call may take, so that others see meanwhile what was delivered.
const TURN: Duration = Duration::from_secs(5);

/// Where records went, by the number that each was sent with.
#[derive(Default)]
struct Deliveries {
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    /// Offset of the first record and offset after the last one.
    reached: Vec<Option<(u64, u64)>>,
    /// What could not be written first, and why.
    failed: Option<(TopicPartition, Code)>,
}

impl Places {
    /// Why something could not be written, unless it was purged: then whoever gave up the transaction knows.
    fn refused(&self) -> Option<LogError> {
        let (to, code) = self.failed.as_ref().filter(|(_, code)| !is_purged(*code))?;
        Some(coded(&format!("cannot write to `{to}`"), *code))
    }
}

fn is_purged(code: Code) -> bool {
    matches!(code, Code::PurgeQueue | Code::PurgeInflight)
}

impl Deliveries {
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        native::trace(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        trouble::tell(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, delivered: &DeliveryResult<'_>, number: usize) {
        let mut places = self.lock();
        match delivered {
            Ok(record) => {
                let at = u64::try_from(record.offset()).unwrap_or_default();
                if places.reached.len() <= number {
                    places.reached.resize(number + 1, None);
                }
                let (first, end) = places.reached[number].unwrap_or((at, at + 1));
                places.reached[number] = Some((first.min(at), end.max(at + 1)));
            }
            Err((error, record)) => {
                let to = TopicPartition::new(record.topic(), record.partition().cast_unsigned());
                places.failed.get_or_insert((to, error.rdkafka_error_code().unwrap_or(Code::Fail)));
            }
        }
    }
}

/// A producer, with or without transactions.
pub(super) struct Writer {
    // Dropped before the producer, whose they are.
    topics: TopicHandles,
    producer: BaseProducer<Deliveries>,
    brokers: String,
    limit: Duration,
}

impl Writer {
    /// A producer without transactions.
    pub(super) fn plain(settings: &KafkaSettings) -> Result<Self, LogError> {
        Writer::with(client::producer(settings)?, settings)
    }

    /// A producer with transactions. Every earlier one of this id is fenced, and what it left open is ended.
    pub(super) fn transactional(settings: &KafkaSettings, id: &str) -> Result<Self, LogError> {
        let writer = Writer::with(client::transactions(settings, id)?, settings)?;
        let what = format!("cannot begin to write as `{id}`");
        // A client that is connected to no broker of the cluster would ask half a second later for the one that keeps its transactions.
        // It hears of them through the first connection, which it gives up then, and is connected when one of them has answered. When
        // none does, the call after it says so.
        for _ in 0..2 {
            let _ = writer.producer.client().fetch_metadata(Some(&settings.notes_topic), TURN);
        }
        writer.repeat(&what, |turn| writer.producer.init_transactions(turn)).map_err(Failed::cause)?;
        Ok(writer)
    }

    fn with(config: rdkafka::ClientConfig, settings: &KafkaSettings) -> Result<Self, LogError> {
        let producer = config
            .create_with_context(Deliveries::default())
            .map_err(|error| fault("cannot make a producer", &error))?;
        Ok(Writer {
            topics: TopicHandles::default(),
            producer,
            brokers: settings.brokers.clone(),
            limit: settings.answer_within,
        })
    }

    /// Sends the records of a batch to a partition; their deliveries count for `number`.
    pub(super) fn send(&self, to: &TopicPartition, number: usize, records: &Batch) -> Result<(), LogError> {
        let no_name =
            || LogError::new(LogErrorKind::Invalid, format!("cannot write to `{to}`: no topic can have this name"));
        let sender = self.topics.sender(&self.producer, to, number).ok_or_else(no_name)?;
        let mut sent = Ok(());
        let each = |_: Offset, record: StoredRecord<'_>| {
            if sent.is_ok() {
                sent = self.send_one(to, &sender, &record);
            }
            Ok::<_, Infallible>(())
        };
        match records.for_each(each) {
            Ok(()) => {}
            Err(never) => match never {},
        }
        self.producer.poll(Duration::ZERO);
        sent
    }

    fn send_one(&self, to: &TopicPartition, sender: &Sender<'_>, record: &StoredRecord<'_>) -> Result<(), LogError> {
        let (millis, headers) = (time_of(record), headers_of(record)?);
        let mut waited = Duration::ZERO;
        loop {
            match sender.send(record, millis, &headers) {
                Ok(()) => return Ok(()),
                Err(Code::QueueFull) if waited < self.limit => {
                    self.producer.poll(PAUSE);
                    waited += PAUSE;
                }
                Err(code) => return Err(coded(&format!("cannot write to `{to}`"), code)),
            }
        }
    }

    /// Waits until everything sent is where it should be; an error if something is not.
    pub(super) fn flush(&self) -> Result<(), Failed> {
        let what = "cannot write records";
        match self.producer.flush(self.limit) {
            Ok(()) => {}
            Err(KafkaError::Flush(Code::OperationTimedOut)) => {
                return Err(Failed::Unknown(late(what, &self.brokers, self.limit)));
            }
            Err(error) => return Err(Failed::Unknown(fault(what, &error))),
        }
        self.delivered()
    }

    /// An error if something could not be delivered.
    pub(super) fn delivered(&self) -> Result<(), Failed> {
        let places = self.producer.context().lock();
        if places.failed.is_none() {
            return Ok(());
        }
        if let Some(refused) = places.refused() {
            return Err(Failed::Abortable(refused));
        }
        drop(places);
        // The transaction was given up, and it says why.
        let what = "cannot write records";
        let why = self.producer.commit_transaction(TURN).err().map(|error| self.cause(what, &error));
        Err(Failed::Abortable(why.unwrap_or_else(|| coded(what, Code::PurgeQueue))))
    }

    /// Where the records of a number went: the first one's offset and the offset after the last one.
    pub(super) fn reached(&self, number: usize) -> Option<(Offset, Offset)> {
        let places = self.producer.context().lock();
        let (first, end) = places.reached.get(number).copied().flatten()?;
        Some((Offset::new(first), Offset::new(end)))
    }

    /// Forgets where records went.
    pub(super) fn forget(&self) {
        *self.producer.context().lock() = Places::default();
    }

    pub(super) fn begin(&self) -> Result<(), Failed> {
        self.repeat("cannot begin a transaction", |_| self.producer.begin_transaction())
    }

    /// Adds offsets of a group to the transaction.
    pub(super) fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), Failed> {
        let send = |turn| self.producer.send_offsets_to_transaction(offsets, group, turn);
        self.repeat("cannot commit offsets in a transaction", send)
    }

    pub(super) fn commit(&self) -> Result<(), Failed> {
        self.repeat("cannot commit a transaction", |turn| self.producer.commit_transaction(turn))
    }

    /// Ends the transaction without its records.
    pub(super) fn abort(&self) -> Result<(), Failed> {
        let aborted = self.repeat("cannot abort a transaction", |turn| self.producer.abort_transaction(turn));
        // The reports of records that were on their way come now; they are no failures of the next transaction.
        let reports = self.producer.flush(self.limit);
        self.forget();
        aborted.and(reports.map_err(|error| Failed::Unknown(fault("cannot abort a transaction", &error))))
    }

    /// Makes the same call again as long as the client says that it can be, and there is time.
    fn repeat(&self, what: &str, call: impl Fn(Duration) -> KafkaResult<()>) -> Result<(), Failed> {
        let mut left = self.limit;
        loop {
            let turn = left.min(TURN);
            let error = match call(turn) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let used = match error.rdkafka_error_code() {
                Some(Code::OperationTimedOut) => turn,
                _ => PAUSE,
            };
            left = left.saturating_sub(used);
            match Verdict::of(&error) {
                Verdict::Again if !left.is_zero() => self.producer.poll(PAUSE),
                Verdict::Again => return Err(Failed::Unknown(late(what, &self.brokers, self.limit))),
                Verdict::Abort => return Err(Failed::Abortable(self.cause(what, &error))),
                Verdict::Over => return Err(Failed::Unknown(self.cause(what, &error))),
            }
        }
    }

    /// What was wrong first: the transaction's own words come after those of its records.
    fn cause(&self, what: &str, error: &KafkaError) -> LogError {
        if let Some(refused) = self.producer.context().lock().refused() {
            return refused;
        }
        match error {
            KafkaError::Transaction(cause) => {
                let kind = coded("", cause.code()).kind();
                LogError::new(kind, format!("{what}: {}", cause.string()))
            }
            _ => fault(what, error),
        }
    }
}

/// Why a step of a transaction was not done.
#[derive(Debug)]
pub(super) enum Failed {
    /// The transaction can only be aborted; the producer can go on.
    Abortable(LogError),
    /// Nobody knows what became of it, or another producer has its id: this one is of no use any more.
    Unknown(LogError),
}

impl Failed {
    /// What went wrong, for those who have lost nothing by it.
    pub(super) fn cause(self) -> LogError {
        match self {
            Failed::Abortable(error) | Failed::Unknown(error) => error,
        }
    }
}

/// What the client says about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Again,
    Abort,
    Over,
}

impl Verdict {
    fn of(error: &KafkaError) -> Verdict {
        match error {
            KafkaError::Transaction(error) if error.is_fatal() => Verdict::Over,
            KafkaError::Transaction(error) if error.txn_requires_abort() => Verdict::Abort,
            KafkaError::Transaction(error) if error.is_retriable() => Verdict::Again,
            KafkaError::Flush(Code::OperationTimedOut) => Verdict::Again,
            _ => Verdict::Over,
        }
    }
}

/// The client takes the time 0 for the present, so a record of the first millisecond of 1970 goes into the second one.
fn time_of(record: &StoredRecord<'_>) -> i64 {
    match record.timestamp.as_millis() {
        0 => 1,
        millis => millis,
    }
}

fn headers_of(record: &StoredRecord<'_>) -> Result<Headers, LogError> {
    if !record.has_headers() {
        return Ok(Headers::NONE);
    }
    let corrupt = |cause| LogError::new(LogErrorKind::Corrupt, "a record's headers are no headers").with_source(cause);
    record.headers().map_err(corrupt)
}
