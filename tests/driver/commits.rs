//! When the driver commits decides what a loop sees: a commit after every record hides the stale read.

use std::time::Duration;

use tidemill::record::Timestamp;
use tidemill_testkit::{Commit, TestDriver};

use super::bank::{self, ACCOUNTS, MOVEMENTS, Movement, OPERATIONS, SNAPSHOTS};

const MOVED: [(&str, i64); 3] = [("alice", 10), ("alice", 10), ("alice", -20)];

fn moved(commit: Commit) -> Vec<Movement> {
    let mut driver = TestDriver::new(&bank::join()).commits(commit);
    driver.input(&OPERATIONS).send_all(MOVED);
    driver.commit().unwrap();
    driver.output(&MOVEMENTS).values()
}

#[test]
fn a_commit_after_every_record_hides_the_stale_read() {
    let all = [10, 10, -20].map(Movement::accepted);
    assert_eq!(moved(Commit::EveryRecord), all);
    assert_eq!(moved(Commit::Every(1)), all);
}

#[test]
fn a_commit_on_demand_shows_the_stale_read() {
    let expected = [Movement::accepted(10), Movement::accepted(10), Movement::refused(-20)];
    for _ in 0..3 {
        assert_eq!(moved(Commit::OnDemand), expected, "every time");
    }
    assert_eq!(moved(Commit::Every(3)), expected);
}

#[test]
fn the_single_step_reads_no_stale_balance_whenever_the_driver_commits() {
    for commit in [Commit::EveryRecord, Commit::Every(2), Commit::OnDemand] {
        let mut driver = TestDriver::new(&bank::single_step()).commits(commit);
        driver.input(&OPERATIONS).send_all(MOVED);
        driver.commit().unwrap();
        assert_eq!(driver.output(&MOVEMENTS).values(), [10, 10, -20].map(Movement::accepted), "{commit:?}");
    }
}

#[test]
fn nothing_is_seen_before_the_commit_and_everything_after_it() {
    let mut driver = TestDriver::new(&bank::join()).commits(Commit::OnDemand);
    driver.input(&OPERATIONS).send("alice", 10);
    assert_eq!(driver.output(&MOVEMENTS).values(), []);
    assert_eq!(driver.store(&ACCOUNTS).get("alice"), None);
    // The movement is processed with the commit; what comes of that waits for the next one.
    driver.commit().unwrap();
    assert_eq!(driver.output(&MOVEMENTS).values(), [Movement::accepted(10)]);
    assert_eq!(driver.store(&ACCOUNTS).get("alice"), Some(10));
    assert_eq!(driver.output(&SNAPSHOTS).values(), [0_i64; 0]);
    driver.commit().unwrap();
    assert_eq!(driver.output(&SNAPSHOTS).values(), [10]);
}

#[test]
fn a_commit_comes_after_so_many_records_of_any_topic() {
    let mut driver = TestDriver::new(&bank::single_step()).commits(Commit::Every(2));
    let seen = [1, 2, 3, 4, 5].map(|amount| {
        driver.input(&OPERATIONS).send("alice", amount);
        driver.output(&MOVEMENTS).values().len()
    });
    assert_eq!(seen, [0, 2, 0, 2, 0]);
}

#[test]
fn records_have_the_clocks_time_unless_told_otherwise() {
    let mut driver = TestDriver::new(&bank::single_step());
    assert_eq!(driver.now(), Timestamp::ZERO);
    driver.advance_clock(Duration::from_secs(60));
    driver.input(&OPERATIONS).send("alice", 1);
    driver.input(&OPERATIONS).at(7).send("alice", 1).send("alice", 1);
    driver.advance_clock(Duration::from_millis(5));
    driver.input(&OPERATIONS).send("alice", 1);
    let times: Vec<i64> = driver.output(&MOVEMENTS).records().iter().map(|r| r.timestamp.as_millis()).collect();
    assert_eq!(times, [60_000, 7, 7, 60_005]);
    assert_eq!(driver.now(), Timestamp::from_millis(60_005));
}
