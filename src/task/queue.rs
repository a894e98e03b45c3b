//! The records of one partition that wait for their turn, in the order of the partition.

use std::collections::VecDeque;
use std::sync::Arc;

use tidemill_dsl::record::{Batch, Offset, Records, StoredRecord, Timestamp, TopicPartition};
use tidemill_dsl::topology::SourceRunner;

use crate::log::InputProgress;

pub(super) struct Queue {
    pub(super) partition: TopicPartition,
    pub(super) runner: Arc<dyn SourceRunner>,
    /// Whether the topic has this partition at all.
    pub(super) read: bool,
    batches: VecDeque<Records>,
    pub(super) buffered: u64,
    /// The offset to fetch next.
    pub(super) fetched: Offset,
    /// How far the partition is known to reach.
    pub(super) end_known: Offset,
    /// The greatest time processed.
    pub(super) partition_time: Option<Timestamp>,
    /// Whether a record was taken since the last commit.
    pub(super) moved: bool,
}

impl Queue {
    pub(super) fn new(partition: TopicPartition, runner: Arc<dyn SourceRunner>, read: bool) -> Self {
        Queue {
            partition,
            runner,
            read,
            batches: VecDeque::new(),
            buffered: 0,
            fetched: Offset::ZERO,
            end_known: Offset::ZERO,
            partition_time: None,
            moved: false,
        }
    }

    pub(super) fn resume(&mut self, progress: InputProgress) {
        assert!(self.is_empty(), "a queue is told where it begins before it gets records");
        self.fetched = progress.next;
        self.end_known = progress.next;
        self.partition_time = progress.partition_time;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffered == 0
    }

    pub(super) fn add(&mut self, batch: &Arc<Batch>) {
        let mut records = batch.records();
        records.skip_to(self.fetched);
        if records.remaining() == 0 {
            return;
        }
        assert!(records.offset() >= self.fetched, "records continue where the last ones ended");
        self.buffered += records.remaining();
        self.fetched = batch.end();
        self.end_known = self.end_known.max(self.fetched);
        self.batches.push_back(records);
    }

    /// The record at the head.
    pub(super) fn peek(&self) -> Option<(Offset, StoredRecord<'_>)> {
        let records = self.batches.front()?;
        records.peek().map(|record| (records.offset(), record))
    }

    pub(super) fn head_offset(&self) -> Offset {
        self.batches.front().map_or(self.fetched, Records::offset)
    }

    /// Takes the record at the head away.
    pub(super) fn advance(&mut self) {
        let Some(records) = self.batches.front_mut() else { return };
        records.advance();
        self.buffered -= 1;
        self.moved = true;
        if records.remaining() == 0 {
            self.batches.pop_front();
        }
    }

    /// Notes that a record of this time was processed.
    pub(super) fn polled(&mut self, timestamp: Timestamp) {
        self.partition_time = self.partition_time.max(Some(timestamp));
    }

    pub(super) fn take_progress(&mut self) -> Option<InputProgress> {
        // Everything before the head is done with, also what was dropped on the way to it.
        let progress = InputProgress { next: self.head_offset(), partition_time: self.partition_time };
        std::mem::take(&mut self.moved).then_some(progress)
    }

    /// The waiting batches, each with the offset of its next record.
    pub(super) fn waiting(&self) -> impl ExactSizeIterator<Item = &Records> {
        self.batches.iter()
    }

    pub(super) fn clear(&mut self) {
        self.batches.clear();
        self.buffered = 0;
    }
}
