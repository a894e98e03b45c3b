//! Random operations on a versioned store and on a list of all versions ever put, side by side.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::processor::{
    CannotSnapshot, Context, ErrorHandler, ErrorSettings, Flow, PartitionCounts, Processor, SnapshotBytes,
};
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Record, StoredRecord, Timestamp};
use tidemill::state::{Changelog, Checkpoint, Put, StateStore, StoreSpec, Version, VersionedState, VersionedStore};
use tidemill::stream::StreamsBuilder;
use tidemill::task::{Fingerprint, Task};
use tidemill::topology::{TaskSettings, TaskSpec, Topology};

use super::home::{Below, Home};

const RETENTION: i64 = 100;
const COMMANDS: Topic<String, String> = Topic::of("commands");
const VERSIONS: VersionedStore<String, i64> =
    VersionedStore::of("versions", Duration::from_millis(RETENTION.cast_unsigned()));
const KEYS: [&str; 4] = ["", "a", "ab", "b-and-more-than-sixteen-bytes"];

#[derive(Clone, Debug)]
enum Op {
    Put(&'static str, Option<i64>, i64),
    Fail(Vec<(&'static str, Option<i64>, i64)>),
    Get(&'static str),
    AsOf(&'static str, i64),
    Commit,
    Flush,
    Reopen,
    Copy,
}

/// Every version that was taken, and the greatest time.
#[derive(Clone, Debug, Default)]
struct Model {
    versions: BTreeMap<(&'static str, i64), Option<i64>>,
    observed: Option<i64>,
}

impl Model {
    fn is_known(&self, time: i64) -> bool {
        self.observed.is_none_or(|observed| time >= observed - RETENTION)
    }

    fn of_key(&self, key: &'static str) -> impl DoubleEndedIterator<Item = (i64, Option<i64>)> {
        self.versions.range((key, i64::MIN)..=(key, i64::MAX)).map(|((_, from), value)| (*from, *value))
    }

    fn put(&mut self, key: &'static str, value: Option<i64>, at: i64) -> String {
        if !self.is_known(at) {
            return shown(Put::Dropped);
        }
        self.observed = self.observed.max(Some(at));
        self.versions.insert((key, at), value);
        let next = self.of_key(key).find(|(from, _)| *from > at);
        shown(next.map_or(Put::Latest, |(from, _)| Put::Until(Timestamp::from_millis(from))))
    }

    fn get(&self, key: &'static str) -> String {
        let latest = self.of_key(key).next_back();
        format!("{:?}", latest.and_then(|(from, value)| Some((value?, from, None::<i64>))))
    }

    fn as_of(&self, key: &'static str, time: i64) -> String {
        let valid = self.of_key(key).rfind(|(from, _)| *from <= time);
        let next = self.of_key(key).find(|(from, _)| *from > time);
        let known = self.is_known(time) || next.is_none();
        let version =
            valid.filter(|_| known).and_then(|(from, value)| Some((value?, from, next.map(|(from, _)| from))));
        format!("{version:?}")
    }
}

fn shown(put: Put) -> String {
    format!("{put:?}")
}

fn version(version: Option<Version<&i64>>) -> String {
    let version = version.map(|Version { value, from, to }| (*value, from.as_millis(), to.map(Timestamp::as_millis)));
    format!("{version:?}")
}

/// Does what the record's value says.
struct Hands(Arc<Mutex<String>>);

impl Processor<String, String, String, String> for Hands {
    fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, String>) -> Flow {
        let mut versions = ctx.store(&VERSIONS)?;
        let at = |text: &str| text.parse().map(Timestamp::from_millis);
        let words: Vec<&str> = record.value.split('|').collect();
        let answer = match words.as_slice() {
            ["put", value] => shown(versions.put(record.key, value.parse()?, record.timestamp)?),
            ["delete"] => {
                let before = version(versions.get_as_of(record.key, record.timestamp)?);
                let old = versions.delete(record.key, record.timestamp)?;
                // What a delete gives was valid before it, unless the delete came too late.
                let old = old.as_ref().map(|Version { value, from, to }| Version { value, from: *from, to: *to });
                let old = version(old);
                if old != before && old != "None" {
                    return Err(format!("a delete gave {old}, and there was {before}").into());
                }
                String::new()
            }
            ["get"] => version(versions.get(record.key)?),
            ["as-of", time] => version(versions.get_as_of(record.key, at(time)?)?),
            ["fail", steps] => {
                for step in steps.split(',') {
                    let parts: Vec<&str> = step.split('=').collect();
                    match parts.as_slice() {
                        [key, "", time] => _ = versions.delete(&(*key).to_owned(), at(time)?)?,
                        [key, value, time] => _ = versions.put(&(*key).to_owned(), value.parse()?, at(time)?)?,
                        _ => return Err("a step is `key=value=time`".into()),
                    }
                }
                return Err("told to fail".into());
            }
            other => return Err(format!("no command: {other:?}").into()),
        };
        *self.0.lock().unwrap() = answer;
        Ok(())
    }

    fn snapshot(&self, _out: &mut SnapshotBytes) -> Result<(), CannotSnapshot> {
        // The answer is taken before the next step.
        Ok(())
    }
}

struct OnePartition;

impl PartitionCounts for OnePartition {
    fn partitions(&self, _topic: &str) -> Option<u32> {
        Some(1)
    }
}

/// A task with the store, the bytes below, the changelog as far as it is committed, and the model.
struct Pair {
    topology: Topology,
    changelog: Changelog,
    below: Below,
    home: Home,
    task: Task,
    logged: Vec<Arc<Batch>>,
    answer: Arc<Mutex<String>>,
    now: Model,
    committed: Model,
}

fn make(topology: &Topology, changelog: Changelog, home: &Home) -> Task {
    let errors = ErrorSettings::all(ErrorHandler::skip());
    let spec = TaskSpec {
        subtopologies: &[0],
        partition: 0,
        application: "test",
        topics: &[],
        counts: Arc::new(OnePartition),
        settings: TaskSettings { changelog, errors, ..TaskSettings::default() },
        globals: topology.global_stores(),
        open_store: &mut |_| Ok(home.open()),
    };
    Task::new(topology, spec).unwrap()
}

fn store(task: &mut Task) -> &mut Box<dyn StateStore> {
    task.state().store_named(VERSIONS.name()).unwrap()
}

impl Pair {
    fn new(changelog: Changelog, below: Below) -> Pair {
        let builder = StreamsBuilder::new();
        builder.add_store(StoreSpec::versioned(&VERSIONS).rows_in_memory(1));
        let answer = Arc::new(Mutex::new(String::new()));
        let hands = answer.clone();
        let done = builder.stream(&COMMANDS).process(move || Hands(hands.clone()), &[&VERSIONS]);
        done.for_each(|_: &String, _: &String| {});
        let (topology, home) = (builder.build().unwrap(), Home::new(below));
        let mut task = make(&topology, changelog, &home);
        task.begin().unwrap();
        let (now, committed) = (Model::default(), Model::default());
        Pair { topology, changelog, below, home, task, logged: Vec::new(), answer, now, committed }
    }

    fn command(&mut self, key: &str, command: &str, at: i64) -> String {
        let mut record = BatchBuilder::default();
        record.push(Timestamp::from_millis(at), Some(key.as_bytes()), Some(command.as_bytes()), &Headers::NONE);
        let queued = self.task.fetch_position(0);
        self.task.enqueue(0, &Arc::new(record.finish(queued))).unwrap();
        self.task.process().unwrap().unwrap();
        std::mem::take(&mut self.answer.lock().unwrap())
    }

    fn end(&self) -> Offset {
        self.logged.last().map_or(Offset::ZERO, |batch| batch.end())
    }

    fn commit(&mut self) {
        self.task.prepare_commit().unwrap();
        self.task.take_progress();
        for (_, records) in self.task.state().outputs().take_all() {
            self.logged.push(Arc::new(records.rebased(self.end())));
        }
        self.committed = self.now.clone();
    }

    fn replay(&self, task: &mut Task) {
        let store = store(task);
        let from = store.checkpoint().unwrap().map_or(Offset::ZERO, |at| at.next);
        let mut apply = |offset, record: StoredRecord<'_>| if offset < from { Ok(()) } else { store.apply(&record) };
        self.logged.iter().try_for_each(|batch| batch.for_each(&mut apply)).unwrap();
    }

    fn state_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.task.state().snapshot(&mut bytes).unwrap();
        bytes
    }

    fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Put(key, Some(value), at) => {
                let expected = self.now.put(key, Some(*value), *at);
                prop_assert_eq!(self.command(key, &format!("put|{value}"), *at), expected);
            }
            Op::Put(key, None, at) => {
                self.now.put(key, None, *at);
                prop_assert_eq!(self.command(key, "delete", *at), "");
            }
            Op::Fail(steps) => {
                let before = self.state_bytes();
                let value = |value: &Option<i64>| value.map_or_else(String::new, |value| value.to_string());
                let steps: Vec<_> = steps.iter().map(|(key, new, at)| format!("{key}={}={at}", value(new))).collect();
                self.command("", &format!("fail|{}", steps.join(",")), 0);
                prop_assert!(self.state_bytes() == before, "what the failed record did is taken back");
            }
            Op::Get(key) => prop_assert_eq!(self.command(key, "get", 0), self.now.get(key)),
            Op::AsOf(key, time) => {
                prop_assert_eq!(self.command(key, &format!("as-of|{time}"), 0), self.now.as_of(key, *time));
            }
            Op::Commit => self.commit(),
            Op::Flush => {
                self.commit();
                let end = self.end();
                store(&mut self.task).flush(Checkpoint { next: end, at: Timestamp::ZERO }).unwrap();
            }
            Op::Reopen => {
                // One task at a time holds a folder.
                self.task = make(&self.topology, self.changelog, &Home::Nothing);
                let mut task = make(&self.topology, self.changelog, &self.home);
                self.replay(&mut task);
                task.begin().unwrap();
                (self.task, self.now) = (task, self.committed.clone());
            }
            Op::Copy => {
                let mut snapshot = Vec::new();
                self.task.snapshot(&mut snapshot).unwrap();
                let home = Home::new(self.below);
                let mut copy = make(&self.topology, self.changelog, &home);
                copy.restore(&snapshot).unwrap();
                prop_assert_eq!(copy.fingerprint().unwrap(), Fingerprint::of(&snapshot));
                (self.task, self.home) = (copy, home);
            }
        }
        Ok(())
    }

    fn check(changelog: Changelog, below: Below, ops: &[Op]) -> Result<(), TestCaseError> {
        let mut pair = Pair::new(changelog, below);
        for op in ops {
            pair.apply(op)?;
        }
        pair.commit();
        // The changelog alone tells the same story.
        let mut replayed = make(&pair.topology, changelog, &Home::Nothing);
        pair.replay(&mut replayed);
        let any: &mut dyn Any = &mut **store(&mut replayed);
        let replayed: &mut VersionedState<String, i64> = any.downcast_mut().unwrap();
        for key in KEYS {
            let times = pair.now.of_key(key).map(|(from, _)| from).chain([0, 500]);
            for time in times.flat_map(|time| [time - 1, time]) {
                let found = replayed.get_as_of(&key.to_owned(), Timestamp::from_millis(time)).unwrap();
                prop_assert_eq!(version(found), pair.now.as_of(key, time), "{:?} as of {}", key, time);
            }
        }
        Ok(())
    }
}

fn any_op() -> impl Strategy<Value = Op> {
    let key = || prop::sample::select(KEYS.to_vec());
    let change = || (key(), prop::option::weighted(0.7, 0_i64..100), 0_i64..400);
    prop_oneof![
        12 => change().prop_map(|(key, value, at)| Op::Put(key, value, at)),
        2 => prop::collection::vec(change(), 1..5).prop_map(Op::Fail),
        3 => key().prop_map(Op::Get),
        6 => (key(), 0_i64..450).prop_map(|(key, time)| Op::AsOf(key, time)),
        2 => Just(Op::Commit),
        2 => Just(Op::Flush),
        1 => Just(Op::Reopen),
        1 => Just(Op::Copy),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_versioned_store_knows_what_a_list_of_all_versions_knows(
        last_per_commit in any::<bool>(),
        over_bytes in any::<bool>(),
        ops in prop::collection::vec(any_op(), 0..100),
    ) {
        let changelog = if last_per_commit { Changelog::LastPerCommit } else { Changelog::EveryUpdate };
        let below = if over_bytes { Below::Memory } else { Below::Nothing };
        Pair::check(changelog, below, &ops)?;
    }
}

#[test]
fn a_row_that_was_deleted_long_ago_takes_no_place() {
    let mut pair = Pair::new(Changelog::LastPerCommit, Below::Nothing);
    pair.command("time", "put|1", 0);
    pair.command("time", "put|1", 10);
    pair.commit();
    let one_row = pair.state_bytes().len();
    for number in 0..50 {
        pair.command(&format!("row {number}"), "put|1", 20);
        pair.command(&format!("row {number}"), "delete", 30);
    }
    pair.command("time", "put|1", 1_000);
    pair.commit();
    // The one row has two versions again, the latest and the one before it, and the others are gone.
    assert_eq!(pair.state_bytes().len(), one_row);
}

#[test]
fn a_record_that_fails_does_not_make_the_store_forget_what_it_has_to_drop() {
    let after = |fails: bool| {
        let mut pair = Pair::new(Changelog::LastPerCommit, Below::Nothing);
        pair.command("row", "put|1", 20);
        pair.command("row", "delete", 30);
        let fail = if fails { "fail|time=1=1000" } else { "get" };
        pair.command("time", fail, 900);
        pair.command("time", "put|1", 1_000);
        pair.commit();
        let mut bytes = Vec::new();
        store(&mut pair.task).snapshot(&mut bytes).unwrap();
        bytes
    };
    assert_eq!(after(true), after(false));
}
