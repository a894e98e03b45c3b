//! Record time that moves on because the inputs are quiet: when, how far, what comes out, and what is late then.

use std::sync::Arc;
use std::time::Duration;

use tidemill::processor::{Context, DropReason, ErrorHandler, ErrorSettings, Flow, Processor};
use tidemill::processor::{PunctuationType, SilentContext};
use tidemill::record::{Offset, Record, Timestamp};
use tidemill::state::Changelog;
use tidemill::stream::{Buffer, StreamsBuilder, Suppressed};
use tidemill::topology::{TaskSettings, Topology};
use tidemill::window::{EmitStrategy, JoinWindows, Session, Sliding, Tumbling};
use tidemill::{App, ManualClock, Topic};
use tidemill_testkit::TestDriver;

use crate::support::{IN, OUT, ms, read, soon, start};
use crate::tasks::{batch, queue, task_with};

const OTHER: Topic<String, i64> = Topic::of("other");

fn settings(idle: Option<u64>) -> TaskSettings {
    TaskSettings {
        changelog: Changelog::EveryUpdate,
        emit_interval: Duration::ZERO,
        idle_advance: idle.map(ms),
        ..TaskSettings::default()
    }
}

/// Counts of windows of 100 ms, each once.
fn suppressed() -> Topology {
    let builder = StreamsBuilder::new();
    let counts = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100))).count();
    let last = counts.suppress(Suppressed::until_window_closes(Buffer::unbounded()));
    last.to_stream().map(|row, n| (row.to_string(), n.unwrap_or(0))).to(&OUT);
    builder.build().unwrap()
}

fn out(driver: &mut TestDriver) -> Vec<(String, i64)> {
    driver.output(&OUT).key_values()
}

fn row(row: &str, n: i64) -> (String, i64) {
    (row.to_owned(), n)
}

#[test]
fn what_waits_comes_out_when_the_inputs_are_quiet() {
    let mut driver = TestDriver::new(&suppressed()).settings(settings(Some(50)));
    driver.input(&IN).at(1_010).send("a", 1).send("a", 1);
    driver.advance_clock(ms(49));
    assert_eq!(out(&mut driver), []);
    // 50 ms without a record: it is 1060 now. Then 1110.
    driver.advance_clock(ms(1));
    assert_eq!(out(&mut driver), []);
    driver.advance_clock(ms(49));
    assert_eq!(out(&mut driver), [], "only after so long again");
    driver.advance_clock(ms(1));
    assert_eq!(out(&mut driver), [row("a@1000-1100", 2)]);
}

#[test]
fn by_default_nothing_moves() {
    let mut driver = TestDriver::new(&suppressed()).settings(settings(None));
    driver.input(&IN).at(1_010).send("a", 1);
    driver.advance_clock(Duration::from_secs(86_400));
    assert_eq!(out(&mut driver), []);
}

#[test]
fn before_the_first_record_there_is_no_time_to_move() {
    let mut driver = TestDriver::new(&suppressed()).settings(settings(Some(50)));
    driver.advance_clock(ms(1_000));
    // A record of long ago is not late.
    driver.input(&IN).at(10).send("a", 1);
    driver.advance_clock(ms(90));
    assert_eq!(out(&mut driver), [row("a@0-100", 1)]);
}

#[test]
fn a_record_keeps_the_inputs_awake_whatever_its_time() {
    let mut driver = TestDriver::new(&suppressed()).settings(settings(Some(50)));
    driver.input(&IN).at(1_010).send("a", 1);
    driver.advance_clock(ms(40));
    driver.input(&IN).at(1_005).send("a", 1);
    driver.advance_clock(ms(40));
    driver.input(&IN).at(1_006).send("a", 1);
    driver.advance_clock(ms(89));
    // Quiet for 89 ms: 1010 + 89.
    assert_eq!(out(&mut driver), []);
    driver.input(&IN).at(1_099).send("a", 1);
    driver.advance_clock(ms(50));
    assert_eq!(out(&mut driver), [row("a@1000-1100", 4)]);
}

#[test]
fn what_comes_later_and_is_older_is_late_and_no_window_comes_out_twice() {
    let mut driver = TestDriver::new(&suppressed()).settings(settings(Some(50)));
    driver.input(&IN).at(1_010).send("a", 1);
    driver.advance_clock(ms(90));
    assert_eq!(out(&mut driver), [row("a@1000-1100", 1)]);
    driver.input(&IN).at(1_050).send("a", 1);
    driver.input(&IN).at(1_101).send("a", 1);
    driver.input(&IN).at(1_250).send("a", 1);
    assert_eq!(out(&mut driver), [row("a@1100-1200", 1)]);
    assert_eq!(driver.dropped().iter().map(|dropped| dropped.get(DropReason::Late)).sum::<u64>(), 1);
}

#[test]
fn windows_of_all_kinds_close_and_joins_give_up_waiting() {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream(&IN).group_by_key();
    let on_close = EmitStrategy::OnWindowClose;
    let tumbling = grouped.windowed_by(Tumbling::of(ms(100))).emit_strategy(on_close).count();
    tumbling.to_stream().map(|row, _| (format!("tumbling {row}"), 0)).to(&OUT);
    let sliding = grouped.windowed_by(Sliding::of(ms(100))).emit_strategy(on_close).count();
    sliding.to_stream().map(|row, _| (format!("sliding {row}"), 0)).to(&OUT);
    let sessions = grouped.windowed_by(Session::gap(ms(100))).emit_strategy(on_close).count();
    sessions.to_stream().map(|row, _| (format!("session {row}"), 0)).to(&OUT);
    let other = builder.stream(&OTHER);
    let told = |left: &i64, right: Option<&i64>| format!("joined {left} {right:?}");
    let joined = builder.stream(&IN).left_join_stream(&other, JoinWindows::of(ms(100)), told);
    joined.map(|_, told| (told.clone(), 0)).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).settings(settings(Some(1_000)));
    driver.input(&IN).at(1_010).send("a", 1);
    assert_eq!(out(&mut driver), []);
    driver.advance_clock(ms(1_000));
    let mut keys: Vec<String> = out(&mut driver).into_iter().map(|(key, _)| key).collect();
    keys.sort();
    assert_eq!(keys, ["joined 1 None", "session a@1010-1010", "sliding a@910-1010", "tumbling a@1000-1100"]);
}

/// Tells of the stream time once a hundred milliseconds.
struct Ticks;

impl Processor<String, i64, String, i64> for Ticks {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("tick", ms(100), PunctuationType::StreamTime)
    }

    fn process(&mut self, _: Record<'_, String, i64>, _: &mut Context<'_, String, i64>) -> Flow {
        Ok(())
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, String, i64>) -> Flow {
        assert!(ctx.address().is_none(), "there is no record");
        ctx.forward(Record::new(&timer.to_owned(), &time.as_millis(), time))
    }
}

#[test]
fn stream_time_timers_fire() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).process(|| Ticks, &[]).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).settings(settings(Some(50)));
    driver.input(&IN).at(1_010).send("a", 1);
    driver.advance_clock(ms(89));
    driver.advance_clock(ms(60));
    assert_eq!(driver.output(&OUT).values(), [1_010, 1_159]);
}

#[test]
fn each_task_has_quiet_inputs_of_its_own() {
    let mut driver = TestDriver::new(&suppressed()).settings(settings(Some(50))).partitions("in", 2);
    driver.input(&IN).at(1_010).send("a", 1).send("b", 1).send("c", 1).send("d", 1);
    driver.advance_clock(ms(45));
    driver.input(&IN).at(1_020).send("a", 1);
    driver.advance_clock(ms(46));
    // The partition of `a` had a record 46 ms ago, and the other one is 1010 + 91.
    let came: Vec<String> = out(&mut driver).into_iter().map(|(row, _)| row).collect();
    assert!(!came.is_empty() && !came.contains(&"a@1000-1100".to_owned()), "{came:?}");
}

#[test]
fn it_waits_for_records_that_are_known_to_be_there() {
    let mut task = task_with(&suppressed(), &settings(Some(50)));
    let input = queue(&task, "in");
    task.begin().unwrap();
    task.enqueue(input, &batch(0, &[(1_010, "a", 1)])).unwrap();
    assert_eq!(task.wall_clock_due(), None, "a record waits");
    task.process().unwrap();
    assert_eq!(task.wall_clock_due(), Some(Timestamp::from_millis(50)));
    task.learn_end(input, Offset::new(2));
    assert_eq!(task.wall_clock_due(), None, "it has not been fetched");
    task.state().set_now(Timestamp::from_millis(500));
    assert!(!task.punctuate_wall_clock().unwrap());
    assert_eq!(task.state().stream_time(), Some(Timestamp::from_millis(1_010)));
}

#[test]
fn an_advance_of_which_nothing_comes_asks_for_no_commit() {
    let mut task = task_with(&suppressed(), &settings(Some(10)));
    let input = queue(&task, "in");
    task.enqueue(input, &batch(0, &[(1_010, "a", 1)])).unwrap();
    task.process().unwrap();
    task.prepare_commit().unwrap();
    task.take_progress();
    let mut advanced = Vec::new();
    for now in [10, 20, 95, 200] {
        task.state().set_now(Timestamp::from_millis(now));
        task.punctuate_wall_clock().unwrap();
        advanced.push((task.state().stream_time().unwrap().as_millis(), task.has_progress()));
        task.take_progress();
    }
    assert_eq!(advanced, [(1_020, false), (1_030, false), (1_105, true), (1_210, false)]);
}

#[test]
fn a_copy_knows_since_when_it_is_quiet() {
    let topology = suppressed();
    let mut original = task_with(&topology, &settings(Some(50)));
    let input = queue(&original, "in");
    original.state().set_now(Timestamp::from_millis(7));
    original.enqueue(input, &batch(0, &[(1_010, "a", 1)])).unwrap();
    original.process().unwrap();
    let mut bytes = Vec::new();
    original.snapshot(&mut bytes).unwrap();
    let mut copy = task_with(&topology, &settings(Some(50)));
    copy.restore(&bytes).unwrap();
    assert_eq!(copy.wall_clock_due(), Some(Timestamp::from_millis(57)));
    for task in [&mut original, &mut copy] {
        task.state().set_now(Timestamp::from_millis(107));
        assert!(task.punctuate_wall_clock().unwrap());
    }
    assert_eq!(copy.fingerprint().unwrap(), original.fingerprint().unwrap());
}

#[test]
fn what_fails_below_is_left_out_and_the_others_come() {
    let builder = StreamsBuilder::new();
    let windowed = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100)));
    let counts = windowed.emit_strategy(EmitStrategy::OnWindowClose).count();
    let told = counts.to_stream().try_map(|row, n| match &*row.key {
        "bad" => Err("bad"),
        _ => Ok((row.to_string(), n.unwrap_or(0))),
    });
    told.to(&OUT);
    let topology = builder.build().unwrap();
    let mut failing = TestDriver::new(&topology).settings(settings(Some(50)));
    failing.input(&IN).at(10).send("bad", 1);
    let error = failing.try_advance_clock(ms(100)).unwrap_err().to_string();
    assert!(error.contains("bad") && !error.contains("record"), "{error}");

    let errors = ErrorSettings::all(ErrorHandler::skip());
    let mut skipping = TestDriver::new(&topology).settings(TaskSettings { errors, ..settings(Some(50)) });
    skipping.input(&IN).at(10).send("bad", 1);
    skipping.advance_clock(ms(100));
    assert_eq!(out(&mut skipping), []);
    skipping.input(&IN).at(210).send("good", 1);
    skipping.advance_clock(ms(100));
    assert_eq!(out(&mut skipping), [row("good@200-300", 1)]);
}

#[tokio::test]
async fn an_application_lets_results_out_on_its_clock_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    let mut settings = soon();
    settings.tasks.idle_advance = Some(ms(30));
    let app = start(&folder, &suppressed(), &settings).await;
    app.send_with(&IN, "a", 1, 1_010.into(), &tidemill::record::Headers::NONE).await.unwrap();
    app.settled().await.unwrap();
    drop(app);
    let app = start(&folder, &suppressed(), &settings).await;
    while read(&app).is_empty() {
        tokio::time::sleep(ms(5)).await;
    }
    assert_eq!(read(&app), [row("a@1000-1100", 1)]);
    app.close().await.unwrap();
    // What moved on is kept: the window does not open again.
    let app = start(&folder, &suppressed(), &settings).await;
    app.send_with(&IN, "a", 1, 1_020.into(), &tidemill::record::Headers::NONE).await.unwrap();
    app.settled().await.unwrap();
    tokio::time::sleep(ms(120)).await;
    assert_eq!(read(&app), [row("a@1000-1100", 1)]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn on_a_clock_that_stands_still_nothing_moves() {
    let clock = ManualClock::default();
    let mut settings = soon();
    settings.commit_interval = Duration::ZERO;
    settings.tasks.idle_advance = Some(ms(30));
    let log: Arc<dyn tidemill::log::Log> = Arc::new(tidemill::log::MemoryLog::default());
    let app = App::builder("app", suppressed()).log(log).settings(settings).clock(clock.clone()).start().await.unwrap();
    app.send_with(&IN, "a", 1, 1_010.into(), &tidemill::record::Headers::NONE).await.unwrap();
    app.settled().await.unwrap();
    tokio::time::sleep(ms(100)).await;
    assert_eq!(read(&app), []);
    clock.advance(ms(90));
    while read(&app).is_empty() {
        tokio::time::sleep(ms(5)).await;
    }
    app.close().await.unwrap();
}
