//! Rows folded over several partitions: from several streams, and from the rows of a table by another key.

use std::collections::BTreeMap;

use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill_testkit::TestDriver;

const WON: Topic<String, i64> = Topic::of("won");
const LOST: Topic<String, String> = Topic::of("lost");
const BALANCES: Store<String, i64> = Store::of("balances");
const CITIES: Topic<String, String> = Topic::of("cities");
const PEOPLE: Store<String, String> = Store::of("people");

const NAMES: [&str; 8] = ["ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"];
const PLACES: [&str; 5] = ["London", "Paris", "Rome", "Bern", "Oslo"];

/// What people won, by name, and what they lost, by place: the value says who.
fn balances() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let lost = builder.stream(&LOST).group_by(|_place, who| who.clone()).named("by-name");
    builder
        .stream(&WON)
        .group_by_key()
        .cogroup(|sum: i64, _, amount| sum + amount)
        .and(&lost, |sum, _, _| sum - 1)
        .aggregate(&BALANCES, || 100);
    builder
}

#[test]
fn streams_of_several_partitions_fold_into_one_row_per_key() {
    let mut driver = TestDriver::new(&balances().build().unwrap()).partitions("won", 3).partitions("lost", 2);
    for (number, name) in (0..).zip(NAMES) {
        driver.input(&WON).send(name, number);
        driver.input(&LOST).send(PLACES[number as usize % 5], name);
        driver.input(&LOST).send(PLACES[(number as usize + 1) % 5], name);
    }
    for (number, name) in (0..).zip(NAMES) {
        assert_eq!(driver.store(&BALANCES).get(name), Some(100 + number - 2), "{name}");
    }
}

#[test]
fn the_topic_of_a_cogrouped_stream_follows_the_others() {
    let topology = balances().build().unwrap();
    // As many partitions as the topic that it meets, not as the topic that it comes from.
    let mut driver = TestDriver::new(&topology).partitions("won", 3).partitions("lost", 7);
    for name in NAMES {
        driver.input(&LOST).send("Rome", name);
    }
    let partitions: Vec<u32> =
        driver.take_raw("test-by-name-repartition").iter().map(|record| record.partition).collect();
    assert!(partitions.iter().all(|partition| *partition < 3), "{partitions:?}");
    assert!(partitions.iter().any(|partition| *partition != partitions[0]), "{partitions:?}");
}

/// Who lives where: names in each place, in the order in which they came.
fn people() -> TestDriver {
    let builder = StreamsBuilder::new();
    builder
        .table(&CITIES)
        .group_by(|name, place| (place != "nowhere").then(|| (place.clone(), name.clone())))
        .named("by-place")
        .aggregate(
            &PEOPLE,
            String::new,
            |names, _, name| names + name + ";",
            |names, _, name| Some(names.replace(&format!("{name};"), "")).filter(|names| !names.is_empty()),
        );
    TestDriver::new(&builder.build().unwrap()).partitions("cities", 3)
}

#[test]
fn a_table_regrouped_over_three_partitions_has_each_row_in_one_group() {
    let mut driver = people();
    let mut model = BTreeMap::new();
    let mut seed = 7_u64;
    for _ in 0..300 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let name = NAMES[(seed >> 33) as usize % NAMES.len()];
        let mut input = driver.input(&CITIES);
        match (seed >> 40) as usize % 7 {
            5 => input.send(name, "nowhere"),
            6 => input.send_null(name),
            place => input.send(name, PLACES[place]),
        };
        model.insert(name, PLACES.get((seed >> 40) as usize % 7).copied());
    }
    for place in PLACES {
        let row = driver.store(&PEOPLE).get(place).unwrap_or_default();
        let mut names: Vec<&str> = row.split_terminator(';').collect();
        names.sort_unstable();
        let expected: Vec<&str> = model.iter().filter(|(_, at)| **at == Some(place)).map(|(name, _)| *name).collect();
        assert_eq!(names, expected, "{place}");
    }
}

#[test]
fn a_row_that_moves_leaves_its_old_group_first_and_one_that_stays_is_one_message() {
    let mut driver = people();
    let mut sent = |name: &str, place: &str| {
        driver.input(&CITIES).send(name, place);
        let records = driver.take_raw("test-by-place-repartition");
        let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| bytes.escape_ascii().to_string()).unwrap();
        records.into_iter().map(|record| format!("{}={}", text(record.key), text(record.value))).collect::<Vec<_>>()
    };
    assert_eq!(sent("ada", "London"), [r"London=ada\x01"]);
    assert_eq!(sent("ada", "London"), [r"London=\x06adaada\x02"]);
    // In different partitions, so the order between the two shows in the records' order of writing only.
    let mut moved = sent("ada", "Paris");
    moved.sort();
    assert_eq!(moved, [r"London=ada\x00", r"Paris=ada\x01"]);
    assert_eq!(sent("ada", "nowhere"), [r"Paris=ada\x00"]);
    assert_eq!(sent("ada", "nowhere"), Vec::<String>::new());
    assert_eq!(sent("ada", "Rome"), [r"Rome=ada\x01"]);
}

#[test]
fn regrouping_keeps_the_rows_of_a_table_that_nothing_else_reads() {
    let builder = StreamsBuilder::new();
    builder.table(&CITIES).group_by(|name, place| (place.clone(), name.clone())).count_with(Materialized::default());
    let stores = builder.build().unwrap();
    let stores: Vec<_> = stores.stores().iter().map(|store| store.name().to_string()).collect();
    assert_eq!(stores, ["cities-STATE-STORE-0000000000", "KTABLE-AGGREGATE-STATE-STORE-0000000004"]);
}
