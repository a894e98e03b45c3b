//! What the driver keeps for the test to read: everything, changelogs with their tombstones included, or what it was told.

use tidemill::Topic;
use tidemill::record::{Headers, Timestamp};
use tidemill::state::{Changelog, Store};
use tidemill::stream::StreamsBuilder;
use tidemill_testkit::{Capture, Commit, TestDriver};

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const SUMS: Store<String, i64> = Store::of("sums");
const CHANGELOG: Topic<String, i64> = Topic::of("test-sums-changelog");

/// Sums by key; a sum of 0 goes.
fn driver() -> TestDriver {
    let builder = StreamsBuilder::new();
    let sums =
        builder.stream(&IN).group_by_key().reduce_with(&SUMS, |sum, value| (sum + value != 0).then_some(sum + value));
    sums.to_stream().to(&OUT);
    TestDriver::new(&builder.build().unwrap())
}

fn send(driver: &mut TestDriver) {
    driver.input(&IN).at(5).send_all([("a", 3), ("b", 1), ("a", 4), ("b", -1)]);
}

fn rows(driver: &mut TestDriver) -> Vec<(String, Option<i64>)> {
    let records = driver.output(&CHANGELOG).records();
    records.into_iter().map(|record| (record.key.unwrap(), record.value)).collect()
}

#[test]
fn a_changelog_is_read_like_an_output_with_its_tombstones() {
    let mut driver = driver();
    send(&mut driver);
    let row = |key: &str, value| (key.to_owned(), value);
    assert_eq!(rows(&mut driver), [row("a", Some(3)), row("b", Some(1)), row("a", Some(7)), row("b", None)]);
    assert_eq!(rows(&mut driver), [], "it was taken");
    assert_eq!(driver.output(&OUT).optional_values(), [Some(3), Some(1), Some(7), None]);
    assert_eq!(driver.store(&SUMS).all(), [("a".to_owned(), 7)]);
    assert_eq!(driver.store(&SUMS).get_with_time("a"), Some((7, Timestamp::from_millis(5))));
}

#[test]
fn a_changelog_of_last_values_has_each_row_once_per_commit() {
    let mut driver = driver().changelog(Changelog::LastPerCommit).commits(Commit::OnDemand);
    send(&mut driver);
    assert_eq!(rows(&mut driver), []);
    driver.commit().unwrap();
    let row = |key: &str, value| (key.to_owned(), value);
    assert_eq!(rows(&mut driver), [row("a", Some(7)), row("b", None)]);
}

#[test]
fn a_changelog_that_is_off_is_not_written() {
    let mut driver = driver().changelog(Changelog::Off);
    send(&mut driver);
    assert_eq!(rows(&mut driver), []);
    assert_eq!(driver.output(&OUT).optional_values().len(), 4);
}

fn written(capture: Capture) -> Vec<String> {
    let mut driver = driver().capture(capture);
    send(&mut driver);
    driver.topics_written().iter().map(ToString::to_string).collect()
}

#[test]
fn the_driver_keeps_what_it_is_told_to_keep() {
    assert_eq!(written(Capture::All), ["in", "out", "test-sums-changelog"]);
    assert_eq!(written(Capture::Topics(vec!["out".into()])), ["out"]);
    assert_eq!(written(Capture::None), [""; 0]);
}

#[test]
fn what_is_not_kept_is_processed_all_the_same() {
    let mut driver = driver().capture(Capture::None);
    send(&mut driver);
    assert_eq!(driver.output(&OUT).records(), []);
    assert_eq!(driver.store(&SUMS).get("a"), Some(7));
}

#[test]
fn the_applications_id_goes_before_its_own_topics() {
    let mut driver = driver().application("shop");
    send(&mut driver);
    assert_eq!(driver.take_raw("shop-sums-changelog").len(), 4);
}

#[test]
fn headers_go_with_the_record() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).map_values(|value| value + 1).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    let headers = Headers::default().with("trace", "7");
    driver.input(&IN).headers(headers.clone()).send("a", 1);
    assert_eq!(driver.output(&OUT).records()[0].headers, headers);
}
