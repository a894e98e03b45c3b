//! Which topics exist for a driver: all, with one partition where nothing else was said.

use std::collections::BTreeMap;

use tidemill::processor::PartitionCounts;
use tidemill::record::TopicName;

#[derive(Clone, Debug, Default)]
pub(super) struct Topics(BTreeMap<TopicName, u32>);

impl Topics {
    pub(super) fn declare(&mut self, topic: &str, partitions: u32) {
        self.0.insert(topic.into(), partitions);
    }

    pub(super) fn names(&self) -> Vec<TopicName> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn count(&self, topic: &str) -> u32 {
        self.0.get(topic).copied().unwrap_or(1)
    }
}

impl PartitionCounts for Topics {
    fn partitions(&self, topic: &str) -> Option<u32> {
        Some(self.count(topic))
    }
}
