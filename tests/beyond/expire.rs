//! `expire_after`: which rows go and when, who is told, and what a restart makes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::processor::{ErrorHandler, ErrorSettings};
use tidemill::state::{Changelog, Emit, Store, VersionedStore};
use tidemill::stream::{Materialized, Naming, Optimization, StreamsBuilder, Table};
use tidemill::topology::{TaskSettings, Topology};
use tidemill_testkit::{Commit, TestDriver};

use crate::support::{IN, OUT, Sent, assert_copies_go_on, assert_restarts_do_not_show, ms};

const SUMS: Store<String, i64> = Store::of("sums");

/// Sums, forgotten after 160 ms without a change; a row goes 160 to 170 ms after its last one.
fn sums(describe: impl FnOnce(Table<'_, String, i64>)) -> Topology {
    let builder = StreamsBuilder::new().naming(Naming::Explicit);
    let sums = builder.stream(&IN).group_by_key().reduce_with(&SUMS, |sum, value| sum + value);
    describe(sums.expire_after(ms(160)).named("forget"));
    builder.build().unwrap()
}

fn to_out() -> Topology {
    sums(|sums| {
        sums.to_stream().map_values(|_| 0).to(&OUT);
    })
}

fn told() -> Topology {
    sums(|sums| {
        // A deletion is told of as -1.
        sums.to_stream().map_values(|sum: &Option<i64>| sum.unwrap_or(-1)).to(&OUT);
    })
}

fn send(driver: &mut TestDriver, records: &[Sent]) {
    for (time, key, value) in records {
        driver.input(&IN).at(*time).send(*key, *value);
    }
}

fn out(driver: &mut TestDriver) -> Vec<(String, i64)> {
    driver.output(&OUT).key_values()
}

fn rows(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
}

const RECORDS: [Sent; 9] = [
    (0, "a", 1),
    (5, "b", 2),
    (100, "a", 4),
    (165, "c", 8),
    (170, "c", 8),
    (269, "d", 16),
    (271, "a", 32),
    (340, "b", 64),
    (900, "d", 1),
];

#[test]
fn a_row_goes_when_nothing_has_changed_it_for_so_long() {
    let mut driver = TestDriver::new(&told());
    send(&mut driver, &RECORDS[..5]);
    assert_eq!(driver.store(&SUMS).get("b"), None, "5 lies on the grid of 10 ms before 10, so it goes at 170");
    send(&mut driver, &RECORDS[5..]);
    let expected = [
        ("a", 1),
        ("b", 2),
        ("a", 5),
        ("c", 8),
        ("c", 16),
        ("b", -1),
        ("d", 16),
        // Its own change comes first: it does not go, for it has changed.
        ("a", 37),
        ("b", 64),
        ("c", -1),
        ("d", 17),
        ("a", -1),
        ("b", -1),
    ];
    assert_eq!(out(&mut driver), rows(&expected));
    assert_eq!(driver.store(&SUMS).all(), rows(&[("d", 17)]));
}

#[test]
fn the_deletion_goes_to_the_changelog_and_has_the_time_of_then() {
    let mut driver = TestDriver::new(&told());
    send(&mut driver, &[(0, "a", 1), (500, "b", 2)]);
    let told = driver.output(&OUT).records();
    assert_eq!((told[2].value, told[2].timestamp.as_millis()), (Some(-1), 500));
    let logged = driver.take_raw("test-sums-changelog");
    let last = logged.last().unwrap();
    assert_eq!((last.key.as_deref(), last.value.as_deref(), last.timestamp.as_millis()), (Some(&b"a"[..]), None, 500));
    let deadlines = driver.take_raw("test-forget-deadlines-changelog");
    assert_eq!(deadlines.iter().map(|record| record.value.is_some()).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn a_row_that_changes_often_has_few_deadlines() {
    let mut driver = TestDriver::new(&to_out());
    for time in 0..160 {
        send(&mut driver, &[(time, "a", 1)]);
    }
    let deadlines = driver.take_raw("test-forget-deadlines-changelog");
    assert_eq!(deadlines.len(), 16);
}

#[test]
fn a_change_takes_out_sixteen_rows_at_most_and_the_next_one_others() {
    let mut driver = TestDriver::new(&told());
    let keys: Vec<String> = (0..40).map(|number| format!("k{number:02}")).collect();
    for key in &keys {
        driver.input(&IN).at(0).send(key.clone(), 1);
    }
    let mut left = Vec::new();
    for time in 1_000..1_004 {
        send(&mut driver, &[(time, "now", 1)]);
        left.push(driver.store(&SUMS).all().len() - 1);
    }
    assert_eq!(left, [24, 8, 0, 0]);
}

#[test]
fn a_change_of_long_ago_goes_at_once_and_one_out_of_order_does_not_keep_a_row() {
    let mut driver = TestDriver::new(&told());
    send(&mut driver, &[(1_000, "now", 1), (100, "old", 2)]);
    assert_eq!(out(&mut driver), rows(&[("now", 1), ("old", 2), ("old", -1)]));
}

#[test]
fn only_what_is_below_is_told_and_nobody_finds_the_row() {
    const JOINED: Topic<String, i64> = Topic::of("joined");
    const ASKS: Topic<String, i64> = Topic::of("asks");
    let builder = StreamsBuilder::new();
    let sums = builder.stream(&IN).group_by_key().reduce_with(&SUMS, |sum, value| sum + value);
    let kept = sums.expire_after(ms(160)).named("forget");
    sums.to_stream().map_values(|sum: &Option<i64>| sum.unwrap_or(-1)).to(&OUT);
    builder.stream(&ASKS).left_join(&kept, |_, sum| sum.copied().unwrap_or(-1)).to(&JOINED);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).at(0).send("a", 1);
    driver.input(&ASKS).at(1).send("a", 0);
    driver.input(&IN).at(500).send("b", 1);
    driver.input(&ASKS).at(501).send("a", 0);
    assert_eq!(driver.output(&JOINED).values(), [1, -1]);
    assert_eq!(out(&mut driver), rows(&[("a", 1), ("b", 1)]));
}

#[test]
fn those_below_know_what_the_row_was() {
    const PER_PARITY: Topic<i64, i64> = Topic::of("per-parity");
    let topology = sums(|sums| {
        let groups = sums.group_by(|_, sum| (sum % 2, *sum)).named("by-parity");
        groups
            .reduce_with(&Store::of("parity"), |sum, value| sum + value, |sum, value| sum - value)
            .to_stream()
            .to(&PER_PARITY);
    });
    let mut driver = TestDriver::new(&topology);
    send(&mut driver, &[(0, "a", 1), (1, "b", 3), (500, "c", 2)]);
    let last: BTreeMap<i64, i64> = driver.output(&PER_PARITY).key_values().into_iter().collect();
    assert_eq!(last, BTreeMap::from([(0, 2), (1, 0)]), "1 and 3 were taken out of the odd ones");
}

#[test]
fn a_cache_holds_deletions_back_too() {
    let builder = StreamsBuilder::new();
    let held = Materialized::store(&SUMS).emit(Emit::OnCommit);
    let sums = builder.stream(&IN).group_by_key().reduce_with(held, |sum, value| sum + value);
    sums.expire_after(ms(160)).to_stream().map_values(|sum: &Option<i64>| sum.unwrap_or(-1)).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).commits(Commit::OnDemand);
    send(&mut driver, &[(0, "a", 1), (1, "b", 2)]);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), rows(&[("a", 1), ("b", 2)]));
    send(&mut driver, &[(500, "b", 4)]);
    driver.commit().unwrap();
    driver.commit().unwrap();
    assert_eq!(driver.store(&SUMS).all(), rows(&[("b", 6)]));
    assert_eq!(out(&mut driver), rows(&[("b", 6), ("a", -1)]));
}

#[test]
fn time_that_moves_on_by_itself_takes_rows_out() {
    let settings =
        TaskSettings { changelog: Changelog::EveryUpdate, idle_advance: Some(ms(50)), ..TaskSettings::default() };
    let mut driver = TestDriver::new(&told()).settings(settings);
    send(&mut driver, &[(0, "a", 1)]);
    driver.advance_clock(ms(169));
    assert_eq!(out(&mut driver), rows(&[("a", 1)]));
    driver.advance_clock(ms(50));
    assert_eq!(out(&mut driver), rows(&[("a", -1)]));
}

#[test]
fn a_record_that_fails_below_took_nothing_out() {
    let builder = StreamsBuilder::new();
    let sums = builder.stream(&IN).group_by_key().reduce_with(&SUMS, |sum, value| sum + value);
    let kept = sums.expire_after(ms(160)).named("forget");
    kept.to_stream().try_map_values(|_, sum| if *sum == Some(99) { Err("99") } else { Ok(sum.unwrap_or(-1)) }).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).errors(ErrorSettings::all(ErrorHandler::skip()));
    send(&mut driver, &[(0, "a", 1), (500, "b", 99)]);
    assert_eq!(driver.store(&SUMS).all(), rows(&[("a", 1)]), "neither the time nor the row has moved");
    send(&mut driver, &[(500, "b", 2)]);
    assert_eq!(out(&mut driver), rows(&[("a", 1), ("b", 2), ("a", -1)]));
}

#[test]
fn tables_that_cannot_forget_say_so() {
    let fault = |describe: &dyn Fn(&StreamsBuilder), builder: StreamsBuilder| {
        describe(&builder);
        builder.build().unwrap_err().to_string()
    };
    let plain = StreamsBuilder::new;
    let filtered = |b: &StreamsBuilder| drop(b.table(&IN).filter(|_, _| true).expire_after(ms(160)).named("forget"));
    assert!(fault(&filtered, plain()).contains("node `forget` cannot work: the table has no store of the latest rows"));
    const VERSIONS: VersionedStore<String, i64> = VersionedStore::of("versions", Duration::from_secs(1));
    let versioned = |b: &StreamsBuilder| drop(b.table_with(&IN, &VERSIONS).expire_after(ms(160)).named("forget"));
    assert!(fault(&versioned, plain()).contains("the table has no store of the latest rows"));
    let at_once = |b: &StreamsBuilder| drop(b.table(&IN).expire_after(Duration::ZERO).named("forget"));
    assert!(fault(&at_once, plain()).contains("its rows would expire at once"));
    let of_topic = |b: &StreamsBuilder| drop(b.table_with(&IN, &SUMS).expire_after(ms(160)).named("forget"));
    let reused = plain().optimize(Optimization::ReuseSourceTopics);
    assert!(fault(&of_topic, reused).contains("the table is restored from its topic"));
}

#[test]
fn a_copy_goes_on_as_the_original() {
    assert_copies_go_on(&told(), &RECORDS);
}

#[tokio::test]
async fn a_restart_brings_no_row_back_and_forgets_no_deadline() {
    let expected = [
        ("a", 1),
        ("b", 2),
        ("a", 5),
        ("c", 8),
        ("c", 16),
        ("b", -1),
        ("d", 16),
        ("a", 37),
        ("b", 64),
        ("c", -1),
        ("d", 17),
        ("a", -1),
        ("b", -1),
    ];
    assert_restarts_do_not_show(&told(), &RECORDS, &expected).await;
}

proptest! {
    #[test]
    fn what_is_left_is_what_has_changed_lately(
        records in prop::collection::vec((0_i64..60, prop::sample::select(vec!["a", "b", "c", "d", "e"]), 1_i64..9), 1..60),
    ) {
        let mut driver = TestDriver::new(&told());
        let (mut model, mut now) = (BTreeMap::<&str, (i64, i64)>::new(), 0);
        for (pause, key, value) in records {
            now += pause;
            driver.input(&IN).at(now).send(key, value);
            let row = model.entry(key).or_insert((0, now));
            *row = (row.0 + value, now);
            // On the grid of 10 ms; of five keys sixteen are looked at, so nothing stays behind.
            model.retain(|_, (_, changed)| (*changed / 10 + 1) * 10 + 160 > now);
        }
        let left: Vec<(String, i64)> = model.iter().map(|(key, (sum, _))| ((*key).to_owned(), *sum)).collect();
        prop_assert_eq!(driver.store(&SUMS).all(), left);
    }
}
