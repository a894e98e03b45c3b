//! A paused application finishes what it is at, commits it, and then moves nothing until it goes on; it can be asked all the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill::stream::StreamsBuilder;
use tidemill::{App, AppState, Settings, TaskDoing};

use crate::support::{IN, LIMIT, OUT, SUMS, never, out, shared_log, soon, start, sums, wait_until, watched};

/// Long enough for a worker that is not paused to process and commit what comes.
const A_WHILE: Duration = Duration::from_millis(100);

async fn paused(app: &App) {
    tokio::time::timeout(LIMIT, app.pause()).await.expect("the workers pause").unwrap();
}

#[tokio::test]
async fn nothing_moves_in_a_pause_and_all_of_it_afterwards() {
    let (log, seen) = (shared_log(), Arc::new(AtomicI64::new(0)));
    let app = start(watched(&seen), &log, soon()).await;
    app.send(&IN, "a", 1).await.unwrap();
    app.settled().await.unwrap();
    let mut states = app.states();
    paused(&app).await;
    assert!(matches!(*states.borrow_and_update(), AppState::Paused));
    for value in [10, 20] {
        app.send(&IN, "a", value).await.unwrap();
    }
    wait_until("the lag", || app.status().tasks[0].doing == TaskDoing::Paused { lag: 2 }).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!((seen.load(Ordering::SeqCst), app.backlog().unwrap(), out(&app)), (1, 2, vec![1]));
    let said = app.status().to_string();
    assert!(said.starts_with("application `app` is paused\n"), "{said}");
    assert!(said.contains("is paused until `App::resume`: 2 records are left"), "{said}");
    app.resume().await.unwrap();
    assert!(matches!(*states.borrow_and_update(), AppState::Running));
    tokio::time::timeout(LIMIT, app.settled()).await.expect("it goes on").unwrap();
    assert_eq!(out(&app), [1, 10, 20]);
    app.close().await.unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 31, "each record was processed once");
}

#[tokio::test]
async fn what_was_done_before_a_pause_is_committed_and_can_be_asked_for() {
    let app = start(sums(), &shared_log(), never()).await;
    for value in [1, 2] {
        app.send(&IN, "a", value).await.unwrap();
    }
    let processed = || app.metrics().tasks.values().map(|task| task.processed).sum::<u64>();
    wait_until("processing", || processed() == 2).await;
    assert!(out(&app).is_empty(), "nothing has asked for a commit");
    paused(&app).await;
    assert_eq!((out(&app), app.table(&SUMS).get("a").await.unwrap()), (vec![1, 3], Some(3)));
    paused(&app).await;
    assert!(app.is_paused());
    app.close().await.unwrap();
}

#[tokio::test]
async fn all_workers_pause_and_so_does_one_that_comes_later() {
    let (log, seen) = (shared_log(), Arc::new(AtomicI64::new(0)));
    let builder = App::builder("app", watched(&seen)).log(log).settings(soon()).topic(&IN, 4).topic(&OUT, 4);
    let app = builder.threads(2).start().await.unwrap();
    paused(&app).await;
    assert_eq!(app.add_worker().await.unwrap(), 3);
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        app.send(&IN, key, 1).await.unwrap();
    }
    tokio::time::sleep(A_WHILE).await;
    assert_eq!((seen.load(Ordering::SeqCst), app.backlog().unwrap()), (0, 8));
    assert!(matches!(app.state(), AppState::Paused));
    app.resume().await.unwrap();
    tokio::time::timeout(LIMIT, app.settled()).await.expect("it goes on").unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 8);
    app.close().await.unwrap();
}

#[tokio::test]
async fn an_application_can_start_paused_and_close_so() {
    let (log, seen) = (shared_log(), Arc::new(AtomicI64::new(0)));
    let settings = || Settings { start_paused: true, ..soon() };
    let app = start(watched(&seen), &log, settings()).await;
    assert!(matches!(app.state(), AppState::Paused));
    app.send(&IN, "a", 1).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    app.close().await.unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 0, "a close takes up nothing");
    let app = start(watched(&seen), &log, settings()).await;
    app.resume().await.unwrap();
    tokio::time::timeout(LIMIT, app.settled()).await.expect("it goes on").unwrap();
    assert_eq!(out(&app), [1]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_pause_begins_between_two_records_of_a_backlog() {
    let (builder, seen) = (StreamsBuilder::new(), Arc::new(AtomicI64::new(0)));
    let (counted, (_quiet, nothing)) = (seen.clone(), channel::<()>());
    let nothing = Mutex::new(nothing);
    let slow = move |_: &String, _: &i64| {
        counted.fetch_add(1, Ordering::SeqCst);
        nothing.lock().unwrap().recv_timeout(Duration::from_millis(2)).unwrap_err();
    };
    builder.stream(&IN).peek(slow).to(&OUT);
    let app = start(builder.build().unwrap(), &shared_log(), never()).await;
    let feed = app.feed("numbers");
    let mut batch = feed.batch();
    (0..900).for_each(|value| batch.add(&IN, "a", value).unwrap());
    batch.send(vec![1]).await.unwrap();
    wait_until("processing", || seen.load(Ordering::SeqCst) > 3).await;
    paused(&app).await;
    let processed = seen.load(Ordering::SeqCst);
    assert!(processed < 900, "the pause waited for the whole backlog");
    assert_eq!(out(&app).len() as i64, processed, "what was done is committed");
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(seen.load(Ordering::SeqCst), processed);
    app.close().await.unwrap();
}
