//! Writes input with a plain client, placed as every Kafka producer places it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::waiting::{LIMIT, pause};

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    /// Milliseconds since 1970.
    pub(crate) timestamp: i64,
    /// `None`: by the key.
    pub(crate) partition: Option<i32>,
}

impl Input {
    /// A record with a text as its key, placed by it.
    pub(crate) fn new(key: &str, value: impl Into<Vec<u8>>, timestamp: i64) -> Self {
        Input { key: Some(key.into()), value: Some(value.into()), timestamp, partition: None }
    }

    /// With an eight-byte number as its value, as Kafka's `LongSerializer` writes it.
    pub(crate) fn long(key: &str, value: i64, timestamp: i64) -> Self {
        Input::new(key, value.to_be_bytes(), timestamp)
    }
}

/// Counts what became of what was sent.
#[derive(Default)]
struct Deliveries {
    failed: AtomicU64,
}

struct Context(Arc<Deliveries>);

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        self.0.failed.fetch_add(u64::from(result.is_err()), Ordering::Relaxed);
    }
}

/// An idempotent producer: what it wrote is there once, in order.
pub(crate) struct Producer {
    client: BaseProducer<Context>,
    deliveries: Arc<Deliveries>,
}

impl Producer {
    pub(crate) fn new(brokers: &str) -> Self {
        let deliveries = Arc::<Deliveries>::default();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("enable.idempotence", "true").set("linger.ms", "5");
        // A broker that is killed comes back: records wait for it.
        config.set("partitioner", "murmur2_random").set("message.timeout.ms", LIMIT.as_millis().to_string());
        let client = config.create_with_context(Context(deliveries.clone())).unwrap();
        Producer { client, deliveries }
    }

    /// Queues a record.
    pub(crate) fn send(&self, topic: &str, input: &Input) {
        loop {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic).timestamp(input.timestamp);
            record.key = input.key.as_deref();
            record.payload = input.value.as_deref();
            record.partition = input.partition;
            match self.client.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.client.poll(std::time::Duration::from_millis(10));
                }
                Err((error, _)) => panic!("cannot send to `{topic}`: {error}"),
            }
        }
        self.client.poll(std::time::Duration::ZERO);
    }

    /// Waits until everything sent is on the broker.
    pub(crate) fn flush(&self) {
        self.client.flush(LIMIT).unwrap();
        assert_eq!(self.deliveries.failed.load(Ordering::Relaxed), 0, "records that were not written");
    }

    /// Writes all, and waits until they are on the broker.
    pub(crate) fn write(&self, topic: &str, inputs: &[Input]) {
        inputs.iter().for_each(|input| self.send(topic, input));
        self.flush();
    }

    /// Writes all at this pace, as somebody does who does not wait: so faults meet a flow.
    pub(crate) fn write_slowly(&self, topic: &str, inputs: &[Input], each: std::time::Duration) {
        for input in inputs {
            self.send(topic, input);
            pause(each);
        }
        self.flush();
    }
}
