//! An application goes through its states in order, and a close is the last commit.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill::stream::StreamsBuilder;
use tidemill::{App, AppState, ErrorKind};

use crate::support::{IN, OUT, never, out, shared_log, soon, start, sums, wait_until, watched};

fn rank(state: &AppState) -> u32 {
    match state {
        AppState::Starting => 0,
        AppState::Running => 1,
        AppState::Rebalancing => panic!("one process has the log for itself"),
        AppState::Paused => panic!("nobody paused it"),
        AppState::Closing => 2,
        AppState::Closed => 3,
        AppState::Failed(_) => 4,
    }
}

#[tokio::test]
async fn a_listener_sees_the_states_in_order() {
    let builder = App::builder("app", sums()).memory().settings(soon());
    let mut states = builder.states();
    assert_eq!(rank(&states.borrow_and_update()), 0);
    let listener = tokio::spawn(async move {
        let mut seen = vec![0];
        while seen.last() != Some(&3) && states.changed().await.is_ok() {
            seen.push(rank(&states.borrow_and_update()));
        }
        seen
    });
    let app = builder.start().await.unwrap();
    assert_eq!(rank(&app.state()), 1);
    let ended = app.states();
    app.close().await.unwrap();
    assert_eq!(rank(&ended.borrow()), 3);
    let seen = listener.await.unwrap();
    assert!(seen.is_sorted_by(|a, b| a < b) && seen.contains(&3), "{seen:?}");
}

#[tokio::test]
async fn a_failed_start_is_a_state_too() {
    let builder = App::builder("app", sums()).settings(soon());
    let mut states = builder.states();
    let error = builder.start().await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("call `embedded(folder)`, `memory()`, `log(..)`"), "{error}");
    assert!(
        matches!(&*states.borrow_and_update(), AppState::Failed(failed) if failed.to_string() == error.to_string())
    );
}

#[tokio::test]
async fn a_close_commits_what_was_processed() {
    let (log, seen) = (shared_log(), Arc::new(AtomicI64::new(0)));
    let app = start(watched(&seen), &log, never()).await;
    let feed = app.feed("late");
    app.send(&IN, "a", 1).await.unwrap();
    app.send(&IN, "a", 2).await.unwrap();
    wait_until("processing", || seen.load(Ordering::SeqCst) == 3).await;
    assert!(out(&app).is_empty());
    app.close_within(Duration::from_secs(20)).await.unwrap();
    let late = feed.batch().send(vec![1]).await.unwrap_err();
    assert_eq!((late.kind(), late.to_string().as_str()), (ErrorKind::Closed, "application `app` is closed"));
    let app = start(watched(&seen), &log, never()).await;
    assert_eq!((out(&app), app.backlog().unwrap()), (vec![1, 2], 0));
    app.close().await.unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 3, "nothing was processed again");
}

#[tokio::test]
async fn a_close_that_takes_too_long_goes_on_by_itself() {
    let (builder, (release, held), (arrive, arrived)) = (StreamsBuilder::new(), channel::<()>(), channel::<()>());
    let held = Mutex::new(held);
    let hold = move |_: &String, _: &i64| {
        arrive.send(()).unwrap();
        // Ends when the test lets go of the other side.
        held.lock().unwrap().recv().unwrap_err();
    };
    builder.stream(&IN).peek(hold).to(&OUT);
    let log = shared_log();
    let app = start(builder.build().unwrap(), &log, soon()).await;
    app.send(&IN, "a", 1).await.unwrap();
    tokio::task::spawn_blocking(move || arrived.recv().unwrap()).await.unwrap();
    let mut states = app.states();
    let error = app.close_within(Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(matches!(&*states.borrow(), AppState::Closing));
    drop(release);
    let over = tokio::time::timeout(Duration::from_secs(30), states.wait_for(AppState::is_over)).await;
    assert!(matches!(&*over.unwrap().unwrap(), AppState::Closed));
}
