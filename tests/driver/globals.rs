//! Global tables and stores in a driver: their records come into force at once, on every partition.

use tidemill::Topic;
use tidemill::processor::{Context, DropReason, ErrorHandler, ErrorSettings, Flow, Processor};
use tidemill::record::Record;
use tidemill::state::{Store, StoreSpec};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Sink, Source, TaskSettings, TopologyBuilder};
use tidemill_testkit::{Commit, DriverError, TestDriver};

const RATES: Topic<String, Option<i64>> = Topic::of("rates");
const PLAIN_RATES: Topic<String, i64> = Topic::of("rates");
const RATE: Store<String, i64> = Store::of("rate");
const AMOUNTS: Topic<Option<String>, Option<i64>> = Topic::of("amounts");
const OUT: Topic<Option<String>, i64> = Topic::of("out");

/// Amounts are converted at the rate of their key's first letter.
fn convert(builder: &StreamsBuilder) {
    let rates = builder.global_table_with(&PLAIN_RATES, &RATE);
    builder
        .stream(&AMOUNTS)
        .join_global(&rates, |key, _| key.as_ref().map(|key| key[..1].to_owned()), |amount, rate| amount * rate)
        .to(&OUT);
}

fn driver(write: impl FnOnce(&StreamsBuilder)) -> TestDriver {
    let builder = StreamsBuilder::new();
    write(&builder);
    TestDriver::new(&builder.build().unwrap())
}

#[test]
fn every_task_finds_the_rows_of_all_partitions() {
    let mut driver = driver(convert).partitions("rates", 3).partitions("amounts", 4);
    driver.input(&RATES).send_all((1..).zip(["a", "b", "c", "d"]).map(|(rate, key)| (key, Some(rate))));
    let spread: std::collections::BTreeSet<u32> = driver.take_raw("rates").iter().map(|r| r.partition).collect();
    assert!(spread.len() > 1, "the rates lie in several partitions");
    for key in ["a", "b", "c", "d"] {
        driver.input(&AMOUNTS).send_all((1..=5).map(|number| (Some(format!("{key}{number}")), Some(10))));
    }
    let sums = driver.output(&OUT).values();
    assert_eq!(sums, [10; 5].into_iter().chain([20; 5]).chain([30; 5]).chain([40; 5]).collect::<Vec<i64>>());
    assert_eq!(driver.store(&RATE).all().len(), 4, "one copy");
}

#[test]
fn a_row_changes_and_goes_at_once() {
    let mut driver = driver(convert).commits(Commit::OnDemand);
    driver.input(&RATES).send("a", 2);
    driver.input(&AMOUNTS).send(Some("a".into()), 10);
    driver.input(&RATES).send("a", 3);
    driver.input(&AMOUNTS).send(Some("a".into()), 10);
    driver.input(&RATES).send("a", None);
    driver.input(&AMOUNTS).send(Some("a".into()), 10);
    driver.commit().unwrap();
    assert_eq!(driver.output(&OUT).values(), [20, 30]);
    assert_eq!(driver.store(&RATE).get("a"), None);
}

#[test]
fn what_the_topology_writes_itself_comes_into_force_at_the_commit() {
    const SET: Topic<String, i64> = Topic::of("set");
    let mut driver = driver(|builder| {
        convert(builder);
        builder.stream(&SET).to(&PLAIN_RATES);
    })
    .commits(Commit::OnDemand);
    driver.input(&SET).send("a", 7);
    driver.input(&AMOUNTS).send(Some("a".into()), 1);
    driver.commit().unwrap();
    assert_eq!(driver.output(&OUT).values(), [0; 0], "the rate was not committed");
    driver.input(&AMOUNTS).send(Some("a".into()), 1);
    driver.commit().unwrap();
    assert_eq!(driver.output(&OUT).values(), [7]);
}

#[test]
fn records_without_value_or_mapped_key_are_dropped_and_counted() {
    let mut driver = driver(convert);
    driver.input(&AMOUNTS).send(Some("a".into()), None);
    driver.input(&AMOUNTS).send(None, 5);
    let dropped = driver.dropped()[0];
    assert_eq!((dropped.get(DropReason::NullValue), dropped.get(DropReason::NullKey)), (1, 1));
    assert_eq!(driver.output(&OUT).values(), [0; 0]);
}

/// Adds up, and fails at -1.
struct Add;

impl Processor<String, i64, (), ()> for Add {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, (), ()>) -> Flow {
        if *record.value == -1 {
            return Err("no more".into());
        }
        let mut sums = ctx.store(&RATE)?;
        let sum = sums.get(record.key)?.copied().unwrap_or(0) + record.value;
        sums.put(record.key, sum, record.timestamp)
    }
}

/// Tries to write what it may only read.
struct Intruder;

impl Processor<String, i64, String, i64> for Intruder {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.store(&RATE)?.put(record.key, *record.value, record.timestamp)
    }
}

/// Looks for what is there under another type.
struct Stranger;

impl Processor<String, i64, String, i64> for Stranger {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        const OTHER: Store<String, String> = Store::of("rate");
        ctx.read(&OTHER, |rows| Ok(rows.get(record.key)?.is_some()))?;
        ctx.forward(record)
    }
}

fn message(result: Result<(), DriverError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_failing_processor_of_a_global_store_is_named_with_the_record() {
    let builder = StreamsBuilder::new();
    builder.add_global_store(StoreSpec::plain(&RATE), &PLAIN_RATES, || Add);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&PLAIN_RATES).send_all([("a", 1), ("a", 2)]);
    assert_eq!(driver.store(&RATE).get("a"), Some(3));
    assert_eq!(
        message(driver.input(&PLAIN_RATES).try_send("a", -1)),
        "task 0_0: node `KTABLE-SOURCE-0000000001` failed on record 2 of topic `rates` partition 0: no more"
    );
}

#[test]
fn only_its_own_processor_changes_a_store_that_a_topic_fills() {
    const IN: Topic<String, i64> = Topic::of("in");
    let expected =
        "opens store `rate`, which a topic fills and only that topic's processor changes: look at it with `read`";
    for global in [true, false] {
        let mut builder = TopologyBuilder::new();
        let (spec, source) = (StoreSpec::plain(&RATE), Source::topic(&PLAIN_RATES));
        if global {
            builder.add_global_store(spec, "rates", source, "add", || Add);
        } else {
            builder.add_read_only_store(spec, "rates", source, "add", || Add);
        }
        builder.add_source("in", Source::topic(&IN)).add_processor("intruder", &["in"], || Intruder);
        if !global {
            builder.connect("intruder", &["rate"]);
        }
        builder.add_sink("out", &["intruder"], Sink::topic(&Topic::<String, i64>::of("out")));
        let mut driver = TestDriver::new(&builder.build().unwrap());
        let error = message(driver.input(&IN).try_send("a", 1));
        assert!(error.contains(&format!("processor `intruder` {expected}")), "{error}");
    }
}

#[test]
fn a_read_only_store_is_read_by_those_connected_and_a_look_has_its_types() {
    const IN: Topic<String, i64> = Topic::of("in");
    for (connected, expected) in [
        (false, "processor `stranger` is not connected to store `rate` (connected: [])"),
        (true, "store `rate` is opened as "),
    ] {
        let mut builder = TopologyBuilder::new();
        builder.add_read_only_store(StoreSpec::plain(&RATE), "rates", Source::topic(&PLAIN_RATES), "add", || Add);
        builder.add_source("in", Source::topic(&IN)).add_processor("stranger", &["in"], || Stranger);
        if connected {
            builder.connect("stranger", &["rate"]);
        }
        let mut driver = TestDriver::new(&builder.build().unwrap());
        let error = message(driver.input(&IN).try_send("a", 1));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_record_that_fails_in_a_global_store_is_left_out_where_that_is_asked_for_but_no_dead_letter_is_written() {
    let adding = |errors: ErrorSettings| {
        let builder = StreamsBuilder::new();
        builder.add_global_store(StoreSpec::plain(&RATE), &PLAIN_RATES, || Add);
        let settings = TaskSettings { errors, ..TaskSettings::default() };
        TestDriver::new(&builder.build().unwrap()).settings(settings)
    };
    // The handler for other processors is not that for these.
    let mut driver = adding(ErrorSettings { processing: ErrorHandler::skip(), ..ErrorSettings::default() });
    assert!(driver.input(&PLAIN_RATES).try_send("a", -1).is_err());
    let letters = || ErrorHandler::dead_letter("dead");
    let mut driver =
        adding(ErrorSettings { global: letters(), deserialization: letters(), ..ErrorSettings::default() });
    driver.input(&PLAIN_RATES).send_all([("a", 1), ("a", -1), ("a", 2)]);
    driver.input(&Topic::<String, String>::of("rates")).send("a", "no number");
    assert_eq!(driver.store(&RATE).get("a"), Some(3));
    let dropped = driver.dropped()[0];
    assert_eq!((dropped.get(DropReason::Processing), dropped.get(DropReason::Deserialization)), (1, 1));
    assert_eq!(driver.topics_written(), ["rates".into()]);
}
