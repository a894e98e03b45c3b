//! When changes of windows and sessions come out that a cache holds back.

use std::ops::ControlFlow;
use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::{Record, Timestamp};
use tidemill::state::{Changelog, Direction, Emit, SessionStore, StoreSpec, WindowStore};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::{TaskSettings, Topology};
use tidemill::window::{EmitStrategy, Session, Tumbling};
use tidemill_testkit::{Commit, TestDriver};

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, Option<i64>> = Topic::of("out");
const WINDOWS: WindowStore<String, i64> = WindowStore::of("windows");
const SESSIONS: SessionStore<String, i64> = SessionStore::of("sessions");

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn cached(bytes: u64) -> TaskSettings {
    let (changelog, emit_interval) = (Changelog::EveryUpdate, Duration::ZERO);
    TaskSettings { changelog, cache_bytes: bytes, emit_interval, ..TaskSettings::default() }
}

/// What `out` has: `key@start-end`, value, time.
fn out(driver: &mut TestDriver) -> Vec<(String, Option<i64>, i64)> {
    let records = driver.output(&OUT).records();
    records.into_iter().map(|r| (r.key.unwrap(), r.value.flatten(), r.timestamp.as_millis())).collect()
}

fn row(key: &str, value: impl Into<Option<i64>>, time: i64) -> (String, Option<i64>, i64) {
    (key.into(), value.into(), time)
}

/// Sums in windows of 10 ms.
fn windows(emit: Emit, strategy: EmitStrategy) -> Topology {
    let builder = StreamsBuilder::new();
    let kept = Materialized::windows(&WINDOWS).emit(emit);
    let sums =
        builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(10)).with_grace(ms(5))).emit_strategy(strategy);
    sums.reduce_with(kept, |sum, v| sum + v).to_stream().map(|key, sum| (key.to_string(), *sum)).to(&OUT);
    builder.build().unwrap()
}

/// Sums in sessions with gaps of 10 ms.
fn sessions(emit: Emit) -> Topology {
    let builder = StreamsBuilder::new();
    let kept = Materialized::sessions(&SESSIONS).emit(emit);
    let sums = builder.stream(&IN).group_by_key().windowed_by(Session::gap(ms(10)).with_grace(ms(1_000)));
    sums.reduce_with(kept, |sum, v| sum + v).to_stream().map(|key, sum| (key.to_string(), *sum)).to(&OUT);
    builder.build().unwrap()
}

#[test]
fn the_last_update_of_each_window_comes_out_at_the_commit() {
    let mut driver = TestDriver::new(&windows(Emit::OnCommit, EmitStrategy::OnUpdate)).commits(Commit::OnDemand);
    driver.input(&IN).at(1).send("a", 1).send("b", 1).send("a", 2);
    driver.input(&IN).at(12).send("a", 5);
    assert_eq!(out(&mut driver), []);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [row("b@0-10", 1, 1), row("a@0-10", 3, 1), row("a@10-20", 5, 12)]);
}

#[test]
fn windows_that_come_out_when_they_are_closed_are_not_held_back_as_well() {
    for emit in [Emit::OnCommit, Emit::Cached] {
        let topology = windows(emit, EmitStrategy::OnWindowClose);
        let mut driver = TestDriver::new(&topology).settings(cached(1_000)).commits(Commit::OnDemand);
        driver.input(&IN).at(1).send("a", 1).send("a", 2);
        driver.input(&IN).at(15).send("a", 5);
        driver.commit().unwrap();
        assert_eq!(out(&mut driver), [row("a@0-10", 3, 1)], "{emit:?}");
    }
}

#[test]
fn a_session_that_was_merged_before_the_commit_was_never_there() {
    let mut driver = TestDriver::new(&sessions(Emit::OnCommit)).commits(Commit::OnDemand);
    driver.input(&IN).at(1).send("a", 1);
    driver.input(&IN).at(5).send("a", 1);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [row("a@1-5", 2, 5)]);
    driver.input(&IN).at(9).send("a", 1);
    driver.input(&IN).at(30).send("a", 1);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [row("a@1-5", None, 5), row("a@1-9", 3, 9), row("a@30-30", 1, 30)]);
}

#[test]
fn entries_of_windows_and_sessions_have_kafkas_sizes() {
    // 45, the segment's number, the key and its window, the topic `in`; the row, of a window with its time.
    let window = 45 + 8 + (1 + 8 + 4) + 2 + 16;
    let session = 45 + 8 + (1 + 8 + 8) + 2 + 8;
    let topologies = [(windows(Emit::Cached, EmitStrategy::OnUpdate), window), (sessions(Emit::Cached), session)];
    for (topology, entry) in topologies {
        for (bytes, expected) in [(2 * entry, 2), (2 * entry - 1, 3)] {
            let mut driver = TestDriver::new(&topology).settings(cached(bytes)).commits(Commit::OnDemand);
            for time in [1, 32, 32] {
                driver.input(&IN).at(time).send("a", 1);
            }
            driver.commit().unwrap();
            assert_eq!(out(&mut driver).len(), expected, "{bytes} bytes for entries of {entry}");
        }
    }
}

#[test]
fn a_window_can_be_read_as_long_as_the_cache_has_it() {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::window(&WINDOWS, ms(20), ms(10)).emit(Emit::Cached));
    builder.stream(&IN).process(|| FirstWindow, &[&WINDOWS]).to(&OUT);
    let topology = builder.build().unwrap();
    for (bytes, expected) in [(0, None), (10_000, Some(1))] {
        let mut driver = TestDriver::new(&topology).settings(cached(bytes));
        driver.input(&IN).at(0).send("a", 1);
        driver.input(&IN).at(200_000).send("a", 2);
        assert_eq!(out(&mut driver), [row("a", 1, 0), row("a", expected, 200_000)], "a cache of {bytes} bytes");
        let mut rows = 0;
        driver.store(&WINDOWS).with(|windows| {
            windows.all(Direction::Forward, |_, _| {
                rows += 1;
                ControlFlow::Continue(())
            })
        });
        assert_eq!(rows, 1 + usize::from(expected.is_some()), "a cache of {bytes} bytes");
    }
}

/// Puts each value into the window of its time, and forwards that of the window at 0.
struct FirstWindow;

impl Processor<String, i64, String, Option<i64>> for FirstWindow {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, Option<i64>>) -> Flow {
        let mut windows = ctx.store(&WINDOWS)?;
        windows.put(record.key, record.timestamp, *record.value, record.timestamp)?;
        let first = windows.get(record.key, Timestamp::ZERO)?.copied();
        ctx.forward(record.with_value(&first))
    }
}
