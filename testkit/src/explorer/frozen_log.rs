//! The committed records of a world as a log: what a task that starts restores from, by the runtime's own code.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Waker;
use std::time::Duration;

use tidemill::log::{
    Append, Bounds, Cleaned, EndWatch, Log, LogError, LogErrorKind, Notes, OwnRecords, Progress, Session, TopicId,
    TopicSpec, Written,
};
use tidemill::record::{Batch, Offset, Timestamp, TopicPartition};

/// The records of a partition, one in each batch, and the offset after them. What is aborted is left out.
pub(super) type FrozenPartition = (Offset, Vec<Arc<Batch>>);

/// Records that are only read.
#[derive(Clone)]
pub(super) struct FrozenLog {
    pub(super) partitions: Arc<BTreeMap<TopicPartition, FrozenPartition>>,
}

fn only_read<T>() -> Result<T, LogError> {
    Err(LogError::new(LogErrorKind::Invalid, "the log of an explored world is only read"))
}

impl FrozenLog {
    /// The records of a partition; none of one that it does not have.
    pub(super) fn records_of(&self, partition: &TopicPartition) -> &[Arc<Batch>] {
        self.partitions.get(partition).map_or(&[], |(_, records)| records)
    }

    /// The offset after the last record.
    pub(super) fn end_of(&self, partition: &TopicPartition) -> Offset {
        self.partitions.get(partition).map_or(Offset::ZERO, |(end, _)| *end)
    }

    /// The same with only so many records in these partitions.
    pub(super) fn up_to(&self, lengths: &BTreeMap<TopicPartition, usize>) -> FrozenLog {
        let mut partitions = BTreeMap::clone(&self.partitions);
        for (partition, length) in lengths {
            if let Some((end, records)) = partitions.get_mut(partition) {
                records.truncate(*length);
                *end = records.last().map_or(Offset::ZERO, |last| last.end());
            }
        }
        FrozenLog { partitions: Arc::new(partitions) }
    }

    fn partition(&self, partition: &TopicPartition) -> Result<&FrozenPartition, LogError> {
        self.partitions.get(partition).ok_or_else(|| {
            LogError::new(LogErrorKind::UnknownTopic, format!("the explored world has no partition `{partition}`"))
        })
    }
}

impl Log for FrozenLog {
    fn create_topic(&self, _spec: &TopicSpec) -> Result<(), LogError> {
        only_read()
    }

    fn check(&self) -> Result<(), LogError> {
        only_read()
    }

    fn topic_id(&self, _name: &str) -> Result<Option<TopicId>, LogError> {
        only_read()
    }

    fn topic(&self, _name: &str) -> Result<Option<TopicSpec>, LogError> {
        only_read()
    }

    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        only_read()
    }

    fn delete_topic(&self, _name: &str) -> Result<(), LogError> {
        only_read()
    }

    fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        Ok(Bounds { start: Offset::ZERO, end: self.partition(partition)?.0 })
    }

    fn read(&self, partition: &TopicPartition, from: Offset, _bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        let (_, records) = self.partition(partition)?;
        Ok(records.iter().filter(|record| record.base() >= from).cloned().collect())
    }

    fn delete_records(&self, _partition: &TopicPartition, _before: Offset) -> Result<(), LogError> {
        only_read()
    }

    fn complete_from(&self, _partition: &TopicPartition, _away: Duration) -> Result<Offset, LogError> {
        Ok(Offset::ZERO)
    }

    fn clean(&self, _now: Timestamp) -> Result<Cleaned, LogError> {
        Ok(Cleaned::default())
    }

    fn post(&self, _appends: Vec<Append>, _scope: &str, _notes: Notes) -> Result<Written, LogError> {
        only_read()
    }

    fn notes(&self, _scope: &str) -> Result<Notes, LogError> {
        Ok(Notes::new())
    }

    fn applications(&self) -> Result<Vec<String>, LogError> {
        Ok(Vec::new())
    }

    fn progress(&self, _application: &str) -> Result<Progress, LogError> {
        Ok(Progress::default())
    }

    fn members(&self, _application: &str) -> Result<Vec<String>, LogError> {
        Ok(Vec::new())
    }

    fn set_progress(&self, _application: &str, _progress: &Progress) -> Result<(), LogError> {
        only_read()
    }

    fn wake_at_change(&self, _waker: &Waker) {}

    fn session(&self, _application: &str) -> Result<Box<dyn Session>, LogError> {
        Ok(Box::new(self.clone()))
    }
}

impl Session for FrozenLog {
    fn own_records(&self) -> OwnRecords {
        OwnRecords::AtCommit
    }

    fn progress(&self) -> Result<Progress, LogError> {
        Ok(Progress::default())
    }

    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        Log::read(self, partition, from, bytes_max)
    }

    fn end(&self, partition: &TopicPartition) -> Result<Offset, LogError> {
        Ok(self.partition(partition)?.0)
    }

    fn follow(&self, partition: &TopicPartition, _from: Offset) -> Result<EndWatch, LogError> {
        Ok(EndWatch::new(Arc::new(AtomicU64::new(self.end(partition)?.get()))))
    }

    fn stage(&self, _append: Append) -> Result<Option<Offset>, LogError> {
        only_read()
    }

    fn commit(&self, _progress: &Progress) -> Result<(), LogError> {
        only_read()
    }

    fn abort(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn wait(&self, seen: u64, _limit: Duration) -> u64 {
        seen
    }

    fn wake(&self) {}
}
