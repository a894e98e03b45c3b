//! A record that fails says where: the task, the node, the record's topic, partition and offset, and the cause.

use std::error::Error as _;

use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::{Headers, Partitions, Record, Timestamp, partition_of};
use tidemill::serde::{SerdeError, SerdeRef};
use tidemill::state::{Store, StoreName, StoreSpec};
use tidemill::stream::{Produced, Stream, StreamsBuilder};
use tidemill::task::TaskErrorKind;
use tidemill::{ErrorKind, Topic};
use tidemill_testkit::{DriverError, TestDriver};

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const ROWS: Store<String, i64> = Store::of("rows");

/// Refuses 13.
fn unlucky(value: &i64) -> Result<i64, String> {
    if *value == 13 { Err("13 is not allowed".into()) } else { Ok(*value) }
}

/// The driver of a program in which the verb under test is called `verb`.
fn driver(write: impl FnOnce(&StreamsBuilder, Stream<'_, String, i64>)) -> TestDriver {
    let builder = StreamsBuilder::new();
    write(&builder, builder.stream(&IN).filter(|_, _| true));
    TestDriver::new(&builder.build().unwrap()).partitions("in", 3).partitions("others", 3)
}

/// Sends two good records and a bad one to the partition of one key.
fn fail(mut driver: TestDriver) -> String {
    driver.input(&IN).send_all([("key", 1), ("key", 2)]);
    let error = driver.input(&IN).try_send("key", 13).unwrap_err();
    let DriverError::Task(error) = error else { panic!("the task fails: {error}") };
    assert_eq!(error.kind(), TaskErrorKind::Processing);
    assert!(error.source().is_some(), "the cause is kept");
    error.to_string()
}

/// The place of the third record, as texts name it.
fn third() -> String {
    format!("record 2 of topic `in` partition {}", partition_of(b"key", 3))
}

/// Checks the text but for the number of the task, which says the partition again.
fn check_text(text: &str, expected: &str) {
    let (task, rest) = text.split_once(": ").unwrap();
    assert!(task.starts_with("task ") && task.ends_with(&format!("_{}", partition_of(b"key", 3))), "{text}");
    assert_eq!(rest, expected);
}

fn check(write: impl FnOnce(&StreamsBuilder, Stream<'_, String, i64>)) {
    check_text(&fail(driver(write)), &format!("node `verb` failed on {}: 13 is not allowed", third()));
}

#[test]
fn verbs_that_fail_name_their_node_and_the_record() {
    check(|_, stream| stream.try_map_values(|_, value| unlucky(value)).named("verb").to(&OUT).named("end"));
    check(|_, stream| {
        let mapped = stream.try_map(|key, value| unlucky(value).map(|value| (key.clone(), value)));
        mapped.named("verb").to(&OUT);
    });
    check(|_, stream| stream.try_filter(|_, value| unlucky(value).map(|_| true)).named("verb").for_each(|_, _| {}));
    check(|_, stream| {
        stream.try_select_key(|key, value| unlucky(value).map(|_| key.clone())).named("verb").for_each(|_, _| {});
    });
    check(|_, stream| {
        stream.try_flat_map(|key, value| unlucky(value).map(|v| vec![(key.clone(), v)])).named("verb").to(&OUT);
    });
    check(|_, stream| {
        stream.try_flat_map_values(|_, value| unlucky(value).map(|value| vec![value])).named("verb").to(&OUT);
    });
    check(|builder, stream| {
        let table = builder.stream(&Topic::<String, i64>::of("others")).to_table();
        stream.try_left_join(&table, |_, value, _| unlucky(value)).named("verb").to(&OUT);
    });
}

#[test]
fn verbs_without_a_name_are_named_by_their_number() {
    let text = fail(driver(|_, stream| stream.try_for_each(|_, value| unlucky(value).map(|_| ()))));
    check_text(&text, &format!("node `KSTREAM-FOREACH-0000000002` failed on {}: 13 is not allowed", third()));
    let text = fail(driver(|_, stream| {
        stream.group_by_key().try_reduce_with(&ROWS, |_, value| unlucky(value));
    }));
    check_text(&text, &format!("node `KSTREAM-REDUCE-0000000002` failed on {}: 13 is not allowed", third()));
    let text = fail(driver(|_, stream| {
        stream.group_by_key().try_aggregate(&ROWS, || 0, |sum: i64, _, value| unlucky(value).map(|value| sum + value));
    }));
    check_text(&text, &format!("node `KSTREAM-AGGREGATE-0000000002` failed on {}: 13 is not allowed", third()));
}

struct Panics;

impl Processor<String, i64, String, i64> for Panics {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        assert!(*record.value != 13, "13 came");
        ctx.forward(record)
    }
}

#[test]
fn a_panic_names_its_node_and_the_record() {
    let panicked = |node: &str| format!("node `{node}` failed on {}: panicked: 13 came", third());
    let stop = |value: &i64| if *value == 13 { panic!("13 came") } else { *value };
    let text = fail(driver(|_, stream| stream.map_values(stop).named("verb").to(&OUT).named("end")));
    check_text(&text, &panicked("verb"));
    let text = fail(driver(|_, stream| stream.process(|| Panics, &[]).named("verb").to(&OUT).named("end")));
    check_text(&text, &panicked("verb"));
    let text = fail(driver(|_, stream| {
        stream.group_by_key().reduce_with(&ROWS, move |_, value| stop(value));
    }));
    check_text(&text, &panicked("KSTREAM-REDUCE-0000000002"));
    let text = fail(driver(|_, stream| {
        let chosen = |_: Option<&[u8]>, _: &String, value: &i64, _: u32| match value {
            13 => panic!("13 came"),
            _ => Partitions::Default,
        };
        stream.to_with(&OUT, Produced::partitioner(chosen)).named("verb");
    }));
    check_text(&text, &panicked("verb"));
}

#[test]
fn a_task_that_failed_says_so_when_it_is_used_again() {
    let mut driver = driver(|_, stream| stream.try_for_each(|_, value| unlucky(value).map(|_| ())));
    driver.input(&IN).try_send("key", 13).unwrap_err();
    let DriverError::Task(error) = driver.input(&IN).try_send("key", 1).unwrap_err() else { panic!("the task failed") };
    assert_eq!(error.kind(), TaskErrorKind::Failed);
    let text = error.to_string();
    assert!(
        text.ends_with(" failed before: drop it and make a new one, which restores from the last commit"),
        "{text}"
    );
}

/// Sends bytes behind a good record and gives what is said.
fn send_bytes(key: Option<&[u8]>, value: Option<&[u8]>, at: i64) -> String {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).send("key", 1);
    driver.send_raw("in", key, value, Timestamp::from_millis(at), &Headers::NONE).unwrap_err().to_string()
}

const SECOND: &str = "task 0_0: processing failed on record 1 of topic `in` partition 0: ";

/// What can be done about records that cannot be read.
const HANDLE: &str = "; to leave such records out, set the `deserialization` handler of `errors`";

#[test]
fn bytes_that_cannot_be_read_name_the_record_and_the_cause() {
    assert_eq!(
        send_bytes(Some(b"key"), Some(b"123"), 0),
        format!(
            "{SECOND}its value cannot be read: `i64` expects 8 bytes, and 3 came: was this written with another serde?{HANDLE}"
        )
    );
}

#[test]
fn a_null_that_the_type_has_no_place_for_says_what_to_do() {
    let unexpected = SerdeError::unexpected_null().to_string();
    for remedy in ["unexpected null: ", "`Option`", "`skip_nulls()`"] {
        assert!(unexpected.contains(remedy), "{unexpected}");
    }
    assert_eq!(send_bytes(Some(b"key"), None, 0), format!("{SECOND}its value cannot be read: {unexpected}{HANDLE}"));
    assert_eq!(send_bytes(None, Some(&[0; 8]), 0), format!("{SECOND}its key cannot be read: {unexpected}{HANDLE}"));
}

#[test]
fn a_negative_time_says_what_to_do() {
    assert_eq!(
        send_bytes(Some(b"key"), Some(&[0; 8]), -1),
        format!(
            "{SECOND}its time cannot be read: it is negative: use another timestamp extractor to skip or mend such records"
        )
    );
}

/// Opens a store by another descriptor than the one that it was added with.
struct Opens(Store<String, String>);

impl Processor<String, i64, String, i64> for Opens {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.store(&self.0)?;
        ctx.forward(record)
    }
}

fn open(store: &'static str, connected: &[&dyn StoreName]) -> String {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&ROWS));
    let stream = builder.stream(&IN);
    stream.process(|| Panics, &[&ROWS]).to(&OUT);
    stream.process(move || Opens(Store::of(store)), connected).named("opens").to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).try_send("key", 1).unwrap_err().to_string()
}

#[test]
fn a_store_that_a_processor_is_not_connected_to_is_named() {
    let first = "task 0_0: node `opens` failed on record 0 of topic `in` partition 0: ";
    assert_eq!(
        open("rows", &[]),
        format!(
            "{first}processor `opens` is not connected to store `rows` (connected: []): name the store where the processor is \
             added"
        )
    );
    assert_eq!(
        open("rows", &[&ROWS]),
        format!(
            "{first}store `rows` is opened as `tidemill_dsl::state::key_value::KeyValueState<alloc::string::String, \
             alloc::string::String>`, but it is another: use the descriptor that the store was added with"
        )
    );
}

#[test]
fn an_error_of_an_application_says_the_same_and_what_can_be_done() {
    let text = fail(driver(|_, stream| stream.try_for_each(|_, value| unlucky(value).map(|_| ()))));
    let mut driver = driver(|_, stream| stream.try_for_each(|_, value| unlucky(value).map(|_| ())));
    driver.input(&IN).send_all([("key", 1), ("key", 2)]);
    let DriverError::Task(error) = driver.input(&IN).try_send("key", 13).unwrap_err() else { panic!("the task fails") };
    let error = tidemill::Error::from(error);
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Processing, text));
}

#[test]
fn a_topic_that_nobody_reads_is_named() {
    let mut driver = driver(|_, stream| stream.for_each(|_, _| {}));
    assert_eq!(
        driver.input(&OUT).try_send("key", 1).unwrap_err().to_string(),
        "no source of the topology reads topic `out`: send to one of its inputs"
    );
}

#[test]
fn a_topic_chosen_for_a_record_is_written_like_any_other() {
    let mut driver = driver(|_, stream| {
        stream.to_chosen(|key, _, _| format!("out-{key}"), &SerdeRef::of(), &SerdeRef::of());
    });
    driver.input(&IN).send_all([("a", 1), ("b", 2), ("a", 3)]);
    assert_eq!(driver.take_raw("out-a").len(), 2);
    assert_eq!(driver.take_raw("out-b").len(), 1);
}
