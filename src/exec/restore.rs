//! Brings a store up to its changelog, or to the topic that takes its place.
//!
//! Rule: a store is a checkpoint of its changelog. It is wiped only when the changelog can no longer have made it: when
//! that was deleted, recreated or cut off behind the checkpoint; and that is said aloud.

use tidemill_dsl::mutants::{Mutant, is_planted};
use tidemill_dsl::record::{Batch, Offset, Timestamp, TopicPartition};
use tidemill_dsl::state::{Checkpoint, StateStore, StoreError};

use super::origin::Origin;
use super::{Restoring, Settings};
use crate::error::{Error, ErrorKind};
use crate::log::{Bounds, Log};
use crate::task::Task;

/// Changed rows that are kept in memory during a restore before they are flushed.
pub(super) const FLUSH_ROWS: usize = 100_000;

/// Applies what the store's origin has behind its checkpoint, or behind what a standby has `reached`. Gives the number of records
/// read.
pub(super) fn restore(
    task: &mut Task,
    (store, reached): (usize, Option<Checkpoint>),
    origin: &Origin,
    (log, now): (&dyn Log, Timestamp),
    (settings, watched): (&Settings, &Restoring),
) -> Result<u64, Error> {
    let (mut bounds, from) = (origin.bounds(task, log)?, origin.partition());
    if is_planted(Mutant::RestoreStopsEarly) && bounds.start < bounds.end {
        bounds.end = Offset::new(bounds.end.get() - 1);
    }
    let begun = store_of(task, store).map(|store| begin(store, reached, (bounds, from), (log, now))).transpose()?;
    let Some(Checkpoint { mut next, at }) = begun else { return Ok(0) };
    let mut restored = 0;
    while next < bounds.end {
        let before = restored;
        let batches = log.read(from, next, settings.fetch_bytes)?;
        if batches.is_empty() {
            let message = format!("`{from}` ends at {next}, and its log said {}: its files are damaged", bounds.end);
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        for batch in batches {
            restored += apply(task, store, origin, &batch, &mut next, bounds.end)?;
        }
        watched.read(restored - before, bounds.end.get() - next.get())?;
        let Some(store) = store_of(task, store) else { break };
        if store.unflushed() > FLUSH_ROWS {
            store.flush(Checkpoint { next, at })?;
            // How many other stores share the budget is not known yet; what is too much goes when all are there.
            store.shrink(settings.row_bytes / 4);
        }
    }
    Ok(restored)
}

/// Applies the records of a batch from `next` to `end`, and moves `next` behind them. Gives their number.
pub(super) fn apply(
    task: &mut Task,
    store: usize,
    origin: &Origin,
    batch: &Batch,
    next: &mut Offset,
    end: Offset,
) -> Result<u64, Error> {
    let (mut applied, from) = (0, origin.partition());
    batch.for_each(|offset, record| {
        // The first batch may begin before the checkpoint, and the last one end behind what was processed.
        if offset < *next || offset >= end {
            return Ok(());
        }
        applied += 1;
        if !origin.changes(task, &record) {
            return Ok(());
        }
        store_of(task, store).map_or(Ok(()), |store| store.apply(&record)).map_err(|cause| {
            StoreError::new(cause.kind(), format!("record {offset} of `{from}`: {cause}")).with_source(cause)
        })
    })?;
    *next = batch.end().min(end).max(*next);
    Ok(applied)
}

pub(super) fn store_of(task: &mut Task, store: usize) -> Option<&mut dyn StateStore> {
    task.state().store_mut(store).map(|store| &mut **store)
}

/// Where to begin: at the checkpoint, unless more was `reached` already. One that the changelog cannot have made, or that may have
/// missed a delete, wipes the store.
pub(super) fn begin(
    store: &mut dyn StateStore,
    reached: Option<Checkpoint>,
    (bounds, changelog): (Bounds, &TopicPartition),
    (log, now): (&dyn Log, Timestamp),
) -> Result<Checkpoint, Error> {
    let checkpoint = match reached {
        Some(reached) => Some(reached),
        None => store.checkpoint()?,
    };
    let from_start = Checkpoint { next: bounds.start, at: now };
    let Some(checkpoint) = checkpoint else { return Ok(from_start) };
    let away = checkpoint.age(now);
    let complete_from = log.complete_from(changelog, away)?;
    if (bounds.start.max(complete_from)..=bounds.end).contains(&checkpoint.next) {
        return Ok(checkpoint);
    }
    tracing::warn!(
        store = &**store.name(),
        %changelog,
        checkpoint = %checkpoint.next,
        ?away,
        start = %bounds.start,
        %complete_from,
        end = %bounds.end,
        "the changelog was deleted, recreated or cut off, or it lost tombstones, or may have, that the store has not seen, so \
         it does not reach the store's checkpoint any more: the store is wiped and restored from what the changelog has"
    );
    store.wipe()?;
    Ok(from_start)
}
