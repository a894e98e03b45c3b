//! Stores that topics fill survive restarts: no record is left out, and none is there twice.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tidemill::Topic;
use tidemill::exec::{Chooser, EagerChooser, Executor, Settings, Step};
use tidemill::log::{Append, Log, Notes};
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::{BatchBuilder, Headers, Offset, Record, Timestamp, TopicPartition};
use tidemill::state::{Direction, Store, StoreSpec};
use tidemill::topology::{Sink, Source, Topology, TopologyBuilder};

use super::house::{Disk, House, SeededChooser, run};

const REF: Topic<String, i64> = Topic::of("ref");
const SUMS: Store<String, i64> = Store::of("sums");
const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");

/// Adds up: a record that is taken twice shows, and one that is left out.
struct Add;

impl Processor<String, i64, (), ()> for Add {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, (), ()>) -> Flow {
        let mut sums = ctx.store(&SUMS)?;
        let sum = sums.get(record.key)?.copied().unwrap_or(0) + record.value;
        sums.put(record.key, sum, record.timestamp)
    }
}

/// Forwards the sum of the record's key.
struct Look;

impl Processor<String, i64, String, i64> for Look {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        let sum = ctx.read(&SUMS, |sums| Ok(sums.get(record.key)?.copied().unwrap_or(0)))?;
        ctx.forward(record.with_value(&sum))
    }
}

fn topology(global: bool) -> Topology {
    let mut builder = TopologyBuilder::new();
    let (spec, source) = (StoreSpec::plain(&SUMS), Source::topic(&REF));
    if global {
        builder.add_global_store(spec, "ref", source, "add", || Add);
    } else {
        builder.add_read_only_store(spec, "ref", source, "add", || Add);
    }
    builder.add_source("in", Source::topic(&IN)).add_processor("look", &["in"], || Look);
    if !global {
        builder.connect("look", &["sums"]);
    }
    builder.add_sink("out", &["look"], Sink::topic(&OUT));
    builder.build().unwrap()
}

fn house(global: bool) -> House {
    House::new(&topology(global), &[("ref", 3), ("in", 3), ("out", 3)])
}

/// Few records per step, and stores that are flushed at every commit or never.
fn settings(flushed: bool) -> Settings {
    Settings { step_records: 3, flush_rows: if flushed { 1 } else { usize::MAX }, ..Settings::default() }
}

/// The rows of all tasks.
fn sums(executor: &mut Executor) -> BTreeMap<String, i64> {
    let mut rows = BTreeMap::new();
    for task in executor.tasks() {
        task.with_stores(|task| {
            let Some(mut sums) = task.state().open(&SUMS).unwrap() else { return };
            let add = |key, sum: &i64| {
                assert_eq!(rows.insert(key, *sum), None, "a key lies in one place");
                ControlFlow::Continue(())
            };
            sums.all(Direction::Forward, add).unwrap();
        });
    }
    rows
}

fn expected(sums: &[(&str, i64)]) -> BTreeMap<String, i64> {
    sums.iter().map(|(key, sum)| ((*key).to_owned(), *sum)).collect()
}

fn send(house: &House, records: &[(&str, i64)]) {
    records.iter().for_each(|(key, value)| house.send(&REF, *key, *value, 5));
}

#[test]
fn a_global_store_is_read_to_the_end_of_every_partition_before_any_task_runs() {
    let house = house(true);
    send(&house, &[("a", 1), ("b", 2), ("c", 3), ("a", 4)]);
    house.send(&IN, "a", 0, 1);
    let (mut executor, restored) = house.restored(settings(true));
    assert_eq!((restored, sums(&mut executor)), (4, expected(&[("a", 5), ("b", 2), ("c", 3)])));
    run(&mut executor, &mut EagerChooser::default());
    executor.commit().unwrap();
    assert_eq!(house.last_values("out")[&b"a"[..]], Some(5i64.to_be_bytes().to_vec()));
}

#[test]
fn what_was_written_down_is_not_read_again_and_what_was_not_is() {
    for flushed in [true, false] {
        let house = house(true);
        let (mut executor, _) = house.executor(settings(flushed));
        send(&house, &[("a", 1), ("b", 2), ("c", 3)]);
        run(&mut executor, &mut EagerChooser::default());
        executor.commit().unwrap();
        send(&house, &[("a", 10), ("d", 4)]);
        drop(executor);
        let (mut executor, restored) = house.restored(settings(flushed));
        assert_eq!(restored, if flushed { 2 } else { 5 });
        assert_eq!(sums(&mut executor), expected(&[("a", 11), ("b", 2), ("c", 3), ("d", 4)]));
    }
}

#[test]
fn a_global_store_that_is_not_committed_yet_is_not_written_down() {
    let house = house(true);
    let (mut executor, _) = house.executor(settings(true));
    send(&house, &[("a", 1)]);
    run(&mut executor, &mut EagerChooser::default());
    assert_eq!(sums(&mut executor), expected(&[("a", 1)]));
    drop(executor);
    let (mut executor, restored) = house.restored(settings(true));
    assert_eq!((restored, sums(&mut executor)), (1, expected(&[("a", 1)])));
}

/// Lets nothing but this number of steps happen.
struct Few<C>(usize, C);

impl<C: Chooser> Chooser for Few<C> {
    fn choose(&mut self, enabled: &[Step]) -> Option<usize> {
        self.0 = self.0.checked_sub(1)?;
        self.1.choose(enabled)
    }
}

#[test]
fn at_whatever_moment_it_ends_nothing_is_lost_and_nothing_is_there_twice() {
    for seed in 0..60 {
        for global in [true, false] {
            let house = house(global);
            let mut total = BTreeMap::new();
            for life in 0..5 {
                let (mut executor, _) = house.executor(settings(seed % 3 != 0));
                for number in 0..7 {
                    let (key, value) = (["a", "b", "c", "d"][(seed as usize + number) % 4], 1 << number);
                    send(&house, &[(key, value)]);
                    house.send(&IN, key, 0, 5);
                    *total.entry(key.to_owned()).or_insert(0) += value;
                }
                let steps = (seed as usize * 7 + life * 5) % 23;
                run(&mut executor, &mut Few(steps, SeededChooser(seed * 100 + life as u64)));
            }
            let (mut executor, _) = house.executor(settings(true));
            run(&mut executor, &mut EagerChooser::default());
            executor.commit().unwrap();
            assert_eq!(sums(&mut executor), total, "seed {seed}, global {global}");
            assert_eq!(house.records("out").iter().map(Vec::len).sum::<usize>(), 35, "seed {seed}, global {global}");
            drop(executor);
            let (mut executor, restored) = house.restored(settings(true));
            assert_eq!((restored, sums(&mut executor)), (0, total), "seed {seed}, global {global}");
        }
    }
}

#[test]
fn a_read_only_store_is_filled_as_far_as_its_task_was_and_no_further() {
    let house = house(false);
    let (mut executor, _) = house.executor(settings(false));
    send(&house, &[("a", 1), ("a", 2), ("b", 5)]);
    run(&mut executor, &mut EagerChooser::default());
    executor.commit().unwrap();
    send(&house, &[("a", 4)]);
    drop(executor);
    let (mut executor, restored) = house.restored(settings(false));
    assert_eq!((restored, sums(&mut executor)), (3, expected(&[("a", 3), ("b", 5)])));
    run(&mut executor, &mut EagerChooser::default());
    assert_eq!(sums(&mut executor), expected(&[("a", 7), ("b", 5)]));
}

#[test]
fn a_commit_within_a_batch_is_the_place_where_filling_ends() {
    let house = house(false);
    let mut batch = BatchBuilder::default();
    for value in 0..10 {
        batch.push(Timestamp::from_millis(5), Some(b"a"), Some(&(1i64 << value).to_be_bytes()), &Headers::NONE);
    }
    let append = Append { to: TopicPartition::new("ref", 0), records: batch.finish(Offset::ZERO) };
    house.log.append(vec![append], "", Notes::new()).unwrap();
    let (mut executor, _) = house.executor(settings(false));
    // A fetch of the batch, and a step that processes three of its records.
    run(&mut executor, &mut Few(2, EagerChooser::default()));
    executor.commit().unwrap();
    drop(executor);
    let (mut executor, restored) = house.restored(settings(false));
    assert_eq!((restored, sums(&mut executor)), (3, expected(&[("a", 0b111)])));
    run(&mut executor, &mut EagerChooser::default());
    assert_eq!(sums(&mut executor), expected(&[("a", 0b11_1111_1111)]));
}

#[test]
fn a_store_whose_topic_was_recreated_is_wiped() {
    let disk = Disk::default();
    let first = house(true).on(&disk);
    let (mut executor, _) = first.executor(settings(true));
    send(&first, &[("a", 1), ("a", 2), ("a", 3)]);
    run(&mut executor, &mut EagerChooser::default());
    executor.commit().unwrap();
    drop(executor);
    // Another log with topics of the same names, shorter than the positions say.
    let second = house(true).on(&disk);
    send(&second, &[("a", 100)]);
    let (mut executor, restored) = second.restored(settings(true));
    assert_eq!((restored, sums(&mut executor)), (1, expected(&[("a", 100)])));
}

#[test]
fn a_chooser_decides_when_global_updates_arrive() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let house = house(true);
        let (mut executor, _) = house.executor(settings(true));
        send(&house, &[("a", 1)]);
        house.send(&IN, "a", 0, 5);
        run(&mut executor, &mut SeededChooser(seed));
        executor.commit().unwrap();
        seen.extend(house.last_values("out").remove(&b"a"[..]).flatten());
    }
    assert_eq!(seen.len(), 2, "the join came before the update, and after it");
}
