//! What every log does: one function per rule.
//!
//! [`log_conformance!`](crate::log_conformance) makes a test of each; [`durable_log_conformance!`](crate::durable_log_conformance)
//! those for logs that can be opened again.

mod appends;
mod durable;
mod resets;
mod sessions;
mod topics;
mod waiting;

use std::convert::Infallible;

use tidemill::log::{Append, Log, LogError, LogErrorKind, Session, TopicSpec};
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

pub use appends::*;
pub use durable::*;
pub use resets::*;
pub use sessions::*;
pub use topics::*;
pub use waiting::*;

/// Makes one test per rule. `$open` is called for each and gives a `Box<dyn Log>` without topics, alone or in a tuple with
/// what must live as long.
#[macro_export]
macro_rules! log_conformance {
    ($open:expr) => {
        $crate::log_conformance!(@ $open;
            a_topic_is_created_once
            topic_names_are_kafkas
            what_does_not_exist_is_an_error
            deleted_records_are_gone
            a_topic_is_deleted
            appended_records_get_the_next_offsets
            records_come_back_as_they_were_appended
            one_append_is_whole_or_not_there
            an_empty_append_changes_nothing
            reading_begins_at_the_batch_with_the_offset
            reading_stops_at_the_limit_but_not_before_one_batch
            reading_outside_the_bounds_is_an_error
            notes_are_merged_by_scope
            appends_of_several_threads_do_not_mix
            staged_records_are_seen_by_their_session_only
            a_commit_shows_everything_at_once
            own_records_are_read_in_their_place
            many_small_stages_become_few_batches
            progress_is_merged_by_commits
            an_abort_drops_what_was_staged
            dropping_a_session_drops_what_was_staged
            a_failed_commit_check_leaves_the_epoch_open
            a_new_session_fences_the_old_one
            a_fenced_session_cannot_hurt_its_successor
            two_applications_do_not_share_an_epoch
            an_append_elsewhere_does_not_wait_for_an_epoch
            an_append_behind_staged_records_comes_with_the_commit
            an_append_behind_staged_records_comes_after_an_abort
            an_append_behind_a_dropped_session_comes_through
            the_end_watch_is_never_behind
            who_works_for_an_application_is_known
            an_application_is_as_far_as_it_is_told
            a_running_application_is_not_told_how_far_it_is
            waiting_ends_with_a_change
            waiting_ends_with_a_wake
        );
    };
    (@ $open:expr; $($rule:ident)*) => {
        $(
            #[test]
            fn $rule() {
                let opened = $open();
                $crate::conformance::log::$rule(&*opened.0);
            }
        )*
    };
}

/// Makes one test per rule for durable logs. `$place` is called for each and gives a function that opens the same log
/// again, as a `Box<dyn Log>`.
#[macro_export]
macro_rules! durable_log_conformance {
    ($place:expr) => {
        $crate::durable_log_conformance!(@ $place;
            an_opened_log_is_as_it_was_closed
            an_opened_log_goes_on_where_it_ended
            an_opened_log_has_no_open_epoch
            an_opened_log_has_forgotten_what_was_reset
        );
    };
    (@ $place:expr; $($rule:ident)*) => {
        $(
            #[test]
            fn $rule() {
                $crate::conformance::log::$rule(&$place());
            }
        )*
    };
}

fn partition(topic: &str, number: u32) -> TopicPartition {
    TopicPartition::new(topic, number)
}

/// A log with the topic `t` of two partitions.
fn with_topic(log: &dyn Log) -> (TopicPartition, TopicPartition) {
    log.create_topic(&TopicSpec::new("t", 2)).unwrap();
    (partition("t", 0), partition("t", 1))
}

fn batch(values: &[&str]) -> Batch {
    let mut builder = BatchBuilder::default();
    for value in values {
        builder.push(Timestamp::from_millis(1), Some(b"key"), Some(value.as_bytes()), &Headers::NONE);
    }
    builder.finish(Offset::ZERO)
}

fn to(partition: &TopicPartition, values: &[&str]) -> Append {
    Append { to: partition.clone(), records: batch(values) }
}

fn append(log: &dyn Log, partition: &TopicPartition, values: &[&str]) -> Offset {
    log.append(vec![to(partition, values)], "", Default::default()).unwrap()[0]
}

/// The offset that is promised, if one is.
fn stage(session: &dyn Session, partition: &TopicPartition, values: &[&str]) -> Option<Offset> {
    session.stage(to(partition, values)).unwrap()
}

/// Offset and value of every record from the start on.
fn records(read: &dyn Fn(Offset) -> Result<Vec<std::sync::Arc<Batch>>, LogError>) -> Vec<(u64, String)> {
    let (mut out, mut next) = (Vec::new(), Offset::ZERO);
    loop {
        let batches = read(next).unwrap();
        let Some(last) = batches.last() else { return out };
        next = last.end();
        for batch in &batches {
            let done = batch.for_each(|offset, record| {
                out.push((offset.get(), String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap()));
                Ok::<_, Infallible>(())
            });
            match done {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
    }
}

fn values(log: &dyn Log, partition: &TopicPartition) -> Vec<String> {
    records(&|from| log.read(partition, from, 64)).into_iter().map(|(_, value)| value).collect()
}

fn own_values(session: &dyn Session, partition: &TopicPartition) -> Vec<String> {
    records(&|from| session.read(partition, from, 64)).into_iter().map(|(_, value)| value).collect()
}

fn kind<T>(result: Result<T, LogError>) -> Option<LogErrorKind> {
    result.err().map(|error| error.kind())
}
