//! The records of one partition that wait for their turn, in the order of the partition.

use std::collections::VecDeque;
use std::sync::Arc;

use tidemill_dsl::mutants::{Mutant, is_planted};
use tidemill_dsl::processor::{Address, Attempt, ProcessError, TaskState, Transferred};
use tidemill_dsl::record::{Batch, Offset, Records, Timestamp, TopicPartition};
use tidemill_dsl::topology::{OffsetReset, Run, SourceQueue, SourceRunner};

use crate::log::InputProgress;

pub(super) struct Queue {
    pub(super) partition: TopicPartition,
    pub(super) runner: Arc<dyn SourceRunner>,
    /// Whether the topic has this partition at all.
    pub(super) read: bool,
    /// The number of the store that its records fill, if they do nothing else.
    pub(super) fills: Option<usize>,
    /// Where it begins when the application has no place in the partition.
    pub(super) reset: OffsetReset,
    /// The batch that is being read.
    head: Option<Records>,
    /// Those after it, and how many records they have.
    behind: VecDeque<Records>,
    records_behind: u64,
    /// The offset to fetch next.
    pub(super) fetched: Offset,
    /// How far the partition is known to reach.
    pub(super) end_known: Offset,
    /// The greatest time processed.
    pub(super) partition_time: Option<Timestamp>,
    /// Whether a record was taken since the last commit.
    pub(super) moved: bool,
    /// What came since somebody asked for it.
    pub(super) came: Transferred,
    /// The records that were done with since somebody asked for it.
    pub(super) done: u64,
}

impl Queue {
    pub(super) fn new(source: SourceQueue, read: bool) -> Self {
        let SourceQueue { topic, partition, runner, fills, reset } = source;
        Queue {
            partition: TopicPartition { topic, partition },
            runner,
            read,
            fills,
            reset,
            head: None,
            behind: VecDeque::new(),
            records_behind: 0,
            fetched: Offset::ZERO,
            end_known: Offset::ZERO,
            partition_time: None,
            moved: false,
            came: Transferred::default(),
            done: 0,
        }
    }

    pub(super) fn resume(&mut self, progress: InputProgress) {
        assert!(self.is_empty(), "a queue is told where it begins before it gets records");
        self.fetched = progress.next;
        self.end_known = progress.next;
        self.partition_time = progress.partition_time;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// How many records wait.
    #[inline]
    pub(super) fn buffered(&self) -> u64 {
        self.head.as_ref().map_or(0, Records::remaining) + self.records_behind
    }

    pub(super) fn add(&mut self, batch: &Arc<Batch>) {
        let mut records = batch.records();
        records.skip_to(self.fetched);
        // Where records were removed there is nothing to wait for, but the next fetch begins behind them.
        let before = self.fetched;
        self.fetched = before.max(batch.end());
        if records.remaining() == 0 {
            // It is a step forward all the same: whoever compares the place with the end has to learn that nothing is left.
            self.moved |= self.fetched > before;
            return;
        }
        self.end_known = self.end_known.max(self.fetched);
        self.came += Transferred { records: records.remaining(), bytes: batch.bytes().len() as u64 };
        if self.head.is_none() {
            self.head = Some(records);
        } else {
            self.records_behind += records.remaining();
            self.behind.push_back(records);
        }
    }

    /// Reads the record at the head into its place in the task, past those that are dropped, and gives its time.
    pub(super) fn load_head(
        &mut self,
        number: usize,
        state: &mut TaskState,
    ) -> Result<Option<Timestamp>, ProcessError> {
        while let Some(record) = self.head.as_ref().and_then(Records::peek) {
            match self.runner.load(number, &record, self.partition_time, state) {
                Ok(Some(time)) => return Ok(Some(time)),
                Ok(None) => {}
                Err(error) => state.undecodable(error.at_record(&self.address(self.head_offset())), &record)?,
            }
            self.advance();
        }
        Ok(None)
    }

    /// The place of one of its records.
    pub(super) fn address(&self, offset: Offset) -> Address {
        Address { topic: self.partition.topic.clone(), partition: self.partition.partition, offset }
    }

    #[inline]
    pub(super) fn head_offset(&self) -> Offset {
        self.head.as_ref().map_or(self.fetched, Records::offset)
    }

    /// Processes the record at the head.
    #[inline]
    pub(super) fn run(
        &mut self,
        number: usize,
        timestamp: Timestamp,
        state: &mut TaskState,
    ) -> Result<(), ProcessError> {
        let Some(head) = &self.head else { return Ok(()) };
        if self.runner.run(number, head, state)? == Attempt::Done {
            self.partition_time = self.partition_time.max(Some(timestamp));
        }
        Ok(())
    }

    /// Takes the record at the head away.
    #[inline]
    pub(super) fn advance(&mut self) {
        let Some(head) = &mut self.head else { return };
        head.advance();
        self.done += 1;
        self.moved = true;
        if head.remaining() == 0 {
            self.next_batch();
        }
    }

    fn next_batch(&mut self) {
        self.head = self.behind.pop_front();
        self.records_behind -= self.head.as_ref().map_or(0, Records::remaining);
    }

    /// Processes records of the batch that is being read, one after another. Gives how many.
    pub(super) fn run_on(
        &mut self,
        number: usize,
        limit: u32,
        stop: &mut dyn FnMut(&mut TaskState) -> bool,
        state: &mut TaskState,
    ) -> Result<u32, ProcessError> {
        let Some(head) = &mut self.head else { return Ok(0) };
        let waited = head.remaining();
        let mut run = Run { records: head, partition_time: self.partition_time, left: limit, stop };
        let flow = self.runner.run_on(number, &mut run, state);
        let (left, partition_time) = (run.left, run.partition_time);
        self.partition_time = partition_time;
        // Whoever stops a run leaves nothing of the limit, so that says not how many there were.
        self.done += waited - head.remaining();
        self.moved = true;
        if head.remaining() == 0 {
            self.next_batch();
        }
        flow.map(|()| limit - left)
    }

    /// How far the partition was processed.
    pub(super) fn progress(&self) -> InputProgress {
        // Everything before the head is done with, also what was dropped on the way to it.
        InputProgress { next: self.head_offset(), partition_time: self.partition_time }
    }

    /// The same if it moved since the last call.
    pub(super) fn take_progress(&mut self) -> Option<InputProgress> {
        std::mem::take(&mut self.moved).then(|| {
            let next = if is_planted(Mutant::FetchedCommitted) { self.fetched } else { self.progress().next };
            InputProgress { next, ..self.progress() }
        })
    }

    /// The waiting batches, each with the offset of its next record.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Records> {
        self.head.iter().chain(&self.behind)
    }

    pub(super) fn clear(&mut self) {
        self.head = None;
        self.behind.clear();
        self.records_behind = 0;
    }
}
