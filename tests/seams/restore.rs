//! A store is a checkpoint of its changelog: a start applies what came after it, and wipes it only when it cannot fit.

use std::any::Any;
use std::ops::ControlFlow;
use std::time::Duration;

use tidemill::exec::{Chooser, EagerChooser, Executor, Settings, Step};
use tidemill::log::Progress;
use tidemill::state::{Direction, KeyRange, KeyValueState, Store};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{Clock, Topic};

use super::house::{APPLICATION, Disk, House, run};

const WORDS: Topic<String, i64> = Topic::of("words");
const COUNTS: Store<String, i64> = Store::of("counts");

fn counts() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).group_by_key().count_with(&COUNTS);
    builder.build().unwrap()
}

fn house() -> House {
    House::new(&counts(), &[("words", 2)])
}

/// Stores are flushed at every commit, or never.
fn flushing(always: bool) -> Settings {
    Settings { flush_rows: if always { 1 } else { usize::MAX }, ..Settings::default() }
}

/// Sends words, processes and commits them.
fn count(house: &House, executor: &mut Executor, words: &[&str]) {
    words.iter().for_each(|word| house.send(&WORDS, *word, 1, 5));
    run(executor, &mut EagerChooser::default());
    executor.commit().unwrap();
}

/// The rows of all tasks, by key.
fn rows(executor: &mut Executor) -> Vec<(String, i64, i64)> {
    let mut rows = Vec::new();
    for task in executor.tasks() {
        let store: &mut dyn Any = &mut **task.state().store_named(COUNTS.name()).unwrap();
        let state: &mut KeyValueState<String, i64> = store.downcast_mut().unwrap();
        let mut visit = |key: &[u8], count: &i64, time: tidemill::record::Timestamp| {
            rows.push((String::from_utf8(key.to_vec()).unwrap(), *count, time.as_millis()));
            ControlFlow::Continue(())
        };
        state.walk(&KeyRange::ALL, Direction::Forward, &mut visit).unwrap();
    }
    rows.sort();
    rows
}

fn counted(rows: &[(&str, i64)]) -> Vec<(String, i64, i64)> {
    rows.iter().map(|(word, count)| ((*word).to_owned(), *count, 5)).collect()
}

#[test]
fn a_start_applies_the_whole_changelog_where_nothing_was_written_down() {
    let house = house();
    let (mut executor, _) = house.executor(flushing(false));
    count(&house, &mut executor, &["a", "b", "c"]);
    count(&house, &mut executor, &["a", "d"]);
    drop(executor);
    let (mut executor, restored) = house.restored(flushing(false));
    assert_eq!(restored, 5, "every change of both commits");
    assert_eq!(rows(&mut executor), counted(&[("a", 2), ("b", 1), ("c", 1), ("d", 1)]));
}

#[test]
fn a_start_applies_what_came_after_the_checkpoint() {
    let house = house();
    let (mut executor, _) = house.executor(flushing(true));
    count(&house, &mut executor, &["a", "b", "c"]);
    drop(executor);
    let (mut executor, restored) = house.restored(flushing(false));
    assert_eq!(restored, 0, "the store has everything");
    count(&house, &mut executor, &["a", "d"]);
    drop(executor);
    let (mut executor, restored) = house.restored(flushing(false));
    assert_eq!(restored, 2, "what the second executor committed and did not write down");
    assert_eq!(rows(&mut executor), counted(&[("a", 2), ("b", 1), ("c", 1), ("d", 1)]));
    // And the restored rows are counted on.
    count(&house, &mut executor, &["a"]);
    assert_eq!(rows(&mut executor)[0], ("a".into(), 3, 5));
}

#[test]
fn an_orderly_end_leaves_nothing_to_restore() {
    let house = house();
    let (mut executor, _) = house.executor(flushing(false));
    count(&house, &mut executor, &["a", "b", "a"]);
    executor.flush_all().unwrap();
    drop(executor);
    let (mut executor, restored) = house.restored(flushing(false));
    assert_eq!(restored, 0);
    assert_eq!(rows(&mut executor), counted(&[("a", 2), ("b", 1)]));
}

#[test]
fn what_was_not_committed_is_not_in_the_store() {
    let house = house();
    let (mut executor, _) = house.executor(flushing(true));
    count(&house, &mut executor, &["a"]);
    house.send(&WORDS, "a", 1, 5);
    house.send(&WORDS, "b", 1, 5);
    run(&mut executor, &mut EagerChooser::default());
    assert_eq!(rows(&mut executor), counted(&[("a", 2), ("b", 1)]));
    drop(executor);
    let (mut executor, _) = house.restored(flushing(true));
    assert_eq!(rows(&mut executor), counted(&[("a", 1)]));
    count(&house, &mut executor, &[]);
    assert_eq!(rows(&mut executor), counted(&[("a", 2), ("b", 1)]), "it was done again");
}

#[test]
fn a_store_whose_changelog_was_recreated_is_wiped() {
    let disk = Disk::default();
    let first = house().on(&disk);
    let (mut executor, _) = first.executor(flushing(true));
    count(&first, &mut executor, &["a", "b", "c", "d", "e", "f"]);
    drop(executor);
    // Another log with topics of the same names, shorter than the checkpoints say.
    let second = house().on(&disk);
    let (mut executor, restored) = second.restored(flushing(true));
    assert_eq!(restored, 0, "the new changelog has nothing");
    assert_eq!(rows(&mut executor), []);
    count(&second, &mut executor, &["a"]);
    assert_eq!(rows(&mut executor), counted(&[("a", 1)]));
}

#[test]
fn a_close_says_of_stores_without_changes_too_that_they_were_up_to_date() {
    let house = house();
    let (mut executor, _) = house.executor(flushing(true));
    count(&house, &mut executor, &["a", "b", "c", "d", "e", "f"]);
    let written = house.checkpoints();
    house.clock.advance(Duration::from_secs(3_600));
    executor.flush_all().unwrap();
    for (now, before) in house.checkpoints().into_iter().zip(written) {
        let (now, before) = (now.unwrap(), before.unwrap());
        assert_eq!((now.next, now.age(house.clock.now())), (before.next, Duration::ZERO));
        assert_eq!(before.age(house.clock.now()), Duration::from_secs(3_600));
    }
}

/// Does everything but commit.
struct Uncommitting;

impl Chooser for Uncommitting {
    fn choose(&mut self, enabled: &[Step]) -> Option<usize> {
        enabled.iter().position(|step| !matches!(step, Step::Commit { .. }))
    }
}

#[test]
fn a_task_that_comes_in_the_middle_of_an_epoch_has_nothing_flushed_that_a_crash_takes_back() {
    let house = house();
    // Whatever rows there are, they are too many.
    let (mut executor, _) = house.executor(Settings { row_bytes: 1, ..flushing(false) });
    executor.release(|task| task.partition == 1).unwrap();
    ["a", "b", "c", "d", "e"].iter().for_each(|word| house.send(&WORDS, *word, 1, 5));
    run(&mut executor, &mut Uncommitting);
    assert!(!rows(&mut executor).is_empty(), "there is something to be taken back");
    let written = house.checkpoints();
    executor.add_task(house.newcomer(0, 1), APPLICATION, &Progress::default()).unwrap();
    assert_eq!(house.checkpoints(), written);
    executor.commit().unwrap();
    assert_ne!(house.checkpoints(), written, "after the commit the budget is kept");
}
