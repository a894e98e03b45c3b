//! Equal states have equal fingerprints whatever way led there; what can make a difference later differs now.

use tidemill::Topic;
use tidemill::record::Offset;
use tidemill::state::{Changelog, Store, StoreSpec};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::task::{Fingerprint, Task};
use tidemill::topology::Topology;

use super::delete::Delete;
use super::tasks::{batch, queue, task};

const LEFT: Topic<String, i64> = Topic::of("left");
const RIGHT: Topic<String, i64> = Topic::of("right");
const ROWS: Store<String, i64> = Store::of("rows");

/// Keeps the last value of each key of two topics; a negative one deletes.
fn last_values() -> Topology {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&ROWS));
    let both = builder.stream(&LEFT).merge(&builder.stream(&RIGHT));
    both.process(|| Delete { store: ROWS }, &[&ROWS]).for_each(|_, _: &i64| {});
    builder.build().unwrap()
}

/// Gives a task records of the left topic, processes them, and commits if told.
fn after(records: &[(i64, &str, i64)], commit: bool) -> Fingerprint {
    let mut task = task(&last_values(), Changelog::LastPerCommit);
    let left = queue(&task, "left");
    task.enqueue(left, &batch(0, records)).unwrap();
    while task.process().unwrap().is_some() {}
    if commit {
        commit_task(&mut task);
    }
    task.fingerprint().unwrap()
}

fn commit_task(task: &mut Task) {
    task.prepare_commit().unwrap();
    task.take_progress();
    task.state().outputs().clear();
}

#[test]
fn a_committed_state_does_not_remember_the_way() {
    let way = after(&[(5, "a", 1), (5, "b", 2), (5, "a", 3)], true);
    assert_eq!(way, after(&[(5, "b", 2), (5, "a", 9), (5, "a", 3)], true), "another order, another value in between");
    assert_eq!(
        after(&[(5, "a", 1), (5, "b", 2), (5, "b", -1)], true),
        after(&[(5, "b", 2), (5, "b", -1), (5, "a", 1)], true),
        "a deleted row leaves no trace"
    );
}

#[test]
fn what_differs_has_another_fingerprint() {
    let states = [
        ("two rows", after(&[(5, "a", 1), (5, "b", 2)], true)),
        ("another value", after(&[(5, "a", 1), (5, "b", 3)], true)),
        ("another key", after(&[(5, "a", 1), (5, "c", 2)], true)),
        ("another stream time", after(&[(5, "a", 1), (6, "b", 2)], true)),
        ("another position", after(&[(5, "a", 1), (5, "b", 2), (5, "b", 2)], true)),
        ("not committed", after(&[(5, "a", 1), (5, "b", 2)], false)),
        ("owed to the changelog in another order", after(&[(5, "b", 2), (5, "a", 1)], false)),
    ];
    for (number, (name, state)) in states.iter().enumerate() {
        for (other_name, other) in &states[number + 1..] {
            assert_ne!(state, other, "`{name}` and `{other_name}`");
        }
    }
}

#[test]
fn a_deletion_that_the_changelog_does_not_have_yet_counts() {
    let deleted = [(5, "a", 1), (5, "b", 2), (5, "b", -1)];
    let never = [(5, "a", 1), (5, "a", 1), (5, "a", 1)];
    assert_ne!(after(&deleted, false), after(&never, false));
    assert_eq!(after(&deleted, true), after(&never, true));
}

/// Records for a topic from an offset on: time, key, value.
type Waiting<'a> = (&'a str, u64, &'a [(i64, &'a str, i64)]);

/// A task with these batches, nothing processed.
fn waiting(batches: &[Waiting<'_>]) -> Task {
    let mut task = task(&last_values(), Changelog::LastPerCommit);
    for (topic, base, records) in batches {
        let number = queue(&task, topic);
        task.enqueue(number, &batch(*base, records)).unwrap();
    }
    task
}

#[test]
fn how_records_were_cut_into_batches_does_not_count() {
    let whole = waiting(&[("left", 0, &[(1, "a", 1), (2, "b", 2)])]).fingerprint().unwrap();
    let cut = waiting(&[("left", 0, &[(1, "a", 1)]), ("left", 1, &[(2, "b", 2)])]).fingerprint().unwrap();
    assert_eq!(whole, cut);
    let gap = waiting(&[("left", 0, &[(1, "a", 1)]), ("left", 2, &[(2, "b", 2)])]).fingerprint().unwrap();
    assert_ne!(whole, gap, "the second record has another offset");
}

#[test]
fn which_of_two_queues_with_equal_times_became_non_empty_first_counts() {
    let (left, right) = (("left", 0, &[(1, "a", 1)][..]), ("right", 0, &[(1, "b", 2)][..]));
    let (mut one, mut other) = (waiting(&[left, right]), waiting(&[right, left]));
    assert_ne!(one.fingerprint().unwrap(), other.fingerprint().unwrap());
    // Rightly so: they go on differently.
    assert_ne!(one.process().unwrap().unwrap().queue, other.process().unwrap().unwrap().queue);
}

#[test]
fn which_of_two_queues_came_first_does_not_count_when_their_times_differ() {
    let (left, right) = (("left", 0, &[(1, "a", 1)][..]), ("right", 0, &[(2, "b", 2)][..]));
    let mut states = [waiting(&[left, right]), waiting(&[right, left])].map(|mut task| task.fingerprint().unwrap());
    states.sort_unstable();
    assert_eq!(states[0], states[1]);
}

#[test]
fn a_known_end_counts() {
    let mut task = waiting(&[]);
    let before = task.fingerprint().unwrap();
    let left = queue(&task, "left");
    task.learn_end(left, Offset::new(3));
    assert_ne!(task.fingerprint().unwrap(), before, "the task waits for those records now");
}

#[test]
fn counts_of_dropped_records_and_the_wall_clock_do_not_count() {
    let builder = StreamsBuilder::new();
    builder.stream(&LEFT).group_by_key().count_with(Materialized::store(&ROWS).in_memory());
    let mut task = task(&builder.build().unwrap(), Changelog::LastPerCommit);
    let before = task.fingerprint().unwrap();
    task.state().set_now(7.into());
    task.state().drop_record(tidemill::processor::DropReason::NullKey);
    assert_eq!(task.fingerprint().unwrap(), before);
}
