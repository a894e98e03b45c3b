//! A task with one store in the hands of a processor, and what happens to it between a task's first and last day.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use tidemill::Topic;
use tidemill::processor::{
    CannotSnapshot, Context, ErrorHandler, ErrorSettings, Flow, PartitionCounts, Processor, SnapshotBytes,
};
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Record, StoredRecord, Timestamp};
use tidemill::state::{
    Changelog, Checkpoint, Direction, Emit, KeyRange, KeyValueState, PublishedRows, StateStore, Store, StoreSpec,
};
use tidemill::stream::StreamsBuilder;
use tidemill::task::{Fingerprint, Task};
use tidemill::topology::{TaskSettings, TaskSpec, Topology};

use super::home::Home;

const COMMANDS: Topic<String, String> = Topic::of("commands");
const ROWS: Store<String, i64> = Store::of("rows");
const CHANGELOG: &str = "test-rows-changelog";

/// A row as it is seen: key, value, time.
pub(crate) type Row = (String, i64, i64);

/// Does what the record's value says with the row of its key, and leaves the answer.
struct Hands {
    kind: Kind,
    answer: Arc<Mutex<String>>,
}

/// The headers that a row of this value is written with.
fn headers_of(value: i64) -> Headers {
    if value % 2 == 0 { Headers::NONE } else { Headers::default().with("value", value.to_string()) }
}

impl Processor<String, String, String, String> for Hands {
    fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, String>) -> Flow {
        let mut rows = ctx.store(&ROWS)?;
        let words: Vec<&str> = record.value.split('|').collect();
        let answer = match words.as_slice() {
            ["put", value] => {
                let value = value.parse()?;
                rows.put_with_headers(record.key, value, record.timestamp, &headers_of(value))?;
                String::new()
            }
            ["delete"] => format!("{:?}", rows.delete(record.key, record.timestamp)?),
            ["get"] => {
                let row = rows.get(record.key)?.copied();
                assert_eq!(rows.get_with_time(record.key).is_ok(), self.kind.timestamped, "a time is there or refused");
                assert_eq!(rows.get_with_headers(record.key).is_ok(), self.kind.headers, "as are headers");
                if self.kind.headers {
                    let headers = rows.get_with_headers(record.key)?.map(|(_, headers)| headers.clone());
                    assert_eq!(headers, row.map(headers_of));
                }
                let time = if self.kind.timestamped { rows.get_with_time(record.key)? } else { None };
                let time = time.map_or(0, |(_, time)| time.as_millis());
                format!("{:?}", row.map(|value| (value, time)))
            }
            ["fail", steps] => {
                for step in steps.split(',') {
                    let (key, value) = step.split_once('=').ok_or("a step is `key=value`")?;
                    match value {
                        "" => _ = rows.delete(&key.to_owned(), record.timestamp)?,
                        value => {
                            let value = value.parse()?;
                            rows.put_with_headers(&key.to_owned(), value, record.timestamp, &headers_of(value))?;
                        }
                    }
                }
                return Err("told to fail".into());
            }
            [what, to, direction, limit] => {
                let direction = if *direction == "back" { Direction::Backward } else { Direction::Forward };
                let (mut seen, limit): (Vec<(String, i64)>, usize) = (Vec::new(), limit.parse()?);
                let visit = |key: String, value: &i64| {
                    seen.push((key, *value));
                    if seen.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                match *what {
                    "range" => rows.range(Some(record.key), Some(&(*to).to_owned()), direction, visit)?,
                    "from" => rows.range(Some(record.key), None, direction, visit)?,
                    "to" => rows.range(None, Some(record.key), direction, visit)?,
                    "prefix" => rows.prefix(record.key.as_bytes(), direction, visit)?,
                    _ => rows.all(direction, visit)?,
                }
                format!("{seen:?}")
            }
            other => return Err(format!("no command: {other:?}").into()),
        };
        *self.answer.lock().unwrap() = answer;
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

/// How the store is declared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) changelog: Changelog,
    pub(crate) timestamped: bool,
    pub(crate) rows_in_memory: usize,
    /// Whether records that fail are skipped, so that the store has to take back what they did.
    pub(crate) skips: bool,
    pub(crate) headers: bool,
    /// How large the cache is; 0: there is none.
    pub(crate) cache_bytes: u64,
}

/// The task, the bytes below its store, and its changelog as far as it is committed.
pub(crate) struct Life {
    topology: Topology,
    kind: Kind,
    home: Home,
    task: Option<Task>,
    changelog: Vec<Arc<Batch>>,
    answer: Arc<Mutex<String>>,
}

impl Life {
    pub(crate) fn new(kind: Kind, home: Home) -> Life {
        let builder = StreamsBuilder::new();
        let spec = if kind.timestamped { StoreSpec::timestamped(&ROWS) } else { StoreSpec::plain(&ROWS) };
        let spec = if kind.headers { spec.with_headers() } else { spec };
        builder.add_store(spec.rows_in_memory(kind.rows_in_memory).emit(Emit::Cached));
        let answer = Arc::new(Mutex::new(String::new()));
        let hands = answer.clone();
        let done = builder.stream(&COMMANDS).process(move || Hands { kind, answer: hands.clone() }, &[&ROWS]);
        done.for_each(|_: &String, _: &String| {});
        let topology = builder.build().unwrap();
        let mut life = Life { topology, kind, home, task: None, changelog: Vec::new(), answer };
        life.reopen();
        life
    }

    fn make(&self, home: &Home) -> Task {
        let (changelog, cache_bytes) = (self.kind.changelog, self.kind.cache_bytes);
        let mut settings = TaskSettings { changelog, cache_bytes, ..TaskSettings::default() };
        if self.kind.skips {
            settings.errors = ErrorSettings::all(ErrorHandler::skip());
        }
        let spec = TaskSpec {
            subtopologies: &[0],
            partition: 0,
            application: "test",
            topics: &[],
            counts: Arc::new(OnePartition),
            settings,
            globals: self.topology.global_stores(),
            open_store: &mut |_| Ok(home.open()),
        };
        Task::new(&self.topology, spec).unwrap()
    }

    fn task(&mut self) -> &mut Task {
        self.task.as_mut().expect("there is a task between two calls")
    }

    fn end(&self) -> Offset {
        self.changelog.last().map_or(Offset::ZERO, |batch| batch.end())
    }

    /// Gives the processor a command and returns its answer.
    pub(crate) fn command(&mut self, key: &str, command: &str, at: i64) -> String {
        let mut record = BatchBuilder::default();
        record.push(Timestamp::from_millis(at), Some(key.as_bytes()), Some(command.as_bytes()), &Headers::NONE);
        let queued = self.task().fetch_position(0);
        self.task().enqueue(0, &Arc::new(record.finish(queued))).unwrap();
        self.task().process().unwrap().unwrap();
        std::mem::take(&mut self.answer.lock().unwrap())
    }

    /// Changes rows and then fails: nothing may be left of it. An empty value deletes.
    pub(crate) fn fail(&mut self, steps: &str, at: i64) {
        // A task begins with its first record, also one that fails.
        self.task().process().unwrap();
        let before = self.state_bytes();
        self.command("", &format!("fail|{steps}"), at);
        assert_eq!(self.state_bytes(), before, "what the failed record did is taken back");
    }

    fn state_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.task().state().snapshot(&mut bytes).unwrap();
        bytes
    }

    /// Looks at a row from outside, as a driver does: a row that is not there gets a place for a while.
    pub(crate) fn look(&mut self, key: &str) -> Option<(i64, i64)> {
        let state = self.state();
        let place = state.claim(&key.to_owned()).unwrap();
        state.row(place).map(|(value, time)| (*value, time.as_millis()))
    }

    fn state(&mut self) -> &mut KeyValueState<String, i64> {
        let store: &mut dyn Any = &mut **self.task().state().store_named(ROWS.name()).unwrap();
        store.downcast_mut().unwrap()
    }

    /// All rows in the order of their keys.
    pub(crate) fn rows(&mut self) -> Vec<Row> {
        rows_of(self.state())
    }

    /// Commits: the changelog has everything now.
    pub(crate) fn commit(&mut self) {
        self.task().prepare_commit().unwrap();
        self.task().take_progress();
        for (to, records) in self.task().state().outputs().take_all() {
            assert_eq!(*to.topic, *CHANGELOG, "the store is all that writes");
            self.changelog.push(Arc::new(records.rebased(self.end())));
        }
    }

    /// Commits and writes the changed rows down.
    pub(crate) fn flush(&mut self) {
        self.commit();
        let end = self.end();
        let store = self.task().state().store_named(ROWS.name()).unwrap();
        store.flush(Checkpoint { next: end, at: Timestamp::ZERO }).unwrap();
        assert_eq!(store.unflushed(), 0);
    }

    /// Publishes the store's committed rows.
    pub(crate) fn publish(&mut self) -> Arc<PublishedRows> {
        self.task().state().store_named(ROWS.name()).unwrap().publish().unwrap()
    }

    /// Ends the task and begins another, which restores from the bytes below and the changelog.
    pub(crate) fn reopen(&mut self) {
        self.task = None;
        let mut task = self.make(&self.home);
        let store = task.state().store_named(ROWS.name()).unwrap();
        let from = store.checkpoint().unwrap().map_or(Offset::ZERO, |at| at.next);
        self.replay(&mut **store, from);
        task.begin().unwrap();
        self.task = Some(task);
    }

    fn replay(&self, store: &mut dyn StateStore, from: Offset) {
        let apply = |offset, record: StoredRecord<'_>| if offset < from { Ok(()) } else { store.apply(&record) };
        let mut apply = apply;
        self.changelog.iter().try_for_each(|batch| batch.for_each(&mut apply)).unwrap();
    }

    /// The rows that the changelog alone gives.
    pub(crate) fn replayed(&self) -> Vec<Row> {
        let mut task = self.make(&Home::Nothing);
        let store = task.state().store_named(ROWS.name()).unwrap();
        self.replay(&mut **store, Offset::ZERO);
        let store: &mut dyn Any = &mut **store;
        rows_of(store.downcast_mut().unwrap())
    }

    /// How many records the changelog has.
    pub(crate) fn changelog_records(&self) -> u64 {
        self.end().get()
    }

    /// Goes on with a copy of the task, over other bytes. What lies where is no part of the state.
    pub(crate) fn copy(&mut self, home: Home) {
        let mut snapshot = Vec::new();
        self.task().snapshot(&mut snapshot).unwrap();
        let mut in_memory = self.make(&Home::Nothing);
        in_memory.restore(&snapshot).unwrap();
        assert_eq!(in_memory.fingerprint().unwrap(), Fingerprint::of(&snapshot));
        let mut copy = self.make(&home);
        copy.restore(&snapshot).unwrap();
        assert_eq!(copy.fingerprint().unwrap(), Fingerprint::of(&snapshot));
        (self.task, self.home) = (Some(copy), home);
    }
}

fn rows_of(state: &mut KeyValueState<String, i64>) -> Vec<Row> {
    let mut rows = Vec::new();
    let visit = &mut |key: &[u8], value: &i64, time: Timestamp| {
        rows.push((String::from_utf8(key.to_vec()).unwrap(), *value, time.as_millis()));
        ControlFlow::Continue(())
    };
    state.walk(&KeyRange::ALL, Direction::Forward, visit).unwrap();
    rows
}
