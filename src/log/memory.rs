//! A log in memory: the same rules as the embedded log, gone with the process.

use std::sync::{Arc, PoisonError, RwLock};

use tidemill_dsl::record::{Batch, Offset, Timestamp, TopicPartition};

use super::ledger::{Book, Call, Change, Keep, Ledger, PartitionId, Ticket, log_by_ledger};
use super::{Append, Bounds, Cleaned, LogError, Notes, Progress, Session, TopicId, TopicSpec};

/// A log in memory, for tests and for the explorer. Everything is kept until it is dropped; nothing ever fails to be
/// written.
///
/// ```
/// use tidemill::log::{Append, Log, MemoryLog, Notes, TopicSpec};
/// use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
///
/// let log = MemoryLog::new();
/// log.create_topic(&TopicSpec::new("orders", 2))?;
/// let mut batch = BatchBuilder::default();
/// batch.push(Timestamp::ZERO, Some(b"alice"), Some(b"10"), &Headers::NONE);
/// let orders = TopicPartition::new("orders", 1);
/// let append = Append { to: orders.clone(), records: batch.finish(Offset::ZERO) };
/// assert_eq!(log.append(vec![append], "", Notes::new())?, [Offset::ZERO]);
/// assert_eq!(log.bounds(&orders)?.end, Offset::new(1));
/// # Ok::<(), tidemill::log::LogError>(())
/// ```
pub struct MemoryLog(Ledger<Memory>);

impl MemoryLog {
    /// An empty log.
    pub fn new() -> Self {
        MemoryLog(Ledger::new(Book::default(), Memory::default()))
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        MemoryLog::new()
    }
}

impl std::fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryLog")
    }
}

log_by_ledger!(MemoryLog);

/// The committed batches of every partition.
#[derive(Default)]
struct Memory {
    partitions: RwLock<Vec<Vec<Arc<Batch>>>>,
}

impl Keep for Memory {
    fn usable(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn write(&self, book: &Book, change: &Change) -> Result<Ticket, LogError> {
        let mut partitions = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        partitions.resize_with(book.next_partition().index(), Vec::new);
        for (partition, batch) in &change.batches {
            partitions[partition.index()].push(batch.clone());
        }
        for (partition, start) in &change.starts {
            partitions[partition.index()].retain(|batch| batch.end() > *start);
        }
        for (first, count) in &change.gone {
            let gone = &mut partitions[first.index()..first.index() + *count as usize];
            gone.iter_mut().for_each(Vec::clear);
        }
        Ok(Ticket(0))
    }

    /// What was deleted is gone at once, and everything else is kept.
    fn clean(&self, _: &Ledger<Memory>, _: Timestamp) -> Result<Cleaned, LogError> {
        Ok(Cleaned::default())
    }

    fn settle(&self, _: Ticket, _: Call) -> Result<(), LogError> {
        Ok(())
    }

    fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        end: Offset,
        bytes_max: usize,
    ) -> Result<Vec<Arc<Batch>>, LogError> {
        let partitions = self.partitions.read().unwrap_or_else(PoisonError::into_inner);
        let batches = &partitions[partition.index()];
        let first = batches.partition_point(|batch| batch.end() <= from);
        let mut bytes = 0;
        let fits = |batch: &&Arc<Batch>| {
            let is_first = bytes == 0;
            bytes += batch.bytes().len();
            batch.base() < end && (is_first || bytes <= bytes_max)
        };
        Ok(batches[first..].iter().take_while(fits).cloned().collect())
    }
}
