//! Goes through the records of a partition.

use std::ops::ControlFlow;

use tidemill::log::{Log, LogErrorKind};
use tidemill::record::{Offset, StoredRecord, TopicPartition};

use crate::failure::Failure;

const READ_BYTES: usize = 1 << 20;

/// Calls `see` for the records from `from` to before `to` that are there, in order, until it says `false`. Gives the offset to
/// go on at.
pub(super) fn visit(
    log: &dyn Log,
    partition: &TopicPartition,
    from: Offset,
    to: Offset,
    mut see: impl FnMut(Offset, &StoredRecord<'_>) -> Result<bool, Failure>,
) -> Result<Offset, Failure> {
    let mut next = from.max(log.bounds(partition)?.start);
    while next < to {
        let batches = match log.read(partition, next, READ_BYTES) {
            Err(cause) if cause.kind() == LogErrorKind::OutOfRange => break,
            batches => batches?,
        };
        if batches.is_empty() {
            break;
        }
        for batch in batches {
            let seen = batch.for_each(|offset, record| {
                if offset < next || offset >= to {
                    return Ok(());
                }
                match see(offset, &record) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(ControlFlow::Break(offset.next())),
                    Err(failure) => Err(ControlFlow::Continue(failure)),
                }
            });
            match seen {
                Ok(()) => next = batch.end().min(to),
                Err(ControlFlow::Break(offset)) => return Ok(offset),
                Err(ControlFlow::Continue(failure)) => return Err(failure),
            }
        }
    }
    Ok(next)
}
