//! Tables that know what a row was, and what lies below them.

use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::DropReason;
use tidemill::record::{Headers, Timestamp};
use tidemill::state::{Changelog, Store, VersionedStore};
use tidemill::stream::{Joined, Materialized, StreamsBuilder};
use tidemill_testkit::TestDriver;

const IN: Topic<String, i64> = Topic::of("in");
const S: Topic<String, i64> = Topic::of("s");
const OUT: Topic<String, i64> = Topic::of("out");
const VERSIONS: VersionedStore<String, i64> = VersionedStore::of("versions", Duration::from_millis(100));
const MAPPED: VersionedStore<String, i64> = VersionedStore::of("mapped", Duration::from_millis(1_000));
const ROWS: Store<String, i64> = Store::of("rows");

fn driver(describe: impl FnOnce(&StreamsBuilder)) -> TestDriver {
    let builder = StreamsBuilder::new();
    describe(&builder);
    TestDriver::new(&builder.build().unwrap())
}

/// Value, and when it was valid.
type Seen = Option<(i64, i64, Option<i64>)>;

fn as_of(driver: &mut TestDriver, store: &VersionedStore<String, i64>, time: i64) -> Seen {
    let seen = driver.store(store).with(|store| {
        let version = store.get_as_of(&"a".into(), Timestamp::from_millis(time))?;
        Ok(version.map(|version| (*version.value, version.from.as_millis(), version.to.map(Timestamp::as_millis))))
    });
    seen[0]
}

fn dropped(driver: &mut TestDriver, reason: DropReason) -> u64 {
    driver.dropped().iter().map(|counts| counts.get(reason)).sum()
}

#[test]
fn a_change_that_comes_late_is_put_where_it_belongs_and_one_too_late_is_dropped() {
    let mut driver = driver(|b| {
        b.table_with(&IN, &VERSIONS).to_stream().to(&OUT);
    });
    for (time, value) in [(200, 1), (120, 2), (99, 3)] {
        driver.input(&IN).at(time).send("a", value);
    }
    // The retention is 100, so 99 is too old and 100 would not be.
    assert_eq!(driver.output(&OUT).values(), [1, 2]);
    assert_eq!(dropped(&mut driver, DropReason::Expired), 1);
    assert_eq!(as_of(&mut driver, &VERSIONS, 199), Some((2, 120, Some(200))));
    assert_eq!(as_of(&mut driver, &VERSIONS, 200), Some((1, 200, None)));
    assert_eq!(as_of(&mut driver, &VERSIONS, 119), None);
}

#[test]
fn what_is_computed_from_a_versioned_table_is_read_as_of_a_record_s_time() {
    let mut driver = driver(|b| {
        let table = b.table_with(&IN, &VERSIONS).map_values(|_, value| value * 10).filter(|_, value| *value < 50);
        b.stream(&S).left_join(&table, |_, row| row.copied().unwrap_or(-1)).to(&OUT);
    });
    for (time, value) in [(10, 1), (20, 7), (30, 3)] {
        driver.input(&IN).at(time).send("a", value);
    }
    for time in [9, 10, 25, 30] {
        driver.input(&S).at(time).send("a", 0);
    }
    assert_eq!(driver.output(&OUT).values(), [-1, 10, -1, 30]);
}

#[test]
fn a_store_of_versions_below_one_of_latest_rows_and_the_other_way_round() {
    // Below the latest rows every change is a latest one; the versions have their own order again.
    let mut driver = driver(|b| {
        let table = b.table_with(&IN, &ROWS).map_values_with(&MAPPED, |_, value| value * 10);
        table.to_stream().to(&OUT);
    });
    driver.input(&IN).at(20).send("a", 2);
    driver.input(&IN).at(10).send("a", 1);
    assert_eq!(driver.store(&ROWS).get("a"), Some(1));
    assert_eq!(as_of(&mut driver, &MAPPED, 15), Some((10, 10, Some(20))));
    assert_eq!(as_of(&mut driver, &MAPPED, 20), Some((20, 20, None)));
}

#[test]
fn aggregations_keep_versions_too() {
    let mut driver = driver(|b| {
        b.stream(&IN).group_by_key().reduce_with(&MAPPED, |sum, value| sum + value).to_stream().to(&OUT);
    });
    driver.input(&IN).at(10).send("a", 1);
    driver.input(&IN).at(30).send("a", 2);
    // The row's time is the greatest of its records.
    driver.input(&IN).at(20).send("a", 4);
    assert_eq!(driver.output(&OUT).values(), [1, 3, 7]);
    assert_eq!(as_of(&mut driver, &MAPPED, 29), Some((1, 10, Some(30))));
    assert_eq!(as_of(&mut driver, &MAPPED, 30), Some((7, 30, None)));
}

#[test]
fn a_kept_join_of_versioned_tables_counts_what_it_leaves_out() {
    let mut driver = driver(|b| {
        let right = b.table_with(&S, Materialized::versioned(&VersionedStore::of("right", Duration::from_secs(1))));
        let left = b.table_with(&IN, &VERSIONS);
        left.join_with(&right, &MAPPED, |left: &i64, right: &i64| left + right).to_stream().to(&OUT);
    });
    driver.input(&IN).at(20).send("a", 1);
    driver.input(&S).at(50).send("a", 10);
    driver.input(&IN).at(10).send("a", 5);
    driver.input(&S).at(40).send("a", 50);
    driver.input(&IN).at(60).send("a", 2);
    assert_eq!(driver.output(&OUT).values(), [11, 12]);
    assert_eq!(dropped(&mut driver, DropReason::OutOfOrder), 2);
    assert_eq!(as_of(&mut driver, &MAPPED, 55), Some((11, 50, Some(60))));
}

#[test]
fn the_changelog_has_a_version_once_per_commit() {
    let builder = StreamsBuilder::new();
    builder.table_with(&IN, &VERSIONS);
    let mut driver = TestDriver::new(&builder.build().unwrap())
        .changelog(Changelog::LastPerCommit)
        .commits(tidemill_testkit::Commit::OnDemand);
    for (time, value) in [(10, 1), (20, 2), (10, 3), (10, 4)] {
        driver.input(&IN).at(time).send("a", value);
    }
    driver.commit().unwrap();
    let changelog: Topic<String, i64> = Topic::of("test-versions-changelog");
    let written = driver.output(&changelog).records();
    let written: Vec<_> = written.iter().map(|record| (record.timestamp.as_millis(), record.value)).collect();
    assert_eq!(written, [(10, Some(4)), (20, Some(2))]);
}

fn waiting(b: &StreamsBuilder) {
    let table = b.table_with(&IN, &MAPPED);
    let patient = Joined::grace(Duration::from_millis(100));
    let joined = b.stream(&S).left_join_with(&table, patient, |value, row| value + row.unwrap_or(&0));
    joined.named("wait").to(&OUT);
}

#[test]
fn records_wait_in_the_order_of_their_times_then_keys_then_arrival() {
    let mut driver = driver(waiting);
    for (key, time, value) in [("b", 20, 1), ("a", 20, 2), ("b", 10, 3), ("a", 20, 4), ("aa", 20, 5)] {
        driver.input(&S).at(time).send(key, value);
    }
    assert_eq!(driver.output(&OUT).values(), Vec::<i64>::new());
    driver.input(&S).at(119).send("c", 0);
    assert_eq!(driver.output(&OUT).values(), [3]);
    driver.input(&S).at(120).send("c", 0);
    let records = driver.output(&OUT).records();
    let seen: Vec<_> =
        records.iter().map(|r| (r.key.clone().unwrap(), r.value.unwrap(), r.timestamp.as_millis())).collect();
    assert_eq!(seen, [("a".into(), 2, 20), ("a".into(), 4, 20), ("aa".into(), 5, 20), ("b".into(), 1, 20)]);
    // Too late to wait, and it lets nothing out.
    driver.input(&S).at(19).send("a", 9);
    assert_eq!(driver.output(&OUT).values(), [9]);
}

#[test]
fn a_record_that_waited_keeps_its_headers_and_fails_under_its_own_address() {
    let builder = StreamsBuilder::new();
    let table = builder.table_with(&IN, &MAPPED);
    let patient = Joined::grace(Duration::from_millis(100));
    let joined = builder.stream(&S).try_join_with(&table, patient, |_, value, row| {
        if *value < 0 { Err("no negative value") } else { Ok(value + row) }
    });
    joined.named("wait").to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).at(5).send("a", 100);
    let mut headers = Headers::default();
    headers.add("trace", Some("t-1".into()));
    driver.input(&S).at(10).headers(headers).send("a", 1);
    driver.input(&S).at(20).send("a", -1);
    driver.input(&S).at(110).send("b", 0);
    let records = driver.output(&OUT).records();
    assert_eq!((records.len(), records[0].value), (1, Some(101)));
    assert_eq!(records[0].headers.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["trace"]);
    let error = driver.input(&S).at(120).try_send("b", 0).unwrap_err().to_string();
    assert_eq!(error, "task 0_0: node `wait` failed on record 1 of topic `s` partition 0: no negative value");
}

#[test]
fn records_that_wait_are_in_the_changelog_until_they_come_out() {
    let mut driver = driver(waiting);
    driver.input(&S).at(10).send("a", 1);
    driver.input(&S).at(110).send("b", 2);
    let changelog = driver.take_raw("test-wait-Buffer-changelog");
    let keys: Vec<_> = changelog.iter().map(|record| record.key.clone().unwrap()).collect();
    let key = |time: i64, key: &str| [&[0][..], &time.to_be_bytes(), key.as_bytes(), &[0; 4]].concat();
    assert_eq!(keys, [key(10, "a"), key(110, "b"), key(10, "a")]);
    assert_eq!(changelog.iter().map(|record| record.value.is_some()).collect::<Vec<_>>(), [true, true, false]);
    // Time, offset, topic, partition, no headers, no older values, the value, and 8 bytes behind it.
    let value = [
        &10i64.to_be_bytes()[..],
        &[0; 8],
        &[0, 0, 0, 1, b's'],
        &[0; 4],
        &[0; 4],
        &[255; 8],
        &[0, 0, 0, 8],
        &1i64.to_be_bytes(),
        &[0; 8],
    ];
    assert_eq!(changelog[0].value.as_deref(), Some(&*value.concat()));
}
