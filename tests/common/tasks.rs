//! Tasks of one partition that hold everything a topology has, and records to give them.

use std::sync::Arc;

use tidemill::processor::PartitionCounts;
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Timestamp};
use tidemill::state::Changelog;
use tidemill::task::Task;
use tidemill::topology::{TaskSettings, TaskSpec, Topology};

/// Every topic exists and has one partition.
pub(crate) struct OnePartition;

impl PartitionCounts for OnePartition {
    fn partitions(&self, _topic: &str) -> Option<u32> {
        Some(1)
    }
}

/// A task without records and without rows.
pub(crate) fn task(topology: &Topology, changelog: Changelog) -> Task {
    task_with(topology, &TaskSettings { changelog, ..TaskSettings::default() })
}

/// A task without records and without rows that works like this.
pub(crate) fn task_with(topology: &Topology, settings: &TaskSettings) -> Task {
    let subtopologies: Vec<usize> = topology.subtopologies().iter().map(|sub| sub.id).collect();
    let spec = TaskSpec {
        subtopologies: &subtopologies,
        partition: 0,
        application: "test",
        topics: &[],
        counts: Arc::new(OnePartition),
        settings: settings.clone(),
        globals: topology.global_stores(),
        open_store: &mut |_| Ok(None),
    };
    Task::new(topology, spec).unwrap()
}

/// Records of one partition from an offset on: time, key, value.
pub(crate) fn batch(base: u64, records: &[(i64, &str, i64)]) -> Arc<Batch> {
    let mut builder = BatchBuilder::default();
    for (time, key, value) in records {
        builder.push(
            Timestamp::from_millis(*time),
            Some(key.as_bytes()),
            Some(&value.to_be_bytes()),
            &Headers::default().with("from", "a test"),
        );
    }
    Arc::new(builder.finish(Offset::new(base)))
}

/// The number of the queue that reads a topic.
pub(crate) fn queue(task: &Task, topic: &str) -> usize {
    let found = task.inputs().find(|(_, input)| *input.topic == *topic);
    found.unwrap_or_else(|| panic!("the task reads no `{topic}`")).0
}
