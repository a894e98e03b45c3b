//! Asks the cluster what committed readers may see, and what groups have committed.
//!
//! Rule: it fetches nothing. Brokers answer a client's requests to them one after another, and a fetch that waits for records, of a
//! partition that has none, would hold every question up until its time is over.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tidemill_dsl::record::TopicPartition;

use super::super::{Bounds, LogError};
use super::client::{self, Quiet};
use super::fault::fault;
use super::native::{self, Offsets};
use super::settings::KafkaSettings;
use super::topics::ends;

/// A client that only asks.
pub(super) struct Asker {
    consumer: BaseConsumer<Quiet>,
    brokers: String,
    answer_within: Duration,
}

impl Asker {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, LogError> {
        let consumer = client::reader(settings, "tidemill", Duration::ZERO)?
            .create_with_context(Quiet::default())
            .map_err(|error| fault("cannot make a consumer", &error))?;
        Ok(Asker { consumer, brokers: settings.brokers.clone(), answer_within: settings.answer_within })
    }

    /// Start and end of a partition that exists, as its leader says.
    pub(super) fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        self.listen();
        ends(self.consumer.client(), partition, &self.brokers, self.answer_within)
    }

    /// What a group has committed.
    pub(super) fn committed(&self, group: &str) -> Result<Offsets, RDKafkaErrorCode> {
        self.listen();
        native::committed(&self.consumer, group, self.answer_within)
    }

    /// Takes what the client says of itself, which would pile up.
    fn listen(&self) {
        while self.consumer.poll(Duration::ZERO).is_some() {}
    }
}
