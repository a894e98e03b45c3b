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
        if self.state.lacks_stores() {
            return self.with_stores(|task| task.snapshot(out));
        }
        let state = &mut self.state;
        Encoder(out).filled(|bytes| state.snapshot(bytes))?;
        let mut out = Encoder(out);
        out.number(u64::from(self.punctuated));
        out.option(self.quiet_since, Encoder::time);
        for queue in &self.queues {
            out.number(queue.fetched.get());
            out.number(queue.end_known.get());
            out.option(queue.partition_time, Encoder::time);
            out.number(u64::from(queue.moved));
            let runs = runs(queue);
            out.number(runs.len() as u64);
            for run in runs {
                out.number(run.base().get());
                out.number(run.count().into());
                out.bytes(run.bytes());
            }
        }
        out.number(self.choice.entries().len() as u64);
        for (queue, time) in self.choice.entries() {
            out.number(*queue as u64);
            out.time(*time);
        }
        Ok(())
    }

    /// Sets the task from what `snapshot` of a task of the same number wrote. A task that failed cannot be set any more:
    /// the failure may have left it without parts.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        if self.state.lacks_stores() {
            return self.with_stores(|task| task.restore(bytes));
        }
        self.check_usable().map_err(ProcessError::from)?;
        let mut bytes = Decoder::new(bytes);
        self.state.restore(&mut Decoder::new(bytes.bytes()?))?;
        self.state.set_address(None);
        self.addressed = None;
        self.punctuated = bytes.number()? != 0;
        self.quiet_since = bytes.option(Decoder::time)?;
        for queue in &mut self.queues {
            restore_queue(queue, &mut bytes)?;
        }
        let mut heads = Vec::new();
        for _ in 0..bytes.number()? {
            heads.push((usize::try_from(bytes.number()?).map_err(ProcessError::from)?, bytes.time()?));
        }
        self.reload_heads(heads)
    }

    /// Reads the records at the heads again, as of the times that they had.
    fn reload_heads(&mut self, heads: Vec<(usize, Timestamp)>) -> Result<(), SnapshotError> {
        self.choice = tidemill_dsl::record::TimeHeap::default();
        let now = self.state.now();
        for (queue, time) in &heads {
            // A source that takes its times from the wall clock took this one when the record came to the head.
            self.state.set_now(*time);
            self.load_head(*queue).map_err(ProcessError::from)?;
            if self.choice.take() != Some((*queue, *time)) {
                let input = &self.queues[*queue].partition;
                let error = format!("the timestamp extractor of `{input}` gives a record another time than before");
                return Err(ProcessError::from(error).into());
            }
        }
        self.state.set_now(now);
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

/// The waiting records in runs without gaps between their offsets: how they were cut into batches is no part of the state.
fn runs(queue: &Queue) -> Vec<Batch> {
    let (mut runs, mut run, mut begins, mut next) = (Vec::new(), BatchBuilder::default(), Offset::ZERO, Offset::ZERO);
    for records in queue.waiting() {
        let mut records = records.clone();
        while let Some(record) = records.peek() {
            if records.offset() != next && !run.is_empty() {
                runs.push(run.finish(begins));
            }
            if run.is_empty() {
                begins = records.offset();
            }
            run.push_stored(&record);
            next = records.offset().next();
            records.advance();
        }
    }
    if !run.is_empty() {
        runs.push(run.finish(begins));
    }
    runs
}

fn restore_queue(queue: &mut Queue, bytes: &mut Decoder<'_>) -> Result<(), SnapshotError> {
    queue.clear();
    let (fetched, end_known) = (Offset::new(bytes.number()?), Offset::new(bytes.number()?));
    queue.partition_time = bytes.option(Decoder::time)?;
    let moved = bytes.number()? != 0;
    queue.fetched = Offset::ZERO;
    for _ in 0..bytes.number()? {
        let base = Offset::new(bytes.number()?);
        let count = u32::try_from(bytes.number()?).map_err(ProcessError::from)?;
        let run = Batch::decode(base, count, bytes.bytes()?.into()).map_err(ProcessError::from)?;
        queue.add(&Arc::new(run));
    }
    (queue.fetched, queue.end_known, queue.moved) = (fetched, end_known, moved);
    Ok(())
}
