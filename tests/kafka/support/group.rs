//! What a group has committed, asked without being its member.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::waiting::LIMIT;

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

    /// What it has committed of a topic, by partition. Waits while a transaction that commits offsets is open.
    pub(crate) fn committed(&self, topic: &str, partitions: u32) -> BTreeMap<i32, Committed> {
        let mut asked = TopicPartitionList::new();
        (0..i32::try_from(partitions).unwrap()).for_each(|partition| _ = asked.add_partition(topic, partition));
        let answer = self.client.committed_offsets(asked, LIMIT).unwrap();
        let elements = answer.elements();
        let places = elements.iter().filter_map(|element| match element.offset() {
            Offset::Offset(next) => {
                Some((element.partition(), Committed { next, metadata: element.metadata().to_owned() }))
            }
            _ => None,
        });
        places.collect()
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
