//! Brings a store up to its changelog.
//!
//! Rule: a store is a checkpoint of its changelog. It is wiped only when the changelog can no longer have made it: when
//! that was deleted, recreated or cut off behind the checkpoint; and that is said aloud.

use tidemill_dsl::record::{Offset, TopicPartition};
use tidemill_dsl::state::{StateStore, StoreError};

use crate::error::{Error, ErrorKind};
use crate::log::{Bounds, Log};

/// Changed rows that are kept in memory during a restore before they are flushed.
const FLUSH_ROWS: usize = 100_000;

/// Applies what the changelog has behind the store's checkpoint. Gives the number of records applied.
pub(super) fn restore(
    store: &mut dyn StateStore,
    log: &dyn Log,
    changelog: &TopicPartition,
    fetch_bytes: usize,
) -> Result<u64, Error> {
    let bounds = log.bounds(changelog)?;
    let mut next = begin(store, bounds, log.complete_from(changelog)?, changelog)?;
    let mut restored = 0;
    while next < bounds.end {
        let batches = log.read(changelog, next, fetch_bytes)?;
        if batches.is_empty() {
            let message =
                format!("`{changelog}` ends at {next}, and its log said {}: its files are damaged", bounds.end);
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        for batch in batches {
            batch.for_each(|offset, record| {
                // The first batch may begin before the checkpoint.
                if offset < next {
                    return Ok(());
                }
                restored += 1;
                store.apply(&record).map_err(|cause| {
                    StoreError::new(cause.kind(), format!("record {offset} of `{changelog}`: {cause}"))
                        .with_source(cause)
                })
            })?;
            next = batch.end();
        }
        if store.unflushed() > FLUSH_ROWS {
            store.flush(next)?;
        }
    }
    Ok(restored)
}

/// The offset to begin at. A checkpoint that the changelog cannot have made wipes the store.
fn begin(
    store: &mut dyn StateStore,
    bounds: Bounds,
    complete_from: Offset,
    changelog: &TopicPartition,
) -> Result<Offset, Error> {
    let Some(checkpoint) = store.checkpoint()? else { return Ok(bounds.start) };
    if (bounds.start.max(complete_from)..=bounds.end).contains(&checkpoint) {
        return Ok(checkpoint);
    }
    tracing::warn!(
        store = &**store.name(),
        %changelog,
        %checkpoint,
        start = %bounds.start,
        %complete_from,
        end = %bounds.end,
        "the changelog was deleted, recreated or cut off, or it lost tombstones that the store has not seen, so it does not \
         reach the store's checkpoint any more: the store is wiped and restored from what the changelog has"
    );
    store.wipe()?;
    Ok(bounds.start)
}
