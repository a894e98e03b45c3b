//! Windows: what is late, where rows and results lie, what a failed record leaves behind.

use std::collections::BTreeSet;
use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{DropReason, ErrorHandler, ErrorSettings};
use tidemill::record::partition_of;
use tidemill::serde::SerdeRef;
use tidemill::state::{Changelog, SessionStore, WindowStore};
use tidemill::stream::{Buffer, Materialized, StreamsBuilder, Suppressed};
use tidemill::topology::TaskSettings;
use tidemill::window::{EmitStrategy, Session, Sliding, TimeWindowed, Tumbling, Window, Windowed};
use tidemill_testkit::TestDriver;

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const COUNTS: WindowStore<String, i64> = WindowStore::of("counts");
const SESSIONS: SessionStore<String, i64> = SessionStore::of("sessions");

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn windowed(name: &str) -> Topic<Windowed<String>, i64> {
    Topic::new(name, TimeWindowed::serde(SerdeRef::of(), ms(100)), SerdeRef::of())
}

fn driver(describe: impl FnOnce(&StreamsBuilder)) -> TestDriver {
    let builder = StreamsBuilder::new();
    describe(&builder);
    TestDriver::new(&builder.build().unwrap())
}

fn send(driver: &mut TestDriver, records: &[(&str, i64)]) {
    for (key, time) in records {
        driver.input(&IN).at(*time).send(*key, 1);
    }
}

/// What came out as `key@start-end`, with the value.
fn out(driver: &mut TestDriver) -> Vec<(String, Option<i64>)> {
    driver.output(&OUT).records().into_iter().map(|record| (record.key.unwrap(), record.value)).collect()
}

fn late(driver: &mut TestDriver) -> u64 {
    driver.dropped().iter().map(|dropped| dropped.get(DropReason::Late)).sum()
}

#[test]
fn all_windows_of_a_key_lie_in_the_partition_of_the_key() {
    let mut driver = driver(|b| {
        let counts = b.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100))).count();
        counts.to_stream().to(&windowed("out"));
    })
    .partitions("in", 3)
    .partitions("out", 5);
    let keys = ["apple", "pear", "plum", "fig", "grape"];
    for time in [10, 110, 210] {
        send(&mut driver, &keys.map(|key| (key, time)));
    }
    let records = driver.take_raw("out");
    assert_eq!(records.len(), 15);
    for record in &records {
        let key = record.key.as_deref().unwrap();
        assert_eq!(record.partition, partition_of(&key[..key.len() - 8], 5));
    }
    let partitions: BTreeSet<u32> = records.iter().map(|record| record.partition).collect();
    assert!(partitions.len() > 1, "the keys scatter: {partitions:?}");
}

#[test]
fn a_record_is_dropped_and_counted_for_every_window_that_is_closed() {
    let mut driver = driver(|b| {
        let windows = tidemill::window::Hopping::of(ms(100), ms(50)).with_grace(ms(20));
        b.stream(&IN).group_by_key().windowed_by(windows).count_with(&COUNTS);
    });
    // 170 closes what ends at 150 or before; 110 lies in 50-150 and 100-200.
    send(&mut driver, &[("a", 10), ("b", 170), ("a", 110), ("a", 40)]);
    assert_eq!(late(&mut driver), 2);
    assert_eq!((driver.store(&COUNTS).get("a", 100), driver.store(&COUNTS).get("a", 50)), (Some(1), None));
}

#[test]
fn sliding_windows_and_sessions_count_what_is_late_too() {
    let mut sliding = driver(|b| {
        b.stream(&IN).group_by_key().windowed_by(Sliding::of(ms(50))).count_with(&COUNTS);
    });
    // No window that 449 can lie in is open; of those of 460 and 450, the ones that end with them are closed.
    send(&mut sliding, &[("a", 500), ("b", 449)]);
    assert_eq!(late(&mut sliding), 1);
    send(&mut sliding, &[("b", 460), ("b", 450)]);
    assert_eq!(late(&mut sliding), 3);
    let rows = sliding.store(&COUNTS).all_with_times();
    assert_eq!(rows.iter().map(|(row, ..)| row.to_string()).collect::<Vec<_>>(), ["a@450-500"]);

    let mut sessions = driver(|b| {
        b.stream(&IN).group_by_key().windowed_by(Session::gap(ms(50))).count_with(&SESSIONS);
    });
    send(&mut sessions, &[("a", 500), ("b", 450), ("b", 449)]);
    assert_eq!(late(&mut sessions), 1, "the end of a session lies in it");
    assert_eq!(sessions.store(&SESSIONS).get("a", Window::of_millis(500, 500)), Some(1));
}

#[test]
fn a_record_that_fails_does_not_move_the_operators_time() {
    let mut driver = driver(|b| {
        let windowed = b.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100)));
        windowed.try_aggregate(&COUNTS, || 0, |n: i64, _, v| if *v < 0 { Err("negative") } else { Ok(n + v) });
    })
    .settings(TaskSettings {
        changelog: Changelog::EveryUpdate,
        errors: ErrorSettings::all(ErrorHandler::skip()),
        ..TaskSettings::default()
    });
    driver.input(&IN).at(10).send("a", 1);
    driver.input(&IN).at(900).send("a", -1);
    driver.input(&IN).at(20).send("a", 2);
    assert_eq!((late(&mut driver), driver.store(&COUNTS).get("a", 0)), (0, Some(3)));
    driver.input(&IN).at(900).send("a", 1);
    driver.input(&IN).at(20).send("a", 2);
    assert_eq!(late(&mut driver), 1);
}

#[test]
fn a_window_that_was_emitted_comes_out_once_only() {
    let mut driver = driver(|b| {
        let closing =
            b.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100))).emit_strategy(EmitStrategy::OnWindowClose);
        let kept = Materialized::windows(&COUNTS).retention(ms(10_000));
        closing.count_with(kept).to_stream().map(|row, n| (row.to_string(), *n)).to(&OUT);
    });
    send(&mut driver, &[("b", 10), ("a", 20), ("a", 110), ("a", 199), ("b", 230), ("b", 100), ("b", 399)]);
    let expected = [("a@0-100", 1), ("b@0-100", 1), ("a@100-200", 2), ("b@200-300", 1)];
    assert_eq!(out(&mut driver), expected.map(|(row, n)| (row.to_owned(), Some(n))));
    assert_eq!(late(&mut driver), 1);
}

#[test]
fn closed_windows_are_looked_for_once_in_the_interval() {
    let describe = |b: &StreamsBuilder| {
        let closing =
            b.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100))).emit_strategy(EmitStrategy::OnWindowClose);
        let kept = Materialized::windows(&COUNTS).retention(ms(10_000));
        closing.count_with(kept).to_stream().map(|row, n| (row.to_string(), *n)).to(&OUT);
    };
    let mut driver = driver(describe).settings(TaskSettings { emit_interval: ms(500), ..TaskSettings::default() });
    send(&mut driver, &[("a", 10), ("a", 110), ("a", 210)]);
    assert_eq!(out(&mut driver), [], "the first record was an attempt");
    driver.advance_clock(ms(500));
    send(&mut driver, &[("a", 220)]);
    assert_eq!(out(&mut driver), [("a@0-100".to_owned(), Some(1)), ("a@100-200".to_owned(), Some(1))]);
}

#[test]
fn a_windowed_table_tells_and_reads_old_rows_like_any_other() {
    let mut driver = driver(|b| {
        let counts = b.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100))).count_with(&COUNTS);
        let by_count = counts.group_by(|row, n| (format!("{} windows of {}", n, row.key), 1_i64));
        by_count.reduce(|sum, v| sum + v, |sum, v| sum - v).to_stream().to(&OUT);
    });
    send(&mut driver, &[("a", 10), ("a", 110), ("a", 120)]);
    let all = out(&mut driver);
    let last = |key: &str| all.iter().rfind(|(name, _)| name == key).and_then(|(_, n)| *n);
    assert_eq!((last("1 windows of a"), last("2 windows of a")), (Some(1), Some(1)));
}

#[test]
fn rows_of_a_buffer_leave_early_when_they_take_too_many_bytes() {
    // A row takes 8 for its time, 1 for the key, 8 for the value and 20 + `in` for where it comes from: 39.
    let mut driver = driver(|b| {
        let buffer = Buffer::bytes(2 * 39).emit_early();
        b.table(&IN).suppress(Suppressed::until_time_limit(ms(1_000), buffer)).to_stream().to(&OUT);
    });
    for (key, time) in [("a", 3), ("b", 1), ("c", 2)] {
        driver.input(&IN).at(time).send(key, time);
    }
    assert_eq!(out(&mut driver), [("b".into(), Some(1))], "the one that has waited longest");
}

#[test]
fn a_suppressed_table_is_read_as_those_below_know_it() {
    const LOOK: Topic<String, i64> = Topic::of("look");
    let mut driver = driver(|b| {
        let slow = b.table(&IN).suppress(Suppressed::until_time_limit(ms(100), Buffer::spilling(10)));
        let join = b.stream(&LOOK).left_join(&slow, |_, row: Option<&i64>| row.copied().unwrap_or(-1));
        join.to(&OUT);
    });
    let look = |driver: &mut TestDriver| {
        driver.input(&LOOK).at(0).send("a", 0);
        out(driver).pop().unwrap().1.unwrap()
    };
    driver.input(&IN).at(1).send("a", 5);
    assert_eq!(look(&mut driver), -1, "the first row waits");
    driver.input(&IN).at(101).send("b", 0);
    assert_eq!(look(&mut driver), 5);
    driver.input(&IN).at(102).send("a", 6);
    driver.input(&IN).at(103).send("a", 7);
    assert_eq!(look(&mut driver), 5, "what was before the first change that waits");
}
