//! Who chooses the steps changes the way and not the tables; a run can be repeated, and its trace tells what it did.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill::Topic;
use tidemill::exec::{EagerChooser, Executor, Settings, Step, TraceEvent};
use tidemill::log::Log;
use tidemill::processor::{Context, Flow, Processor, PunctuationType, SilentContext};
use tidemill::record::{Offset, Record, Timestamp, TopicPartition};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::task::{Fingerprint, TaskId};
use tidemill::topology::Topology;

use super::house::{House, SeededChooser, run};

const SALES: Topic<String, i64> = Topic::of("sales");
const BONUSES: Topic<String, i64> = Topic::of("bonuses");
const TOTALS: Topic<i64, i64> = Topic::of("totals");
const SUMS: Store<i64, i64> = Store::of("sums");

/// Sums by the last digit of the value, through a repartition topic: the order of the records changes no sum.
fn sums() -> Topology {
    let builder = StreamsBuilder::new();
    let sums = builder
        .stream(&SALES)
        .merge(&builder.stream(&BONUSES))
        .group_by(|_, value| value % 10)
        .named("by-digit")
        .reduce_with(&SUMS, |sum, value| sum + value);
    sums.to_stream().to(&TOTALS);
    builder.build().unwrap()
}

fn house() -> House {
    let house = House::new(&sums(), &[("sales", 3), ("bonuses", 3), ("totals", 2)]);
    for number in 0..60_i64 {
        let topic = if number % 3 == 0 { &BONUSES } else { &SALES };
        house.send(topic, format!("shop {}", number % 7), number, number / 4);
    }
    house
}

/// One record at a time, so that there is much to choose; some rows are written down at one commit, some at another.
fn small_steps() -> Settings {
    Settings { fetch_bytes: 1, step_records: 1, flush_rows: 3, ..Settings::default() }
}

fn expected_sums() -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let mut sums = BTreeMap::<i64, i64>::new();
    (0..60).for_each(|number| *sums.entry(number % 10).or_default() += number);
    sums.into_iter().map(|(key, sum)| (key.to_be_bytes().to_vec(), Some(sum.to_be_bytes().to_vec()))).collect()
}

/// Runs to the end by a seed: the trace, the fingerprints of all tasks, and the log.
fn seeded(seed: u64) -> (Vec<TraceEvent>, Vec<Fingerprint>, House) {
    let house = house();
    let (mut executor, events) = house.executor(small_steps());
    run(&mut executor, &mut SeededChooser(seed));
    let fingerprints = executor.tasks().map(|task| task.fingerprint().unwrap()).collect();
    let events = events.lock().unwrap().clone();
    (events, fingerprints, house)
}

#[test]
fn any_order_of_steps_gives_the_same_tables() {
    let house = house();
    let (mut executor, _) = house.executor(Settings::default());
    run(&mut executor, &mut EagerChooser::default());
    executor.commit().unwrap();
    assert_eq!(house.last_values("app-sums-changelog"), expected_sums(), "eager");
    for seed in 0..20 {
        let (_, _, house) = seeded(seed);
        assert_eq!(house.last_values("app-sums-changelog"), expected_sums(), "seed {seed}");
        assert_eq!(house.last_values("totals"), expected_sums(), "seed {seed}");
    }
}

#[test]
fn a_seed_repeats_a_run() {
    let (events, fingerprints, house) = seeded(7);
    let (again, fingerprints_again, house_again) = seeded(7);
    assert_eq!(events, again);
    assert_eq!(fingerprints, fingerprints_again);
    assert_eq!(house.ends(), house_again.ends());
    let (other, _, _) = seeded(8);
    assert_ne!(events, other, "another seed goes another way");
}

#[test]
fn a_trace_agrees_with_itself_and_with_the_log() {
    for seed in 0..5 {
        let (events, _, house) = seeded(seed);
        let count = |wanted: fn(&TraceEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
        // 60 records, each once before and once behind the repartition topic.
        assert_eq!(count(|event| matches!(event, TraceEvent::Processed { .. })), 120, "seed {seed}");
        assert!(count(|event| matches!(event, TraceEvent::Committed { .. })) > 1, "seed {seed}");
        let mut model = Model::default();
        events.iter().for_each(|event| model.follow(event));
        for (input, committed) in &model.committed {
            assert_eq!(house.log.bounds(input).unwrap().end, *committed, "everything was processed: {input}");
        }
        for (output, appended) in &model.appended {
            assert_eq!(house.log.bounds(output).unwrap().end, *appended, "everything was committed: {output}");
        }
        assert_eq!(model.committed.len(), model.fetched.len());
    }
}

/// What a trace must agree with: each input is fetched, processed and committed without a gap.
#[derive(Default)]
struct Model {
    fetched: BTreeMap<(TaskId, TopicPartition), Offset>,
    processed: BTreeMap<TopicPartition, Offset>,
    committed: BTreeMap<TopicPartition, Offset>,
    appended: BTreeMap<TopicPartition, Offset>,
}

impl Model {
    fn follow(&mut self, event: &TraceEvent) {
        match event {
            TraceEvent::Fetched { task, input, from, to } => {
                let next = self.fetched.entry((task.clone(), input.clone())).or_default();
                assert_eq!(*next, *from, "fetches of {input} follow one another");
                assert!(from < to, "a fetch brings records");
                *next = *to;
            }
            TraceEvent::Processed { task, input, offset } => {
                let next = self.processed.entry(input.clone()).or_default();
                assert_eq!(*next, *offset, "records of {input} follow one another");
                assert!(*offset < self.fetched[&(task.clone(), input.clone())], "only what was fetched is processed");
                *next = offset.next();
            }
            TraceEvent::Appended { output, first, count, .. } => {
                let next = self.appended.entry(output.clone()).or_default();
                let first = first.expect("the log says where own records stand");
                assert_eq!(*next, first, "records for {output} follow one another");
                *next = first.plus(u64::from(*count));
            }
            TraceEvent::Committed { progress } => {
                for (input, progress) in &progress.inputs {
                    assert_eq!(progress.next, self.processed[input], "the commit says what was processed of {input}");
                    self.committed.insert(input.clone(), progress.next);
                }
            }
        }
    }
}

#[test]
fn the_clock_says_when_to_commit() {
    let house = house();
    let (mut executor, _) = house.executor(Settings::default());
    let mut chooser = EagerChooser::default();
    assert_eq!(executor.commit_due_in(), None, "nothing was done yet");
    let steps = run(&mut executor, &mut chooser);
    assert!(!steps.iter().any(|step| matches!(step, Step::Commit { .. })), "the clock stands still");
    assert_eq!(executor.commit_due_in(), Some(Duration::from_millis(100)));
    assert!(house.last_values("totals").is_empty());

    house.clock.advance(Duration::from_millis(99));
    assert_eq!(run(&mut executor, &mut chooser), []);
    assert_eq!(executor.commit_due_in(), Some(Duration::from_millis(1)));

    house.clock.advance(Duration::from_millis(1));
    assert_eq!(run(&mut executor, &mut chooser), [Step::Commit { due: true }]);
    assert_eq!(executor.commit_due_in(), None);
    assert_eq!(house.last_values("totals"), expected_sums());
}

#[test]
fn an_executor_goes_on_where_another_stopped() {
    for stop_after in [1, 10, 50, 100, 200] {
        let house = house();
        let (mut executor, _) = house.executor(small_steps());
        let mut chooser = SeededChooser(stop_after);
        for _ in 0..stop_after {
            executor.step(&mut chooser).unwrap();
        }
        // What was not committed is done again.
        drop::<Executor>(executor);
        let (mut executor, _) = house.executor(small_steps());
        run(&mut executor, &mut chooser);
        assert_eq!(house.last_values("totals"), expected_sums(), "stopped after {stop_after} steps");
        assert_eq!(house.last_values("app-sums-changelog"), expected_sums(), "stopped after {stop_after} steps");
    }
}

/// Forwards the time at each tick of the clock.
struct Tick;

impl Processor<String, i64, String, i64> for Tick {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("tick", Duration::from_millis(1_000), PunctuationType::WallClock)
    }

    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        if *record.value < 0 {
            ctx.request_commit();
        }
        Ok(())
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(Record::new(&timer.to_owned(), &time.as_millis(), time))
    }
}

#[test]
fn the_clock_says_when_to_punctuate_and_what_was_forwarded_is_work_to_commit() {
    let builder = StreamsBuilder::new();
    builder.stream(&SALES).process(|| Tick, &[]).to(&BONUSES);
    let house = House::new(&builder.build().unwrap(), &[("sales", 1), ("bonuses", 1)]);
    let (mut executor, _) = house.executor(Settings::default());
    let mut chooser = EagerChooser::default();
    assert_eq!(executor.timer_due_in(), Some(Duration::from_secs(1)));
    house.clock.advance(Duration::from_millis(999));
    assert_eq!(run(&mut executor, &mut chooser), []);
    assert_eq!(executor.timer_due_in(), Some(Duration::from_millis(1)));

    house.clock.advance(Duration::from_millis(1_001));
    assert_eq!(run(&mut executor, &mut chooser), [Step::Punctuate { task: 0 }, Step::Commit { due: true }]);
    assert_eq!(executor.timer_due_in(), Some(Duration::from_secs(1)), "the tick at 1000 is not made up for");
    let ticks = BTreeMap::from([(b"tick".to_vec(), Some(2_000_i64.to_be_bytes().to_vec()))]);
    assert_eq!(house.last_values("bonuses"), ticks);
}

#[test]
fn a_commit_that_a_processor_asks_for_is_due_at_once() {
    let builder = StreamsBuilder::new();
    builder.stream(&SALES).process(|| Tick, &[]).to(&BONUSES);
    let house = House::new(&builder.build().unwrap(), &[("sales", 1), ("bonuses", 1)]);
    let (mut executor, _) = house.executor(Settings::default());
    for (value, last) in [(1, Step::Process { task: 0 }), (-1, Step::Commit { due: true })] {
        house.send(&SALES, "key", value, 0);
        let steps = run(&mut executor, &mut EagerChooser::default());
        assert_eq!(steps.last(), Some(&last), "after {value}");
    }
}
