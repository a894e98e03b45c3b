//! `deduplicate`: what is a duplicate, what is late, what is remembered and for how long.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::processor::{DropReason, ErrorHandler, ErrorSettings};
use tidemill::record::{Headers, partition_of};
use tidemill::state::WindowStore;
use tidemill::stream::{Deduplicated, Naming, StreamsBuilder};
use tidemill::topology::Topology;
use tidemill_testkit::TestDriver;

use crate::support::{IN, OUT, Sent, assert_copies_go_on, assert_restarts_do_not_show, ms};

const SEEN: WindowStore<Vec<u8>, Vec<u8>> = WindowStore::of("once-store");

fn topology(remembered: impl Into<Deduplicated>) -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).deduplicate(remembered).named("once").to(&OUT);
    builder.build().unwrap()
}

/// Records of a key repeat each other if their values have the same last digit.
fn by_digit(remembered: impl Into<Deduplicated>) -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).deduplicate_by(remembered, |_, value| value % 10).named("once").to(&OUT);
    builder.build().unwrap()
}

fn send(driver: &mut TestDriver, records: &[Sent]) {
    for (time, key, value) in records {
        driver.input(&IN).at(*time).send(*key, *value);
    }
}

fn dropped(driver: &mut TestDriver, reason: DropReason) -> u64 {
    driver.dropped().iter().map(|dropped| dropped.get(reason)).sum()
}

const OUT_OF_ORDER: [Sent; 8] = [
    (100, "a", 1),
    (50, "a", 2),
    (0, "a", 3),
    (149, "a", 4),
    (150, "a", 5),
    (260, "b", 6),
    (105, "a", 7),
    (90, "b", 8),
];

#[test]
fn a_record_repeats_those_that_went_through_before_and_after_it() {
    let mut driver = TestDriver::new(&topology(Deduplicated::within(ms(50)).grace(ms(160))));
    send(&mut driver, &OUT_OF_ORDER);
    // 50 and 150 are 50 away from what went through. 105 repeats 100, and 90 of `b` is too late to tell.
    assert_eq!(driver.output(&OUT).values(), [1, 2, 3, 5, 6]);
    assert_eq!((dropped(&mut driver, DropReason::Duplicate), dropped(&mut driver, DropReason::Late)), (2, 1));
}

#[test]
fn a_duplicate_does_not_make_the_time_longer() {
    let mut driver = TestDriver::new(&topology(ms(100)));
    send(&mut driver, &[(0, "a", 1), (60, "a", 2), (99, "a", 3), (100, "a", 4), (160, "a", 5)]);
    assert_eq!(driver.output(&OUT).values(), [1, 4]);
}

#[test]
fn ids_are_compared_among_the_records_of_a_key() {
    let mut driver = TestDriver::new(&by_digit(ms(100)));
    // Key and id together must not be taken for another key with another id: the length of the key stands before both.
    send(&mut driver, &[(0, "a", 1), (0, "b", 1), (1, "a", 11), (2, "a", 2), (3, "", 1), (4, "a\0", 1)]);
    assert_eq!(driver.output(&OUT).values(), [1, 1, 2, 1, 1]);
}

#[test]
fn what_has_no_key_or_no_id_goes_through_and_is_not_remembered() {
    const NULLABLE: Topic<Option<String>, Option<i64>> = Topic::of("in");
    const THROUGH: Topic<Option<String>, Option<i64>> = Topic::of("out");
    let builder = StreamsBuilder::new();
    let stream = builder.stream(&NULLABLE);
    stream.deduplicate(ms(100)).named("once").to(&THROUGH);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    for key in [None, None, Some("a".to_owned()), Some("a".to_owned())] {
        driver.input(&NULLABLE).at(0).send(key, None);
    }
    assert_eq!(driver.output(&THROUGH).records().len(), 3);
    assert_eq!(driver.store(&SEEN).all_with_times().len(), 1);

    let builder = StreamsBuilder::new();
    builder.stream(&NULLABLE).deduplicate_by(ms(100), |_, value| *value).to(&THROUGH);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    for value in [None, None, Some(1), Some(1)] {
        driver.input(&NULLABLE).at(0).send(None, value);
    }
    // An id without a key is compared with others that have none.
    assert_eq!(driver.output(&THROUGH).records().len(), 3);
}

#[test]
fn what_is_over_leaves_the_store() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let mut driver = TestDriver::new(&topology(Deduplicated::within(minutes(1)).grace(minutes(1))));
    for minute in 0..20 {
        send(&mut driver, &[(minute * 60_000, "a", minute)]);
    }
    assert_eq!(driver.output(&OUT).values().len(), 20);
    assert!(driver.store(&SEEN).all_with_times().len() <= 3, "{:?}", driver.store(&SEEN).all_with_times());
    // As far behind as the grace: 18 went through, and 19 was less than a minute away.
    send(&mut driver, &[(18 * 60_000 + 1, "a", 99), (18 * 60_000 - 1, "a", 98)]);
    assert_eq!((dropped(&mut driver, DropReason::Duplicate), dropped(&mut driver, DropReason::Late)), (1, 1));
}

#[test]
fn a_changed_key_goes_through_a_topic_named_after_the_verb() {
    let builder = StreamsBuilder::new().naming(Naming::Explicit);
    let by_value = builder.stream(&IN).select_key(|_, value| value.to_string());
    by_value.deduplicate(ms(100)).named("once").to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).partitions("in", 3).partitions("out", 3);
    let keys = ["fig", "plum", "pear", "apple", "melon"];
    for (place, key) in keys.iter().enumerate() {
        driver.input(&IN).at(0).send(*key, place as i64 % 2);
    }
    let mut through = driver.output(&OUT).values();
    through.sort_unstable();
    assert_eq!(through, [0, 1], "equal values met, whichever partition they came from");
    let partitions: Vec<u32> = keys.iter().map(|key| partition_of(key.as_bytes(), 3)).collect();
    assert!(partitions.iter().any(|partition| *partition != partitions[0]), "they came from several: {partitions:?}");
    let sent = driver.take_raw("test-once-repartition");
    assert_eq!(sent.len(), keys.len());
}

#[test]
fn a_record_that_fails_below_was_not_there() {
    let builder = StreamsBuilder::new();
    let once = builder.stream(&IN).deduplicate(ms(100)).named("once");
    once.try_map_values(|_, value| if *value < 0 { Err("negative") } else { Ok(*value) }).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).errors(ErrorSettings::all(ErrorHandler::skip()));
    send(&mut driver, &[(10, "a", -1), (10, "a", 1), (500, "a", -1), (5, "b", 2)]);
    assert_eq!(driver.output(&OUT).values(), [1, 2], "neither remembered nor a step in time");
}

#[test]
fn nothing_to_remember_is_a_fault() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).deduplicate(Duration::ZERO).named("once").to(&OUT);
    assert_eq!(
        builder.build().unwrap_err().to_string(),
        "the topology is wrong: node `once` cannot work: it is to remember records for less than a millisecond: give it a longer \
         time"
    );
}

#[test]
fn headers_and_times_are_those_of_the_first() {
    let mut driver = TestDriver::new(&topology(ms(100)));
    driver.input(&IN).at(7).headers(Headers::NONE.with("n", vec![1])).send("a", 1);
    driver.input(&IN).at(8).headers(Headers::NONE.with("n", vec![2])).send("a", 2);
    let records = driver.output(&OUT).records();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].timestamp.as_millis(), &records[0].headers), (7, &Headers::NONE.with("n", vec![1])));
}

#[test]
fn a_copy_goes_on_as_the_original() {
    assert_copies_go_on(&topology(Deduplicated::within(ms(50)).grace(ms(160))), &OUT_OF_ORDER);
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let records = &OUT_OF_ORDER[2..];
    let expected = [("a", 3), ("a", 4), ("b", 6), ("a", 7)];
    assert_restarts_do_not_show(&topology(Deduplicated::within(ms(42)).grace(ms(160))), records, &expected).await;
}

proptest! {
    #[test]
    fn what_goes_through_is_what_a_list_says(
        records in prop::collection::vec((0_i64..300, prop::sample::select(vec!["a", "b"]), 0_i64..30), 0..60),
        (within, grace) in (1_u64..80, 0_u64..120),
    ) {
        let mut driver = TestDriver::new(&by_digit(Deduplicated::within(ms(within)).grace(ms(grace))));
        let (mut seen, mut observed, mut expected) = (BTreeMap::<_, Vec<i64>>::new(), 0, Vec::new());
        for (time, key, value) in &records {
            driver.input(&IN).at(*time).send(*key, *value);
            observed = observed.max(*time);
            let before = seen.entry((*key, value % 10)).or_default();
            let near = |other: &i64| (time - other).unsigned_abs() < within;
            if *time >= observed - i64::try_from(grace).unwrap() && !before.iter().any(near) {
                before.push(*time);
                expected.push((String::from(*key), *value));
            }
        }
        prop_assert_eq!(driver.output(&OUT).key_values(), expected);
    }
}
