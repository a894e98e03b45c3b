//! Finds records by their time. A log keeps no index of times, so this reads.

use tidemill_dsl::record::{Offset, Timestamp, TopicPartition};

use super::{Log, LogError, LogErrorKind};

/// How many bytes are read at once.
const READ_BYTES: usize = 1 << 20;

/// The offset of the first committed record whose time is `time` or later; the end of the partition if there is none.
///
/// Reads the partition from its start up to that record.
///
/// ```
/// use tidemill::log::{Append, Log, MemoryLog, Notes, TopicSpec, offset_at};
/// use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
///
/// let (log, orders) = (MemoryLog::new(), TopicPartition::new("orders", 0));
/// log.create_topic(&TopicSpec::new("orders", 1))?;
/// let mut batch = BatchBuilder::default();
/// for minute in [1, 2, 3] {
///     batch.push(Timestamp::from_millis(minute * 60_000), None, Some(b"10"), &Headers::NONE);
/// }
/// log.append(vec![Append { to: orders.clone(), records: batch.finish(Offset::ZERO) }], "", Notes::new())?;
/// assert_eq!(offset_at(&log, &orders, Timestamp::from_millis(90_000))?, Offset::new(1));
/// # Ok::<(), tidemill::log::LogError>(())
/// ```
///
/// # Errors
///
/// `UnknownTopic` when there is no such partition, and what reading it gives.
pub fn offset_at(log: &dyn Log, partition: &TopicPartition, time: Timestamp) -> Result<Offset, LogError> {
    let mut bounds = log.bounds(partition)?;
    let mut next = bounds.start;
    while next < bounds.end {
        let batches = match log.read(partition, next, READ_BYTES) {
            Err(gone) if gone.kind() == LogErrorKind::OutOfRange => {
                bounds.start = log.bounds(partition)?.start;
                next = next.max(bounds.start);
                continue;
            }
            batches => batches?,
        };
        let Some(last) = batches.last() else { break };
        let end = last.end();
        for batch in &batches {
            // The error ends the visit.
            let looked = batch.for_each(
                |offset, record| {
                    if offset >= next && record.timestamp >= time { Err(offset) } else { Ok(()) }
                },
            );
            if let Err(found) = looked {
                return Ok(found);
            }
        }
        next = end;
    }
    Ok(bounds.end.max(next))
}
