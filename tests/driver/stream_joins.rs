//! Joins of two streams: what they write to their changelogs, what they drop, when they look for what met none, and faults.

use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{DropReason, ErrorHandler, ErrorSettings};
use tidemill::state::Changelog;
use tidemill::stream::{StreamJoined, StreamsBuilder};
use tidemill::topology::{TaskSettings, Topology};
use tidemill::window::JoinWindows;
use tidemill_testkit::TestDriver;

const LEFT: Topic<Option<String>, Option<i64>> = Topic::of("left");
const RIGHT: Topic<Option<String>, Option<i64>> = Topic::of("right");
const OUT: Topic<Option<String>, String> = Topic::of("out");
const DROPPED: Topic<Option<String>, Option<i64>> = Topic::of("dropped");

const fn within(millis: u64) -> JoinWindows {
    JoinWindows::of(Duration::from_millis(millis))
}

fn outer() -> Topology {
    let b = StreamsBuilder::new();
    let (left, right) = (b.stream(&LEFT), b.stream(&RIGHT));
    left.outer_join_stream_with(&right, within(50), StreamJoined::store("j"), |l, r| format!("{l:?} {r:?}"))
        .named("j")
        .to(&OUT);
    b.build().unwrap()
}

fn hex(bytes: Option<&[u8]>) -> String {
    bytes.map_or("null".into(), |bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn logged(driver: &mut TestDriver, store: &str) -> Vec<String> {
    let records = driver.take_raw(&format!("test-{store}-changelog"));
    let text = |record: &tidemill_testkit::RawRecord| {
        let (key, value) = (hex(record.key.as_deref()), hex(record.value.as_deref()));
        format!("{key} = {value} at {}", record.timestamp)
    };
    records.iter().map(text).collect()
}

fn send(driver: &mut TestDriver, to: &Topic<Option<String>, Option<i64>>, key: &str, value: Option<i64>, time: i64) {
    driver.input(to).at(time).send(Some(key.to_owned()), value);
}

#[test]
fn the_changelogs_of_a_join_are_kafka_streams_to_the_byte() {
    let mut driver = TestDriver::new(&outer()).changelog(Changelog::EveryUpdate);
    for (to, key, value, time) in [
        (&LEFT, "a", Some(1), 100),
        (&LEFT, "a", Some(2), 100),
        (&RIGHT, "b", Some(3), 90),
        (&RIGHT, "a", None, 100),
        (&RIGHT, "a", Some(4), 100),
        (&LEFT, "c", Some(5), 160),
        (&LEFT, "d", Some(6), 1),
    ] {
        send(&mut driver, to, key, value, time);
    }
    // As Kafka Streams 4.3.0 wrote them for the same input.
    assert_eq!(
        logged(&mut driver, "j-outer-this-join-store"),
        [
            "61000000000000006400000001 = 0000000000000001 at 100",
            "61000000000000006400000002 = 0000000000000002 at 100",
            "6300000000000000a000000003 = 0000000000000005 at 160",
            "64000000000000000100000004 = 0000000000000006 at 1",
        ]
    );
    assert_eq!(
        logged(&mut driver, "j-outer-other-join-store"),
        [
            "62000000000000005a00000001 = 0000000000000003 at 90",
            "61000000000000006400000002 = null at 100",
            "61000000000000006400000003 = 0000000000000004 at 100",
        ]
    );
    assert_eq!(
        logged(&mut driver, "j-outer-shared-join-store"),
        [
            "00000000000000640161 = 010000000100000009010000000000000001 at 100",
            "00000000000000640161 = 01000000020000000901000000000000000100000009010000000000000002 at 100",
            "000000000000005a0062 = 010000000100000009000000000000000003 at 90",
            "00000000000000640161 = null at 100",
            "000000000000005a0062 = null at 160",
            "00000000000000a00163 = 010000000100000009010000000000000005 at 160",
        ]
    );
}

#[test]
fn what_a_join_drops_is_counted_and_can_be_seen() {
    let b = StreamsBuilder::new();
    let (left, right) = (b.stream(&LEFT).dropped_to(&DROPPED), b.stream(&RIGHT));
    left.join_stream(&right, within(50), |l, r| format!("{l} {r}")).to(&OUT);
    let mut driver = TestDriver::new(&b.build().unwrap());
    driver.input(&LEFT).send(None, Some(1));
    driver.input(&LEFT).send(Some("a".into()), None);
    driver.input(&RIGHT).send(None, Some(2));
    let dropped = driver.dropped();
    assert_eq!(dropped.iter().map(|counts| counts.get(DropReason::NullKey)).sum::<u64>(), 2);
    assert_eq!(dropped.iter().map(|counts| counts.get(DropReason::NullValue)).sum::<u64>(), 1);
    assert_eq!(driver.output(&DROPPED).optional_values(), [Some(Some(1)), None]);
}

#[test]
fn records_that_met_none_are_looked_for_once_in_the_interval() {
    let settings = TaskSettings { emit_interval: Duration::from_secs(1), ..TaskSettings::default() };
    let mut driver = TestDriver::new(&outer()).settings(settings);
    send(&mut driver, &LEFT, "a", Some(1), 100);
    send(&mut driver, &LEFT, "b", Some(2), 200);
    assert_eq!(driver.output(&OUT).values(), Vec::<String>::new(), "the first record has looked already");
    driver.advance_clock(Duration::from_secs(1));
    assert_eq!(driver.output(&OUT).values(), Vec::<String>::new(), "only a record makes it look");
    send(&mut driver, &LEFT, "c", Some(3), 210);
    assert_eq!(driver.output(&OUT).values(), ["Some(1) None"]);
}

#[test]
fn a_record_that_fails_leaves_those_that_wait_as_they_were() {
    let b = StreamsBuilder::new();
    let (left, right) = (b.stream(&LEFT), b.stream(&RIGHT));
    let join = |_: &Option<String>, l: &i64, r: Option<&i64>| match r {
        Some(0) => Err("no zeros"),
        r => Ok(format!("{l} {r:?}")),
    };
    left.try_left_join_stream_with(&right, within(50), StreamJoined::default(), join).to(&OUT);
    let errors = ErrorSettings::all(ErrorHandler::skip());
    let mut driver = TestDriver::new(&b.build().unwrap()).errors(errors);
    send(&mut driver, &LEFT, "a", Some(1), 100);
    send(&mut driver, &RIGHT, "a", Some(0), 110);
    send(&mut driver, &RIGHT, "b", Some(2), 151);
    assert_eq!(driver.output(&OUT).values(), ["1 None"], "the match was taken back, and so the wait goes on");
}

#[test]
fn equal_keys_meet_in_several_partitions() {
    let mut driver = TestDriver::new(&outer()).partitions("left", 3).partitions("right", 3);
    for number in 0..30 {
        send(&mut driver, &LEFT, &format!("key-{number}"), Some(number), 100);
        send(&mut driver, &RIGHT, &format!("key-{number}"), Some(number), 120);
    }
    let expected: Vec<String> = (0..30).map(|number| format!("Some({number}) Some({number})")).collect();
    assert_eq!(driver.output(&OUT).values(), expected);
}

#[test]
fn windows_that_end_before_they_begin_are_refused() {
    let b = StreamsBuilder::new();
    let windows = within(10).later_by(Duration::from_millis(20));
    b.stream(&LEFT).join_stream(&b.stream(&RIGHT), windows, |l, r| format!("{l} {r}")).to(&OUT);
    let fault = b.build().unwrap_err().to_string();
    assert!(fault.contains("they end 10 ms after a record, and begin 20 ms after it"), "{fault}");
}

#[test]
fn streams_of_two_builders_are_not_joined() {
    let (b, other) = (StreamsBuilder::new(), StreamsBuilder::new());
    b.stream(&LEFT).outer_join_stream(&other.stream(&RIGHT), within(10), |l, r| format!("{l:?} {r:?}")).to(&OUT);
    let fault = b.build().unwrap_err().to_string();
    assert!(fault.contains("`outer_join_stream` was given a stream or table of another builder"), "{fault}");
}
