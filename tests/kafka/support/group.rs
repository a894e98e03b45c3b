//! What a group has committed, asked without being its member.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::waiting::wait_for;

/// How long one request may take: an offset that stays pending is asked for again, until the limit of all waiting.
const ANSWER: Duration = Duration::from_secs(10);

/// The place of a group in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The offset to go on with.
    pub(crate) next: i64,
    /// What was written beside it.
    pub(crate) metadata: String,
}

/// A group that is asked what it has committed.
pub(crate) struct Group {
    client: BaseConsumer,
}

impl Group {
    pub(crate) fn of(brokers: &str, group: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("group.id", group).set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed");
        Group { client: config.create().unwrap() }
    }

    /// What it has committed of a topic, by partition. Waits for each while a transaction is open that commits its offset, and for a
    /// broker that is just starting.
    pub(crate) fn committed(&self, topic: &str, partitions: u32) -> BTreeMap<i32, Committed> {
        let numbers = 0..i32::try_from(partitions).unwrap();
        numbers.filter_map(|number| Some((number, self.committed_of(topic, number)?))).collect()
    }

    fn committed_of(&self, topic: &str, partition: i32) -> Option<Committed> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic, partition);
        let answer = wait_for("an answer of the group", || {
            let answer = self.client.committed_offsets(asked.clone(), ANSWER);
            match answer.as_ref().map_err(KafkaError::rdkafka_error_code) {
                Err(Some(
                    Code::NotCoordinator
                    | Code::CoordinatorLoadInProgress
                    | Code::BrokerTransportFailure
                    | Code::OperationTimedOut
                    | Code::RequestTimedOut,
                )) => None,
                _ => Some(answer.unwrap()),
            }
        });
        match answer.elements()[0].offset() {
            Offset::Offset(next) => Some(Committed { next, metadata: answer.elements()[0].metadata().to_owned() }),
            _ => None,
        }
    }

    /// How many offsets of a topic are done with.
    pub(crate) fn done(&self, topic: &str, partitions: u32) -> i64 {
        self.committed(topic, partitions).values().map(|place| place.next).sum()
    }
}

/// What a group has committed of a topic, by partition.
pub(crate) fn committed(brokers: &str, group: &str, topic: &str, partitions: u32) -> BTreeMap<i32, Committed> {
    Group::of(brokers, group).committed(topic, partitions)
}
