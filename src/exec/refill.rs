//! Brings stores that topics fill up to where their task is: the records that the rows lack run through the task again.
//!
//! Rule: they take the same way as ever, through serde, timestamp extractor and processor; so what a start makes is what was
//! there. A store is wiped only when its topic can no longer have made it, and that is said aloud.

use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::{Batch, BatchBuilder, Offset, Timestamp, TopicPartition};
use tidemill_dsl::state::{Checkpoint, Position};

use super::{Restoring, Settings};
use crate::error::{Error, ErrorKind};
use crate::log::{Bounds, InputProgress, Log};
use crate::task::Task;

/// Changed rows that are kept in memory meanwhile before they are flushed.
const FLUSH_ROWS: usize = 100_000;

/// A partition that fills a store.
pub(super) struct Filling {
    pub(super) queue: usize,
    pub(super) input: TopicPartition,
    /// The number of the store.
    pub(super) store: usize,
    pub(super) bounds: Bounds,
    /// How far the store is to be filled.
    pub(super) to: Offset,
}

/// Fills stores as far as they have to be, and sets their queues there. Gives the number of records that it took.
pub(super) fn refill(
    task: &mut Task,
    fillings: &[Filling],
    (log, now): (&dyn Log, Timestamp),
    with: (&Settings, &Restoring),
) -> Result<u64, Error> {
    for filling in fillings {
        wipe_if_unfit(task, filling, log, now)?;
    }
    let mut taken = 0;
    for filling in fillings {
        taken += fill(task, filling, (log, now), with)?;
    }
    // The queues stand where the application's progress has them already.
    task.take_progress();
    task.state().outputs().clear();
    Ok(taken)
}

fn wipe_if_unfit(task: &mut Task, filling: &Filling, log: &dyn Log, now: Timestamp) -> Result<(), Error> {
    let Filling { input, store, bounds, to, .. } = filling;
    let Some(position) = task.state().positions(*store).and_then(|positions| positions.get(input)) else {
        return Ok(());
    };
    let Some(store) = task.state().store_mut(*store) else { return Ok(()) };
    let away = store.checkpoint()?.map_or(Duration::ZERO, |checkpoint| checkpoint.age(now));
    let complete_from = log.complete_from(input, away)?;
    if (bounds.start.max(complete_from)..=*to).contains(&position.next) {
        return Ok(());
    }
    tracing::warn!(
        store = &**store.name(),
        %input,
        position = %position.next,
        start = %bounds.start,
        %complete_from,
        end = %to,
        ?away,
        "the topic that fills the store was deleted, recreated or cut off, or it lost tombstones, or may have, that the store has not \
         seen, or the application's progress was set back: the store is wiped and filled from what the topic has"
    );
    Ok(store.wipe()?)
}

fn fill(
    task: &mut Task,
    filling: &Filling,
    (log, now): (&dyn Log, Timestamp),
    (settings, watched): (&Settings, &Restoring),
) -> Result<u64, Error> {
    let Filling { queue, input, store, bounds, to } = filling;
    let written = task.state().positions(*store).and_then(|positions| positions.get(input));
    let begin = written.unwrap_or(Position { next: bounds.start, time: None });
    task.resume(*queue, InputProgress { next: begin.next, partition_time: begin.time });
    if let Some(time) = begin.time {
        task.state().advance_stream_time(time);
    }
    let mut taken = 0;
    while task.fetch_position(*queue) < *to {
        let before = taken;
        let from = task.fetch_position(*queue);
        let batches = log.read(input, from, settings.fetch_bytes)?;
        let Some(first) = batches.first() else {
            let message = format!("`{input}` ends at {from}, and its log said {to}: its files are damaged");
            return Err(Error::new(ErrorKind::Corrupt, message));
        };
        if first.base() >= *to {
            // What lay before was removed from the topic.
            let partition_time = task.progress_of(*queue).partition_time;
            task.resume(*queue, InputProgress { next: *to, partition_time });
        }
        for batch in batches.iter().filter(|batch| batch.base() < *to) {
            task.enqueue(*queue, &until(batch, *to))?;
            while task.process_again()?.is_some() {
                taken += 1;
            }
        }
        watched.read(taken - before, to.get().saturating_sub(task.fetch_position(*queue).get()))?;
        task.prepare_commit()?;
        if task.state().store_mut(*store).is_some_and(|store| store.unflushed() > FLUSH_ROWS) {
            flush(task, *store, now)?;
            task.state().store_mut(*store).into_iter().for_each(|store| store.shrink(settings.row_bytes / 4));
        }
    }
    Ok(taken)
}

/// The records of a batch that lie before `to`.
fn until(batch: &Arc<Batch>, to: Offset) -> Arc<Batch> {
    if batch.end() <= to {
        return batch.clone();
    }
    let (mut records, mut cut, mut distances) = (batch.records(), BatchBuilder::default(), Vec::new());
    while let Some(record) = records.peek().filter(|_| records.offset() < to) {
        let distance = records.offset().get() - batch.base().get();
        distances.push(u32::try_from(distance).expect("a batch spans fewer than 2^32 offsets"));
        cut.push_stored(&record);
        records.advance();
    }
    Arc::new(cut.finish_sparse(batch.base(), to, &distances))
}

/// Writes the rows of a store that topics fill, with how far each of its queues was processed.
pub(super) fn flush(task: &mut Task, number: usize, now: Timestamp) -> Result<(), Error> {
    if let Some(positions) = task.state().positions(number).cloned() {
        for (queue, input) in task.inputs().filter(|(queue, _)| task.fills(*queue) == Some(number)) {
            let InputProgress { next, partition_time } = task.progress_of(queue);
            positions.set(input, Position { next, time: partition_time });
        }
    }
    match task.state().store_mut(number) {
        Some(store) => Ok(store.flush(Checkpoint { next: Offset::ZERO, at: now })?),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_dsl::record::Headers;

    #[test]
    fn a_batch_that_is_cut_keeps_the_offsets_of_its_records() {
        let mut builder = BatchBuilder::default();
        for value in [b"a", b"b", b"c"] {
            builder.push(Timestamp::ZERO, None, Some(value), &Headers::NONE);
        }
        let batch = Arc::new(builder.finish_sparse(Offset::new(10), Offset::new(20), &[0, 4, 7]));
        let cut = until(&batch, Offset::new(16));
        assert_eq!((cut.base(), cut.end(), cut.count()), (Offset::new(10), Offset::new(16), 2));
        let mut offsets = Vec::new();
        let visit = |at: Offset, _: tidemill_dsl::record::StoredRecord<'_>| {
            offsets.push(at.get());
            Ok::<_, std::convert::Infallible>(())
        };
        cut.for_each(visit).unwrap();
        assert_eq!(offsets, [10, 14]);
    }
}
