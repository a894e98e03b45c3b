//! Random operations on a window store, a session store and a map beside them: what can be read is what the retention says,
//! in the order of segments, keys and times, whatever lies below.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::processor::{CannotSnapshot, Context, Flow, PartitionCounts, Processor, SnapshotBytes};
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Record, StoredRecord, Timestamp};
use tidemill::state::{Changelog, Checkpoint, Direction, SessionStore, StoreSpec, WindowStore};
use tidemill::stream::StreamsBuilder;
use tidemill::task::{Fingerprint, Task};
use tidemill::topology::{TaskSettings, TaskSpec, Topology};
use tidemill::window::Window;

use super::home::{Below, Home};

const COMMANDS: Topic<String, String> = Topic::of("commands");
const WINDOWS: WindowStore<String, i64> = WindowStore::of("rows");
const SESSIONS: SessionStore<String, i64> = SessionStore::of("rows");
/// Two and a half segments of a minute.
const RETENTION: i64 = 100_000;
const SEGMENT: i64 = 60_000;
const SIZE: i64 = 10;

/// Prefixes of each other, and longer than a cell has room for.
const KEYS: [&str; 6] = ["", "a", "aa", "ab", "b", "b-and-more-than-sixteen-bytes"];

/// Which kind of store is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Windows,
    Sessions,
}

/// A row: key, start, end, value.
type Row = (String, i64, i64, i64);

#[derive(Clone, Debug)]
enum Op {
    /// Key, start, length of a session, value or a delete.
    Put(&'static str, i64, i64, Option<i64>),
    Get(&'static str, i64, i64),
    Fetch(&'static str, i64, i64, bool),
    Range(&'static str, &'static str, i64, i64, bool),
    Commit,
    Flush,
    Reopen,
    Copy,
}

/// Does what the record's value says, and leaves the answer.
struct Hands {
    kind: Kind,
    answer: Arc<Mutex<String>>,
}

fn times(from: i64, to: i64) -> std::ops::RangeInclusive<Timestamp> {
    Timestamp::from_millis(from)..=Timestamp::from_millis(to)
}

impl Processor<String, String, String, String> for Hands {
    fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, String>) -> Flow {
        let op: Vec<&str> = record.value.split('|').collect();
        let number = |at: usize| op[at].parse::<i64>();
        let (key, at) = (record.key, record.timestamp);
        let direction = if op.last() == Some(&"back") { Direction::Backward } else { Direction::Forward };
        let mut seen: Vec<Row> = Vec::new();
        let mut add = |key: String, window: Window, value: &i64| {
            seen.push((key, window.start.as_millis(), window.end.as_millis(), *value));
            ControlFlow::Continue(())
        };
        let value = if op[0] == "put" { op[3].parse().ok() } else { None };
        match (self.kind, op[0]) {
            (Kind::Windows, "put") => ctx.store(&WINDOWS)?.put(key, number(1)?.into(), value, at)?,
            (Kind::Sessions, "put") => {
                ctx.store(&SESSIONS)?.put(key, Window::of_millis(number(1)?, number(2)?), value, at)?;
            }
            (Kind::Windows, "get") => {
                let start = number(1)?;
                let found = ctx.store(&WINDOWS)?.get(key, start.into())?.copied();
                seen.extend(found.map(|value| (key.clone(), start, start + SIZE, value)));
            }
            (Kind::Sessions, "get") => {
                let (start, end) = (number(1)?, number(2)?);
                let found = ctx.store(&SESSIONS)?.get(key, Window::of_millis(start, end))?.copied();
                seen.extend(found.map(|value| (key.clone(), start, end, value)));
            }
            (Kind::Windows, "fetch") => {
                let visit = |window: Window, value: &i64| add(key.clone(), window, value);
                ctx.store(&WINDOWS)?.fetch(key, times(number(1)?, number(2)?), direction, visit)?;
            }
            (Kind::Sessions, "fetch") => {
                let visit = |window: Window, value: &i64| add(key.clone(), window, value);
                ctx.store(&SESSIONS)?.find(key, times(number(1)?, number(2)?), direction, visit)?;
            }
            (Kind::Windows, _) => {
                let (to, starts) = (op[1].to_owned(), times(number(2)?, number(3)?));
                let visit = |key: tidemill::window::Windowed<String>, value: &i64| add(key.key, key.window, value);
                ctx.store(&WINDOWS)?.fetch_range(Some(key), Some(&to), starts, direction, visit)?;
            }
            (Kind::Sessions, _) => {
                let (to, ends) = (op[1].to_owned(), times(number(2)?, number(3)?));
                let visit = |key: tidemill::window::Windowed<String>, value: &i64| add(key.key, key.window, value);
                ctx.store(&SESSIONS)?.fetch_range(Some(key), Some(&to), ends, direction, visit)?;
            }
        }
        *self.answer.lock().unwrap() = format!("{seen:?}");
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

/// The rows as they are now and as the last commit had them, with the greatest times.
#[derive(Clone, Default)]
struct Rows {
    /// By the time that decides, key, and the other time.
    rows: BTreeMap<(i64, String, i64), i64>,
    observed: Option<i64>,
}

struct Pair {
    kind: Kind,
    topology: Topology,
    changelog_kind: Changelog,
    home: Home,
    task: Option<Task>,
    changelog: Vec<Arc<Batch>>,
    notes: Vec<u8>,
    answer: Arc<Mutex<String>>,
    now: Rows,
    committed: Rows,
}

impl Rows {
    fn is_live(&self, time: i64) -> bool {
        self.observed.is_none_or(|observed| time / SEGMENT >= (observed - RETENTION).max(0) / SEGMENT)
    }

    fn put(&mut self, time: i64, key: &str, other: i64, value: Option<i64>) {
        self.observed = self.observed.max(Some(time));
        let row = (time, key.to_owned(), other);
        match value.filter(|_| self.is_live(time)) {
            Some(value) => _ = self.rows.insert(row, value),
            None => _ = self.rows.remove(&row),
        }
    }

    /// What can be read, in the order in which the store has it: segments, then keys as bytes, then times.
    fn visible(&self, kind: Kind) -> Vec<Row> {
        let visible = |time: i64| self.observed.is_some_and(|observed| time > observed - RETENTION);
        let mut rows: Vec<_> = self.rows.iter().filter(|((time, ..), _)| visible(*time)).collect();
        rows.sort_by_key(|((time, key, other), _)| {
            let times = [time.to_be_bytes(), other.to_be_bytes()].concat();
            (time / SEGMENT, [key.as_bytes(), &times].concat())
        });
        let row = |((time, key, other), value): (&(i64, String, i64), &i64)| match kind {
            Kind::Windows => (key.clone(), *time, time + SIZE, *value),
            Kind::Sessions => (key.clone(), *other, *time, *value),
        };
        rows.into_iter().map(row).collect()
    }
}

impl Pair {
    fn new(kind: Kind, changelog_kind: Changelog, below: Below) -> Pair {
        let builder = StreamsBuilder::new();
        let retention = std::time::Duration::from_millis(RETENTION.unsigned_abs());
        let spec = match kind {
            Kind::Windows => {
                StoreSpec::window(&WINDOWS, std::time::Duration::from_millis(SIZE.unsigned_abs()), retention)
            }
            Kind::Sessions => StoreSpec::session(&SESSIONS, retention),
        };
        builder.add_store(spec.rows_in_memory(2));
        let answer = Arc::new(Mutex::new(String::new()));
        let hands = answer.clone();
        let done = builder.stream(&COMMANDS).process(move || Hands { kind, answer: hands.clone() }, &[&"rows"]);
        done.for_each(|_: &String, _: &String| {});
        let topology = builder.build().unwrap();
        let (home, changelog, notes) = (Home::new(below), Vec::new(), Vec::new());
        let (now, committed) = (Rows::default(), Rows::default());
        let mut pair =
            Pair { kind, topology, changelog_kind, home, task: None, changelog, notes, answer, now, committed };
        pair.reopen();
        pair
    }

    fn make(&self, home: &Home) -> Task {
        let spec = TaskSpec {
            subtopologies: &[0],
            partition: 0,
            application: "test",
            topics: &[],
            counts: Arc::new(OnePartition),
            settings: TaskSettings { changelog: self.changelog_kind, ..TaskSettings::default() },
            globals: self.topology.global_stores(),
            open_store: &mut |_| Ok(home.open()),
        };
        Task::new(&self.topology, spec).unwrap()
    }

    fn task(&mut self) -> &mut Task {
        self.task.as_mut().expect("there is a task between two calls")
    }

    fn command(&mut self, key: &str, command: &str) -> String {
        let mut record = BatchBuilder::default();
        record.push(Timestamp::ZERO, Some(key.as_bytes()), Some(command.as_bytes()), &Headers::NONE);
        let queued = self.task().fetch_position(0);
        self.task().enqueue(0, &Arc::new(record.finish(queued))).unwrap();
        self.task().process().unwrap().unwrap();
        std::mem::take(&mut self.answer.lock().unwrap())
    }

    fn commit(&mut self) {
        self.task().prepare_commit().unwrap();
        self.task().take_progress();
        let end = self.changelog.last().map_or(Offset::ZERO, |batch| batch.end());
        let mut written = self.task().state().outputs().take_all();
        assert!(written.len() <= 1, "the store is all that writes");
        self.changelog.extend(written.pop().map(|(_, records)| Arc::new(records.rebased(end))));
        self.notes = self.task().state().notes();
        self.committed = self.now.clone();
    }

    fn flush(&mut self) {
        self.commit();
        let end = self.changelog.last().map_or(Offset::ZERO, |batch| batch.end());
        self.task().state().store_named("rows").unwrap().flush(Checkpoint { next: end, at: Timestamp::ZERO }).unwrap();
    }

    fn reopen(&mut self) {
        self.task = None;
        let mut task = self.make(&self.home);
        let store = task.state().store_named("rows").unwrap();
        let from = store.checkpoint().unwrap().map_or(Offset::ZERO, |at| at.next);
        let mut apply = |offset, record: StoredRecord<'_>| if offset < from { Ok(()) } else { store.apply(&record) };
        self.changelog.iter().try_for_each(|batch| batch.for_each(&mut apply)).unwrap();
        if !self.notes.is_empty() {
            task.state().resume(&self.notes).unwrap();
        }
        task.begin().unwrap();
        self.task = Some(task);
        self.now = self.committed.clone();
    }

    /// Goes on with a copy of the task, over other bytes: where rows lie is no part of the state.
    fn copy(&mut self, below: Below) {
        let (mut snapshot, home) = (Vec::new(), Home::new(below));
        self.task().snapshot(&mut snapshot).unwrap();
        let mut copy = self.make(&home);
        copy.restore(&snapshot).unwrap();
        assert_eq!(copy.fingerprint().unwrap(), Fingerprint::of(&snapshot));
        (self.task, self.home) = (Some(copy), home);
    }

    fn times(&self, start: i64, length: i64) -> (i64, i64) {
        match self.kind {
            Kind::Windows => (start, 0),
            Kind::Sessions => (start + length, start),
        }
    }

    fn apply(&mut self, op: &Op, below: Below) -> Result<(), TestCaseError> {
        let back = |back: bool| if back { "back" } else { "forward" };
        match *op {
            Op::Put(key, start, length, value) => {
                let text = value.map_or("none".into(), |value| value.to_string());
                self.command(key, &format!("put|{start}|{}|{text}", start + length));
                let (time, other) = self.times(start, length);
                self.now.put(time, key, other, value);
            }
            Op::Get(key, start, length) => {
                let end = if self.kind == Kind::Windows { start + SIZE } else { start + length };
                let rows = self.now.visible(self.kind).into_iter();
                let expected: Vec<_> = rows.filter(|row| row.0 == key && (row.1, row.2) == (start, end)).collect();
                prop_assert_eq!(self.command(key, &format!("get|{start}|{}", start + length)), format!("{expected:?}"));
            }
            Op::Fetch(key, from, to, backward) => {
                let kind = self.kind;
                let within = |row: &Row| match kind {
                    Kind::Windows => (from..=to).contains(&row.1),
                    Kind::Sessions => row.2 >= from && row.1 <= to,
                };
                let rows = self.now.visible(kind).into_iter();
                let expected = turned(rows.filter(|row| row.0 == key && within(row)).collect(), backward);
                let command = format!("fetch|{from}|{to}|{}", back(backward));
                prop_assert_eq!(self.command(key, &command), format!("{expected:?}"));
            }
            Op::Range(key, to_key, from, to, backward) => {
                let kind = self.kind;
                let time = |row: &Row| if kind == Kind::Windows { row.1 } else { row.2 };
                let within = |row: &Row| key <= row.0.as_str() && row.0.as_str() <= to_key;
                let rows = self.now.visible(kind).into_iter();
                let rows = rows.filter(|row| within(row) && (from..=to).contains(&time(row))).collect();
                let command = format!("range|{to_key}|{from}|{to}|{}", back(backward));
                prop_assert_eq!(self.command(key, &command), format!("{:?}", turned(rows, backward)));
            }
            Op::Commit => self.commit(),
            Op::Flush => self.flush(),
            Op::Reopen => self.reopen(),
            Op::Copy => self.copy(below),
        }
        Ok(())
    }
}

fn turned(mut rows: Vec<Row>, backward: bool) -> Vec<Row> {
    if backward {
        rows.reverse();
    }
    rows
}

fn any_op() -> impl Strategy<Value = Op> {
    let key = || prop::sample::select(KEYS.to_vec());
    // Few times, so that many are equal, over several segments.
    let time = || (0_i64..40).prop_map(|step| step * 10_000);
    let length = || prop::sample::select(vec![0, 10_000, 70_000]);
    let value = prop_oneof![3 => (0_i64..100).prop_map(Some), 1 => Just(None)];
    prop_oneof![
        10 => (key(), time(), length(), value).prop_map(|(key, start, length, value)| Op::Put(key, start, length, value)),
        3 => (key(), time(), length()).prop_map(|(key, start, length)| Op::Get(key, start, length)),
        3 => (key(), time(), time(), any::<bool>()).prop_map(|(key, from, to, back)| Op::Fetch(key, from, to, back)),
        3 => (key(), key(), time(), time(), any::<bool>())
            .prop_map(|(key, to_key, from, to, back)| Op::Range(key, to_key, from, to, back)),
        1 => Just(Op::Range("", "zz", 0, i64::MAX, false)),
        2 => Just(Op::Commit),
        2 => Just(Op::Flush),
        1 => Just(Op::Reopen),
        1 => Just(Op::Copy),
    ]
}

fn check(kind: Kind, changelog: Changelog, below: Below, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(kind, changelog, below);
    for op in ops {
        pair.apply(op, below)?;
    }
    let all = Op::Range("", "zz", 0, i64::MAX, false);
    pair.apply(&all, below)?;
    for op in [Op::Flush, Op::Reopen, all] {
        pair.apply(&op, below)?;
    }
    Ok(())
}

fn any_case() -> impl Strategy<Value = (Kind, Changelog, Vec<Op>)> {
    let kind = prop::sample::select(vec![Kind::Windows, Kind::Sessions]);
    let changelog = prop::sample::select(vec![Changelog::EveryUpdate, Changelog::LastPerCommit]);
    (kind, changelog, prop::collection::vec(any_op(), 0..60))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn windows_in_memory_are_a_map_with_a_retention((kind, changelog, ops) in any_case()) {
        check(kind, changelog, Below::Nothing, &ops)?;
    }

    #[test]
    fn windows_over_a_map_are_a_map_with_a_retention((kind, changelog, ops) in any_case()) {
        check(kind, changelog, Below::Memory, &ops)?;
    }
}

proptest! {
    // Each opens a folder several times.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn windows_on_disk_are_a_map_with_a_retention((kind, changelog, ops) in any_case()) {
        check(kind, changelog, Below::Fjall, &ops)?;
    }
}
