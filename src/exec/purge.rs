//! Deletes what an application alone reads, once it has processed it: the records of its repartition topics.
//!
//! Rule: only up to what a commit said, and seldom, because each deletion is a write.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_dsl::record::{Offset, Timestamp, TopicName, TopicPartition};

use crate::log::{Log, LogError, Progress};

/// How often records are deleted, as in Kafka Streams (`repartition.purge.interval.ms`).
const INTERVAL_MS: i64 = 30_000;

/// The topics that nobody else reads, and how far they were processed.
#[derive(Default)]
pub(super) struct Purge {
    pub(super) topics: BTreeSet<TopicName>,
    reached: BTreeMap<TopicPartition, Offset>,
    purged_at: Option<Timestamp>,
}

impl Purge {
    /// Notes how far a commit has come.
    pub(super) fn note(&mut self, progress: &Progress) {
        if self.topics.is_empty() {
            return;
        }
        let own = progress.inputs.iter().filter(|(input, _)| self.topics.contains(&input.topic));
        self.reached.extend(own.map(|(input, progress)| (input.clone(), progress.next)));
    }

    /// Deletes what was processed before the last commit, if it is time.
    pub(super) fn purge(&mut self, log: &dyn Log, now: Timestamp) -> Result<(), LogError> {
        let since = self.purged_at.get_or_insert(now);
        if self.reached.is_empty() || now.as_millis() - since.as_millis() < INTERVAL_MS {
            return Ok(());
        }
        self.purged_at = Some(now);
        let reached = std::mem::take(&mut self.reached);
        reached.iter().try_for_each(|(partition, next)| log.delete_records(partition, *next))
    }
}
