//! `map_async`: when calls are made, in which order results come, and what becomes of calls that fail, hang, or are cut off by a
//! crash.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use tidemill::processor::{CallId, DropReason, ErrorHandler, ErrorSettings};
use tidemill::record::{Headers, Timestamp};
use tidemill::state::Changelog;
use tidemill::stream::{AsyncCalls, Naming, StreamsBuilder};
use tidemill::task::{Readiness, Task};
use tidemill::topology::Topology;
use tidemill::{App, Topic};
use tidemill_testkit::{Calls, Commit, TestDriver};
use tokio::sync::oneshot;

use crate::support::{IN, OUT, ms, read, send, soon, start};
use crate::tasks::{batch, queue, task};

type Reply = Result<i64, String>;

/// Somebody who is asked, and answers when the test says so.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Asked>>);

#[derive(Default)]
struct Asked {
    /// What was asked, in order.
    log: Vec<i64>,
    waiting: BTreeMap<i64, VecDeque<oneshot::Sender<Reply>>>,
}

impl Desk {
    fn ask(&self, value: i64) -> impl Future<Output = Reply> + Send + use<> {
        let (reply, replied) = oneshot::channel();
        let mut asked = self.0.lock().unwrap();
        asked.log.push(value);
        asked.waiting.entry(value).or_default().push_back(reply);
        async move { replied.await.unwrap_or_else(|_| Err("the desk is gone".into())) }
    }

    /// What was asked since this was asked the last time.
    fn asked(&self) -> Vec<i64> {
        std::mem::take(&mut self.0.lock().unwrap().log)
    }

    /// Answers the first question of a value that waits; gives whether somebody still listens.
    fn reply(&self, value: i64, reply: Reply) -> bool {
        let waiting = self.0.lock().unwrap().waiting.get_mut(&value).and_then(VecDeque::pop_front);
        waiting.is_some_and(|waiting| waiting.send(reply).is_ok())
    }
}

fn topology(calls: AsyncCalls) -> (Desk, Topology) {
    let (desk, builder) = (Desk::default(), StreamsBuilder::new().naming(Naming::Explicit));
    let asked = desk.clone();
    builder.stream(&IN).map_async(calls, move |_, value| asked.ask(*value)).named("ask").to(&OUT);
    (desk, builder.build().unwrap())
}

fn driver(calls: AsyncCalls) -> (Desk, TestDriver) {
    let (desk, topology) = topology(calls);
    (desk, TestDriver::new(&topology))
}

fn reply(desk: &Desk, driver: &mut TestDriver, values: &[i64]) {
    for value in values {
        assert!(desk.reply(*value, Ok(value * 10)), "{value} was asked");
        driver.poll_calls().unwrap();
    }
}

fn dropped(driver: &mut TestDriver) -> u64 {
    driver.dropped().iter().map(|dropped| dropped.get(DropReason::Processing)).sum()
}

#[test]
fn unordered_results_come_as_they_come() {
    let (desk, mut driver) = driver(AsyncCalls::unordered(10));
    driver.input(&IN).send("a", 1).send("a", 2).send("b", 3);
    assert_eq!(desk.asked(), [1, 2, 3]);
    reply(&desk, &mut driver, &[3, 2, 1]);
    assert_eq!(driver.output(&OUT).values(), [30, 20, 10]);
}

#[test]
fn in_order_a_key_has_one_call_at_a_time_and_keys_do_not_wait_for_each_other() {
    let (desk, mut driver) = driver(AsyncCalls::in_order(10));
    driver.input(&IN).send("a", 1).send("a", 2).send("b", 3).send("a", 4);
    assert_eq!(desk.asked(), [1, 3]);
    reply(&desk, &mut driver, &[3, 1]);
    assert_eq!(desk.asked(), [2]);
    reply(&desk, &mut driver, &[2, 4]);
    assert_eq!(driver.output(&OUT).values(), [30, 10, 20, 40]);
}

#[test]
fn only_so_many_calls_are_open_and_the_oldest_is_made_next() {
    let (desk, mut driver) = driver(AsyncCalls::unordered(2));
    driver.input(&IN).send_all([("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
    assert_eq!((desk.asked(), driver.open_calls()), (vec![1, 2], vec!["ask".to_owned(), "ask".to_owned()]));
    reply(&desk, &mut driver, &[2]);
    assert_eq!(desk.asked(), [3]);
    reply(&desk, &mut driver, &[1]);
    assert_eq!(desk.asked(), [4]);
}

#[test]
fn a_task_with_as_many_records_as_it_may_hold_takes_no_more() {
    let (desk, topology) = topology(AsyncCalls::in_order(1).held_max(2));
    let mut task = task(&topology, Changelog::EveryUpdate);
    let input = queue(&task, "in");
    task.enqueue(input, &batch(0, &[(1, "a", 1), (2, "b", 2), (3, "c", 3)])).unwrap();
    let stop = &mut |_: &mut tidemill::processor::TaskState| false;
    assert!(task.process_many(10, stop).unwrap());
    assert_eq!((task.buffered(input), task.readiness()), (1, Readiness::Full));
    assert!(task.process().unwrap().is_none() && !task.process_many(10, stop).unwrap());
    answer(&mut task, &desk, 1);
    assert_eq!(task.readiness(), Readiness::Ready);
    assert!(task.process().unwrap().is_some());
    assert_eq!(task.readiness(), Readiness::Empty);

    // The driver goes on with what it could not process before.
    let (desk, mut driver) = driver(AsyncCalls::in_order(1).held_max(2));
    driver.input(&IN).send_all([("a", 1), ("b", 2), ("c", 3)]);
    reply(&desk, &mut driver, &[1, 2, 3]);
    assert_eq!(driver.output(&OUT).values(), [10, 20, 30]);
}

/// Answers the call of a task that asks for a value.
fn answer(task: &mut Task, desk: &Desk, value: i64) {
    assert!(desk.reply(value, Ok(value * 10)));
    let calls = task.take_calls().made;
    for mut call in calls {
        if let Poll::Ready(answer) = call.work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            assert!(task.answer(call.id, answer).unwrap());
        }
    }
}

#[test]
fn results_have_keys_times_and_headers_of_their_records_and_nulls_are_asked_too() {
    const NULLABLE: Topic<Option<String>, Option<i64>> = Topic::of("in");
    const TOLD: Topic<Option<String>, i64> = Topic::of("told");
    let builder = StreamsBuilder::new();
    let call = |_: &Option<String>, value: &Option<i64>| std::future::ready(Ok::<_, String>(value.unwrap_or(-1)));
    builder.stream(&NULLABLE).map_async(AsyncCalls::in_order(2), call).to(&TOLD);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    let headers = Headers::NONE.with("n", vec![1]);
    driver.input(&NULLABLE).at(7).headers(headers.clone()).send(Some("a".to_owned()), 5);
    driver.input(&NULLABLE).at(6).send(None, None);
    let told = driver.output(&TOLD).records();
    let parts: Vec<_> =
        told.iter().map(|record| (record.key.clone().flatten(), record.value, record.timestamp.as_millis())).collect();
    assert_eq!(parts, [(Some("a".to_owned()), Some(5), 7), (None, Some(-1), 6)]);
    assert_eq!((&told[0].headers, &told[1].headers), (&headers, &Headers::NONE));
}

#[test]
fn a_call_that_fails_is_made_again_after_longer_and_longer_pauses() {
    let (desk, mut driver) = driver(AsyncCalls::in_order(5).retries(2, ms(100)));
    driver.input(&IN).send("a", 1).send("a", 2);
    for pause in [100, 200] {
        assert_eq!(desk.asked(), [1]);
        assert!(desk.reply(1, Err("busy".into())));
        driver.poll_calls().unwrap();
        driver.advance_clock(ms(pause - 1));
        assert!(desk.asked().is_empty(), "not before {pause} ms");
        driver.advance_clock(ms(1));
    }
    assert_eq!(desk.asked(), [1], "and 2 waits for it");
    reply(&desk, &mut driver, &[1, 2]);
    assert_eq!(driver.output(&OUT).values(), [10, 20]);
}

#[test]
fn a_call_that_takes_too_long_is_dropped_and_its_answer_not_heard() {
    let (desk, mut driver) = driver(AsyncCalls::unordered(5).time_limit(ms(50)).retries(1, ms(10)));
    driver.input(&IN).send("a", 1);
    driver.advance_clock(ms(49));
    assert_eq!(driver.open_calls().len(), 1);
    driver.advance_clock(ms(1));
    assert!(driver.open_calls().is_empty());
    assert!(!desk.reply(1, Ok(-7)), "nobody listens any more");
    driver.advance_clock(ms(10));
    reply(&desk, &mut driver, &[1]);
    assert_eq!(driver.output(&OUT).values(), [10]);

    driver.input(&IN).send("b", 2);
    driver.advance_clock(ms(50));
    driver.advance_clock(ms(10));
    let error = driver.try_advance_clock(ms(50)).unwrap_err().to_string();
    assert!(error.contains("node `ask`") && error.contains("the call took longer than 50ms"), "{error}");
    assert!(error.contains("record 1 of topic `in` partition 0"), "{error}");
}

#[test]
fn an_answer_that_comes_late_is_not_taken_for_that_of_the_next_attempt() {
    let (desk, topology) = topology(AsyncCalls::unordered(5).time_limit(ms(50)).retries(1, ms(10)));
    let mut task = task(&topology, Changelog::EveryUpdate);
    let input = queue(&task, "in");
    task.enqueue(input, &batch(0, &[(1, "a", 1)])).unwrap();
    task.process().unwrap();
    let first = task.take_calls().made.pop().unwrap();
    for now in [50, 60] {
        task.state().set_now(Timestamp::from_millis(now));
        assert!(task.punctuate_wall_clock().unwrap());
    }
    let changes = task.take_calls();
    assert_eq!((changes.ended.contains(&first.id), changes.made.len()), (true, 1));
    assert!(!task.answer(first.id, Ok(Box::new(-7_i64))).unwrap());
    assert!(desk.reply(1, Ok(-8)), "the first future is still there: its driver has not dropped it");
    assert!(task.answer(changes.made[0].id, Ok(Box::new(10_i64))).unwrap());
    assert_eq!(outputs(&mut task), [("out".to_owned(), 10)]);
}

/// What a task has written but to changelogs.
fn outputs(task: &mut Task) -> Vec<(String, i64)> {
    task.prepare_commit().unwrap();
    let mut written = Vec::new();
    for (to, records) in task.state().outputs().take_all() {
        let read = records.for_each(|_, record| {
            let value = record.value.and_then(|value| <[u8; 8]>::try_from(value).ok()).map(i64::from_be_bytes);
            written
                .extend(value.filter(|_| !to.topic.ends_with("-changelog")).map(|value| (to.topic.to_string(), value)));
            Ok::<_, ()>(())
        });
        read.unwrap();
    }
    written
}

#[test]
fn a_call_that_fails_for_good_is_a_record_that_fails() {
    let (desk, topology) = topology(AsyncCalls::in_order(5));
    let mut failing = TestDriver::new(&topology);
    failing.input(&IN).at(3).send("a", 1);
    assert!(desk.reply(1, Err("gone".into())));
    let error = failing.poll_calls().unwrap_err().to_string();
    assert!(error.contains("node `ask`") && error.contains("gone") && error.contains("record 0"), "{error}");

    let mut skipping = TestDriver::new(&topology).errors(ErrorSettings::all(ErrorHandler::skip()));
    skipping.input(&IN).send("a", 1).send("a", 2);
    assert!(desk.reply(1, Err("gone".into())));
    skipping.poll_calls().unwrap();
    reply(&desk, &mut skipping, &[2]);
    assert_eq!((skipping.output(&OUT).values(), dropped(&mut skipping)), (vec![20], 1));

    const DEAD: Topic<String, i64> = Topic::of("dead");
    let mut burying = TestDriver::new(&topology).errors(ErrorSettings::all(ErrorHandler::dead_letter("dead")));
    burying.input(&IN).at(3).send("a", 1);
    assert!(desk.reply(1, Err("gone".into())));
    burying.poll_calls().unwrap();
    let letters = burying.output(&DEAD).records();
    assert_eq!((letters[0].key.as_deref(), letters[0].value), (Some("a"), Some(1)), "the record that waited");
}

#[test]
fn a_result_that_fails_below_is_left_out_and_the_next_one_goes_on() {
    let (desk, builder) = (Desk::default(), StreamsBuilder::new());
    let asked = desk.clone();
    let told = builder.stream(&IN).map_async(AsyncCalls::in_order(5), move |_, value| asked.ask(*value));
    told.try_map_values(|_, told| if *told == 10 { Err("ten") } else { Ok(*told) }).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).errors(ErrorSettings::all(ErrorHandler::skip()));
    driver.input(&IN).send("a", 1).send("a", 2);
    reply(&desk, &mut driver, &[1, 2]);
    assert_eq!((driver.output(&OUT).values(), dropped(&mut driver)), (vec![20], 1));
    assert!(driver.open_calls().is_empty());
}

#[test]
fn a_record_that_is_taken_back_made_no_call() {
    let (desk, builder) = (Desk::default(), StreamsBuilder::new());
    let asked = desk.clone();
    // A record becomes two; the second one fails behind the call of the first.
    let two = builder.stream(&IN).flat_map_values(|value| [*value, -value]);
    two.map_async(AsyncCalls::unordered(5), move |_, value| asked.ask(*value)).to(&OUT);
    two.try_for_each(|_, value| if *value == -1 { Err("minus one") } else { Ok(()) });
    let mut driver = TestDriver::new(&builder.build().unwrap()).errors(ErrorSettings::all(ErrorHandler::skip()));
    driver.input(&IN).send("a", 1).send("a", 2);
    assert_eq!((driver.open_calls().len(), dropped(&mut driver)), (2, 1));
    reply(&desk, &mut driver, &[-2, 2]);
    assert_eq!(driver.output(&OUT).values(), [-20, 20]);
}

#[test]
fn calls_end_when_the_test_says_so() {
    let (desk, topology) = topology(AsyncCalls::unordered(5));
    let mut driver = TestDriver::new(&topology).calls(Calls::OnDemand);
    driver.input(&IN).send("a", 1).send("b", 2);
    assert!(desk.reply(1, Ok(10)) && !driver.end_call(1).unwrap() && !driver.end_call(7).unwrap());
    assert!(driver.output(&OUT).values().is_empty());
    assert!(driver.end_call(0).unwrap());
    assert_eq!(driver.output(&OUT).values(), [10]);
}

#[test]
fn calls_that_could_never_be_made_are_a_fault() {
    for (calls, fault) in
        [(AsyncCalls::in_order(0), "0 calls open"), (AsyncCalls::unordered(3).held_max(0), "hold 0 records")]
    {
        let builder = StreamsBuilder::new();
        let call = |_: &String, value: &i64| std::future::ready(Ok::<_, String>(*value));
        builder.stream(&IN).map_async(calls, call).named("ask").to(&OUT);
        let faults = builder.build().unwrap_err().to_string();
        assert!(faults.contains("node `ask` cannot work") && faults.contains(fault), "{faults}");
    }
}

#[test]
fn a_commit_carries_what_has_no_result() {
    let (desk, topology) = topology(AsyncCalls::in_order(5));
    let mut driver = TestDriver::new(&topology).changelog(Changelog::LastPerCommit).commits(Commit::OnDemand);
    driver.input(&IN).send("a", 1).send("b", 2);
    reply(&desk, &mut driver, &[2]);
    driver.commit().unwrap();
    let held = driver.take_raw("test-ask-calls-changelog");
    let rows: Vec<(&[u8], bool)> =
        held.iter().map(|record| (record.key.as_deref().unwrap(), record.value.is_some())).collect();
    assert_eq!(rows, [(&0_u64.to_be_bytes()[..], true), (&1_u64.to_be_bytes()[..], false)]);
    reply(&desk, &mut driver, &[1]);
    driver.commit().unwrap();
    let held = driver.take_raw("test-ask-calls-changelog");
    assert_eq!((held.len(), held[0].value.is_none()), (1, true));
}

/// The calls of a task that has begun, by what they ask: a copy makes them anew.
fn made(task: &mut Task, desk: &Desk) -> Vec<(i64, CallId)> {
    let ids = task.take_calls().made.into_iter().map(|call| call.id);
    desk.asked().into_iter().zip(ids).collect()
}

#[test]
fn a_copy_makes_the_open_calls_anew_and_goes_on_as_the_original() {
    let (desk, topology) = topology(AsyncCalls::in_order(2).retries(3, ms(100)).time_limit(ms(1_000)));
    let begun = || task(&topology, Changelog::EveryUpdate);
    let mut original = begun();
    let input = queue(&original, "in");
    original.enqueue(input, &batch(0, &[(1, "a", 1), (2, "a", 2), (3, "b", 3), (4, "c", 4)])).unwrap();
    while original.process().unwrap().is_some() {}
    let calls = made(&mut original, &desk);
    assert_eq!(calls.iter().map(|(value, _)| *value).collect::<Vec<_>>(), [1, 3]);
    // 3 fails and pauses, 1 stays open; 2 and 4 wait.
    assert!(original.answer(calls[1].1, Err("busy".into())).unwrap());
    let mut bytes = Vec::new();
    original.snapshot(&mut bytes).unwrap();
    let mut copy = begun();
    copy.restore(&bytes).unwrap();
    assert_eq!(copy.fingerprint().unwrap(), original.fingerprint().unwrap());
    assert_eq!(made(&mut copy, &desk), [(1, calls[0].1)], "the open one, under its number");
    for task in [&mut original, &mut copy] {
        assert!(task.answer(calls[0].1, Ok(Box::new(10_i64))).unwrap());
        assert_eq!(desk.asked(), [2]);
        task.state().set_now(Timestamp::from_millis(100));
        assert!(task.punctuate_wall_clock().unwrap());
        assert_eq!(desk.asked(), [3]);
    }
    assert_eq!(copy.fingerprint().unwrap(), original.fingerprint().unwrap());
    assert_eq!(outputs(&mut copy), outputs(&mut original));
}

#[tokio::test]
async fn after_a_crash_the_calls_without_a_result_are_made_again_and_results_come_once() {
    for calls in [AsyncCalls::in_order(3), AsyncCalls::unordered(3)] {
        let (desk, topology) = topology(calls);
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("data");
        let app = start(&folder, &topology, &soon()).await;
        send(&app, &[(1, "a", 1), (2, "b", 2), (3, "a", 3), (4, "c", 4)]).await;
        until(&app, &desk, 2, 1).await;
        drop(app);
        // The runtime drops futures when it comes to them.
        tokio::time::sleep(ms(20)).await;
        assert!(!desk.reply(1, Ok(-1)), "its future went with the application");
        desk.0.lock().unwrap().waiting.clear();
        let app = start(&folder, &topology, &soon()).await;
        for (value, count) in [(1, 2), (4, 3), (3, 4)] {
            until(&app, &desk, value, count).await;
        }
        let mut results = read(&app);
        results.sort();
        assert_eq!(results, [("a".into(), 10), ("a".into(), 30), ("b".into(), 20), ("c".into(), 40)]);
        app.close().await.unwrap();
        let app = start(&folder, &topology, &soon()).await;
        desk.asked();
        tokio::time::sleep(ms(30)).await;
        assert_eq!((desk.asked(), read(&app).len()), (vec![], 4), "nothing waits any more");
    }
}

/// Answers a question once it was asked, and waits until there are so many results.
async fn until(app: &App, desk: &Desk, value: i64, results: usize) {
    while !desk.reply(value, Ok(value * 10)) {
        tokio::time::sleep(ms(2)).await;
    }
    while read(app).len() < results {
        tokio::time::sleep(ms(2)).await;
    }
}

#[tokio::test]
async fn a_call_that_panics_stops_the_application_whatever_handlers_say() {
    let builder = StreamsBuilder::new();
    let call = |_: &String, value: &i64| {
        let value = *value;
        async move { if value == 1 { panic!("one") } else { Ok::<i64, String>(value) } }
    };
    builder.stream(&IN).map_async(AsyncCalls::in_order(3).retries(9, ms(1)), call).named("ask").to(&OUT);
    let mut settings = soon();
    settings.tasks.errors = ErrorSettings::all(ErrorHandler::skip());
    let app = App::builder("app", builder.build().unwrap()).memory().settings(settings).start().await.unwrap();
    app.send(&IN, "a", 1).await.unwrap();
    let mut states = app.states();
    let failed = states.wait_for(|state| matches!(state, tidemill::AppState::Failed(_))).await.unwrap().to_string();
    assert!(failed.contains("panicked: one") && failed.contains("node `ask`"), "{failed}");
}

proptest! {
    #[test]
    fn every_record_has_one_result_and_keys_keep_their_order(
        keys in prop::collection::vec(0..3_usize, 1..25),
        ends in prop::collection::vec(0..5_usize, 0..80),
        open_max in 1..5_usize,
        held_max in 1..8_usize,
        in_order: bool,
    ) {
        let calls = if in_order { AsyncCalls::in_order(open_max) } else { AsyncCalls::unordered(open_max) };
        let builder = StreamsBuilder::new();
        let call = |_: &String, value: &i64| std::future::ready(Ok::<_, String>(*value));
        builder.stream(&IN).map_async(calls.held_max(held_max), call).to(&OUT);
        let mut driver = TestDriver::new(&builder.build().unwrap()).calls(Calls::OnDemand);
        let (mut results, mut ends) = (Vec::new(), ends.into_iter());
        for (value, key) in keys.iter().enumerate() {
            driver.input(&IN).send(["a", "b", "c"][*key], value as i64);
            prop_assert!(driver.open_calls().len() <= open_max);
            if let Some(place) = ends.next() {
                driver.end_call(place).unwrap();
            }
        }
        while let Some(last) = driver.open_calls().len().checked_sub(1) {
            driver.end_call(ends.next().unwrap_or(0).min(last)).unwrap();
        }
        results.extend(driver.output(&OUT).key_values());
        let of = |key: &str| results.iter().filter(|(k, _)| k == key).map(|(_, value)| *value).collect::<Vec<_>>();
        for (place, key) in ["a", "b", "c"].into_iter().enumerate() {
            let sent = keys.iter().enumerate().filter(|(_, of)| **of == place).map(|(value, _)| value as i64);
            let mut told = of(key);
            if !in_order {
                told.sort_unstable();
            }
            prop_assert_eq!(told, sent.collect::<Vec<_>>());
        }
    }
}
