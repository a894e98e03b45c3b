//! Copies of a task as canonical bytes: equal tasks give equal bytes, so they can be compared and merged by a hash.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use tidemill_dsl::processor::{ProcessError, SnapshotError};
use tidemill_dsl::record::{Batch, BatchBuilder, Decoder, Encoder, Offset, Timestamp};

use super::Task;
use super::queue::Queue;

/// 128 bits that stand for a task's state. Equal within one build of the program; not for storing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The fingerprint of canonical bytes.
    pub fn of(bytes: &[u8]) -> Self {
        // Fixed seeds: the same state has the same fingerprint in every run.
        let half = |seed| {
            let mut hasher = foldhash::quality::FixedState::with_seed(seed).build_hasher();
            hasher.write(bytes);
            u128::from(hasher.finish())
        };
        Fingerprint(half(1) << 64 | half(2))
    }
}

impl Task {
    /// Appends everything that a copy of the task needs: state, waiting records, the order of the choice.
    ///
    /// Counts of dropped records and the wall clock are not part of it. A processor that keeps state in its fields and
    /// cannot copy it says so in the error.
    pub fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), SnapshotError> {
        let state = &mut self.state;
        Encoder(out).filled(|bytes| state.snapshot(bytes))?;
        let mut out = Encoder(out);
        for queue in &self.queues {
            out.number(queue.fetched.get());
            out.number(queue.end_known.get());
            out.option(queue.partition_time, Encoder::time);
            out.number(u64::from(queue.moved));
            // As one run of records: how they were cut into batches is no part of the state.
            let mut waiting = BatchBuilder::default();
            for records in queue.waiting() {
                let mut records = records.clone();
                while let Some(record) = records.peek() {
                    waiting.push_stored(&record);
                    records.advance();
                }
            }
            out.number(queue.head_offset().get());
            out.number(waiting.count().into());
            out.bytes(waiting.finish(Offset::ZERO).bytes());
        }
        out.number(self.choice.queues().len() as u64);
        self.choice.queues().for_each(|queue| out.number(queue as u64));
        Ok(())
    }

    /// Sets the task from what `snapshot` of a task of the same number wrote.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let mut bytes = Decoder::new(bytes);
        self.state.restore(&mut Decoder::new(bytes.bytes()?))?;
        self.state.set_address(None);
        (self.addressed, self.failed) = (None, false);
        for queue in &mut self.queues {
            restore_queue(queue, &mut bytes)?;
        }
        let mut order = Vec::new();
        for _ in 0..bytes.number()? {
            order.push(usize::try_from(bytes.number()?).map_err(ProcessError::from)?);
        }
        self.reload_heads(&order)
    }

    fn reload_heads(&mut self, order: &[usize]) -> Result<(), SnapshotError> {
        self.choice = super::Choice::default();
        let mut heads: Vec<(usize, Timestamp)> = Vec::new();
        for queue in order {
            self.load_head(*queue).map_err(ProcessError::from)?;
            heads.extend(self.choice.take());
        }
        self.choice.restore(heads);
        Ok(())
    }

    /// A hash of `snapshot`.
    pub fn fingerprint(&mut self) -> Result<Fingerprint, SnapshotError> {
        let mut bytes = Vec::new();
        self.snapshot(&mut bytes)?;
        Ok(Fingerprint::of(&bytes))
    }
}

fn restore_queue(queue: &mut Queue, bytes: &mut Decoder<'_>) -> Result<(), SnapshotError> {
    queue.clear();
    let (fetched, end_known) = (Offset::new(bytes.number()?), Offset::new(bytes.number()?));
    queue.partition_time = bytes.option(Decoder::time)?;
    let moved = bytes.number()? != 0;
    let head = Offset::new(bytes.number()?);
    let count = u32::try_from(bytes.number()?).map_err(ProcessError::from)?;
    let batch = Batch::decode(head, count, bytes.bytes()?.into()).map_err(ProcessError::from)?;
    queue.fetched = head;
    queue.add(&Arc::new(batch));
    (queue.fetched, queue.end_known, queue.moved) = (fetched, end_known, moved);
    Ok(())
}
