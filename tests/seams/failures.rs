//! A record that fails and is skipped leaves no trace: the task is as if the record had never been there.

use std::time::Duration;

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::processor::{
    CannotSnapshot, Context, DropReason, ErrorHandler, ErrorSettings, Flow, ProcessError, Processor, PunctuationType,
    SnapshotBytes,
};
use tidemill::record::{Record, Timestamp};
use tidemill::serde::{Serde, SerdeError, SerdeRef};
use tidemill::state::{Changelog, Emit, Store, StoreSpec};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::task::Task;
use tidemill::topology::{TaskSettings, Topology};

use super::tasks::{batch, queue, task_with};

const IN: Topic<String, i64> = Topic::of("in");
const SIDE: Topic<String, i64> = Topic::of("side");
const SUMS: Topic<String, i64> = Topic::of("sums");
const JOINED: Topic<String, i64> = Topic::of("joined");
const SUM_ROWS: Store<String, i64> = Store::of("sum-rows");
const LAST_ROWS: Store<String, i64> = Store::of("last-rows");
const TOUCHED: Store<String, i64> = Store::of("touched");

/// Where a record fails; values above are good ones.
const IN_PROCESSOR: i64 = -1;
const IN_FOLD: i64 = -2;
const BEHIND_FOLD: i64 = -3;
const IN_SINK: i64 = -4;

fn fail_at(place: i64, value: i64) -> Result<i64, String> {
    if value == place { Err(format!("{value} fails here")) } else { Ok(value) }
}

/// Has fields, rows and timers, and touches them all before it fails.
#[derive(Default)]
struct Touches(i64);

impl Processor<String, i64, String, i64> for Touches {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        self.0 += 1;
        let mut rows = ctx.store(&TOUCHED)?;
        let before = rows.delete(record.key, record.timestamp)?;
        rows.put(record.key, before.unwrap_or(0) + self.0, record.timestamp)?;
        rows.put(&"last".to_owned(), *record.value, record.timestamp)?;
        let later = Duration::from_millis(1 + record.value.unsigned_abs() % 5);
        ctx.schedule(record.key, later, PunctuationType::StreamTime)?;
        ctx.request_commit();
        ctx.forward(record.with_value(&self.0))?;
        fail_at(IN_PROCESSOR, *record.value)?;
        ctx.forward(record)
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, String, i64>) -> Flow {
        self.0 += 10;
        ctx.store(&TOUCHED)?.put(&timer.to_owned(), self.0, time)?;
        ctx.cancel(timer);
        ctx.forward(Record::new(&timer.to_owned(), &self.0, time))
    }

    fn snapshot(&self, out: &mut SnapshotBytes) -> Result<(), CannotSnapshot> {
        out.extend_from_slice(&self.0.to_be_bytes());
        Ok(())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProcessError> {
        self.0 = i64::from_be_bytes(bytes.try_into()?);
        Ok(())
    }
}

/// A number that refuses one value.
struct Picky;

impl Serde<i64> for Picky {
    fn write(&self, value: &i64, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        fail_at(IN_SINK, *value).map_err(SerdeError::new)?;
        SerdeRef::<i64>::of().write(value, out)
    }

    fn read(&self, bytes: &[u8]) -> Result<i64, SerdeError> {
        SerdeRef::<i64>::of().read(bytes)
    }

    fn name(&self) -> String {
        "picky".into()
    }
}

/// Outputs before each place at which something fails, and behind them.
fn topology(emit: Emit) -> Topology {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&TOUCHED).emit(emit));
    let all = builder.stream(&IN);
    all.to(&SIDE);
    let last = all.to_table_with(Materialized::store(&LAST_ROWS).emit(emit));
    let fold = |sum: i64, _: &String, value: &i64| fail_at(IN_FOLD, *value).map(|value| sum + value);
    let sums = all.group_by_key().try_aggregate(Materialized::store(&SUM_ROWS).emit(emit), || 0, fold);
    sums.to_stream().to(&SUMS);
    all.process(Touches::default, &[&TOUCHED]).to(&SIDE);
    all.try_left_join(&last, |_, value, row| fail_at(BEHIND_FOLD, *value).map(|value| value + row.unwrap_or(&0)))
        .to(&JOINED);
    all.to(&Topic::new("picky", SerdeRef::<String>::of(), SerdeRef::new(Picky)));
    builder.build().unwrap()
}

/// Key, time and value of a record; what is below zero fails.
type Input = (&'static str, i64, i64);

/// Gives a task a record at its offset and processes it.
fn process(task: &mut Task, offset: u64, (key, time, value): Input) {
    let input = queue(task, "in");
    task.enqueue(input, &batch(offset, &[(time, key, value)])).unwrap();
    task.process().unwrap().unwrap();
}

fn state(task: &mut Task) -> Vec<u8> {
    let mut bytes = Vec::new();
    task.state().snapshot(&mut bytes).unwrap();
    bytes
}

fn commit(task: &mut Task) -> String {
    task.prepare_commit().unwrap();
    format!("{:?}", task.state().outputs().take_all().iter().map(|(to, batch)| (to, batch.bytes())).collect::<Vec<_>>())
}

fn skipping(changelog: Changelog, cache_bytes: u64) -> TaskSettings {
    TaskSettings { changelog, cache_bytes, errors: ErrorSettings::all(ErrorHandler::skip()), ..TaskSettings::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn records_that_fail_leave_no_trace(
        inputs in prop::collection::vec(
            (prop::sample::select(vec!["a", "b", "c", "last"]), 0_i64..30, prop_oneof![2 => 0_i64..9, 1 => -4_i64..0]),
            1..40,
        ),
        commit_every in 1_usize..9,
        changelog in prop::sample::select(vec![Changelog::EveryUpdate, Changelog::LastPerCommit, Changelog::Off]),
        cache in prop::sample::select(vec![0, 150, 400, 1_000_000]),
        emit in prop::sample::select(vec![Emit::EveryUpdate, Emit::Cached, Emit::OnCommit]),
    ) {
        let (topology, settings) = (topology(emit), skipping(changelog, cache));
        let (mut with, mut without) = (task_with(&topology, &settings), task_with(&topology, &settings));
        with.begin().unwrap();
        without.begin().unwrap();
        for (offset, input) in (0..).zip(&inputs) {
            process(&mut with, offset, *input);
            if input.2 >= 0 {
                process(&mut without, offset, *input);
            }
            prop_assert!(state(&mut with) == state(&mut without), "record {offset}: {input:?}");
            if (offset as usize).is_multiple_of(commit_every) {
                prop_assert_eq!(commit(&mut with), commit(&mut without));
            }
        }
        prop_assert_eq!(commit(&mut with), commit(&mut without));
        prop_assert!(state(&mut with) == state(&mut without));
        let failed = |places: &[i64]| inputs.iter().filter(|input| places.contains(&input.2)).count() as u64;
        let dropped = with.state().dropped();
        prop_assert_eq!(dropped.get(DropReason::Processing), failed(&[IN_PROCESSOR, IN_FOLD, BEHIND_FOLD]));
        prop_assert_eq!(dropped.get(DropReason::Production), failed(&[IN_SINK]));
        prop_assert_eq!(without.state().dropped().total(), 0);
    }
}
