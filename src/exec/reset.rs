//! Where a task begins in a partition when no commit says where, or when what it said is not there any more.
//!
//! Rule: the source's [`OffsetReset`] decides; records that are skipped by it are said aloud, with their number. Where it
//! began is stored with the next commit, so that a later start goes on there.

use tidemill_dsl::record::{Offset, Timestamp, TopicPartition};
use tidemill_dsl::topology::OffsetReset;

use crate::error::{Error, ErrorKind};
use crate::log::{Bounds, InputProgress, Log, offset_at};
use crate::task::Task;

/// Where an input begins.
pub(super) struct Beginning {
    pub(super) at: InputProgress,
    /// Whether the next commit has to store it: a later start would find another place.
    pub(super) is_chosen: bool,
}

/// Finds where a queue begins, given how far the application was.
pub(super) fn beginning(
    task: &Task,
    (queue, input): (usize, &TopicPartition),
    committed: Option<InputProgress>,
    log: &dyn Log,
    now: Timestamp,
) -> Result<Beginning, Error> {
    let bounds = log.bounds(input)?;
    if let Some(committed) = committed.filter(|at| (bounds.start..=bounds.end).contains(&at.next)) {
        return Ok(Beginning { at: committed, is_chosen: false });
    }
    let policy = task.reset_of(queue);
    if let (Some(at), OffsetReset::Fail) = (committed, policy) {
        return Err(gone(input, at.next, bounds));
    }
    let next = match policy {
        OffsetReset::Earliest | OffsetReset::Fail => bounds.start,
        OffsetReset::Latest => bounds.end,
        OffsetReset::Since(ago) => {
            let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            offset_at(log, input, Timestamp::from_millis(now.as_millis().saturating_sub(ago)))?
        }
    };
    if let Some(at) = committed {
        tracing::warn!(
            %input,
            committed = %at.next,
            start = %bounds.start,
            end = %bounds.end,
            next = %next,
            lost = next.get().saturating_sub(at.next.get()),
            "records were removed from the topic before they were processed, or it was recreated: processing goes on at \
             `next`, as the source's offset reset says"
        );
    }
    let at = InputProgress { next, partition_time: committed.and_then(|at| at.partition_time) };
    let is_chosen = committed.is_some() || matches!(policy, OffsetReset::Latest | OffsetReset::Since(_));
    Ok(Beginning { at, is_chosen })
}

fn gone(input: &TopicPartition, next: Offset, bounds: Bounds) -> Error {
    let message = format!(
        "the application goes on at {next} in `{input}`, which has records from {} to before {}: they were removed before they \
         were processed, or the topic was recreated; its offset reset is `Fail`: to go on with what is there set \
         `OffsetReset::Earliest` for a start, and let the topic keep its records longer",
        bounds.start, bounds.end
    );
    Error::new(ErrorKind::Lagged, message)
}
