//! Workers that come and go while an application runs: tasks move between them, and nobody else notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidemill::{App, AppState, ErrorKind, Settings};

use crate::processes::{PARTITIONS, key_of, two};
use crate::support::{IN, LIMIT, OUT, SUMS, soon, sums, wait_until};

/// Everything that came out.
fn outputs(app: &App) -> Vec<(String, i64)> {
    let (mut reader, mut all) = (app.subscribe(&OUT).unwrap(), Vec::new());
    loop {
        let more = reader.read().unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more.into_iter().map(|record| (record.key, record.value.unwrap())));
    }
}

async fn workers_come_and_go(app: App) {
    let (app, stop) = (Arc::new(app), Arc::new(AtomicBool::new(false)));
    let (sending, stopped) = (app.clone(), stop.clone());
    let sender = tokio::spawn(async move {
        let mut sent = 0;
        while !stopped.load(Ordering::SeqCst) {
            for partition in 0..PARTITIONS {
                sending.send(&IN, key_of(partition), 1).await.unwrap();
            }
            sent += 1;
        }
        sent
    });
    let mut states = app.states();
    states.borrow_and_update();
    for round in 0..12_i64 {
        for workers in 2..=4 {
            assert_eq!(app.add_worker().await.unwrap(), workers);
            // Rows are published, and stay so where they go.
            let sums = app.table(&SUMS);
            for partition in 0..PARTITIONS {
                let ask = async || sums.get(key_of(partition)).await;
                let first = retried(ask).await;
                assert!(retried(ask).await >= first, "round {round}: a sum went back");
            }
        }
        for workers in (1..=3).rev() {
            assert_eq!(app.remove_worker().await.unwrap(), workers);
        }
        assert_eq!(app.workers(), 1);
    }
    assert!(!states.has_changed().unwrap(), "the group has not heard of it: {}", app.state());
    assert_eq!(app.remove_worker().await.unwrap_err().kind(), ErrorKind::Invalid);
    stop.store(true, Ordering::SeqCst);
    let sent = sender.await.unwrap();
    app.settled().await.unwrap();
    let outputs = outputs(&app);
    for partition in 0..PARTITIONS {
        let of = outputs.iter().filter(|(key, _)| *key == key_of(partition)).map(|(_, sum)| *sum);
        assert_eq!(of.collect::<Vec<_>>(), (1..=sent).collect::<Vec<i64>>(), "each once, in order");
        assert_eq!(app.table(&SUMS).get(key_of(partition)).await.unwrap(), Some(sent));
    }
    assert!(sent > 5, "something happened meanwhile: {sent}");
    Arc::into_inner(app).unwrap().close().await.unwrap();
}

/// A task on its way is nowhere for a moment.
async fn retried<T>(ask: impl AsyncFn() -> Result<Option<T>, tidemill::Error>) -> Option<T> {
    for _ in 0..1_000 {
        match ask().await {
            Err(error) if error.kind() == ErrorKind::Elsewhere => tokio::time::sleep(Duration::from_millis(1)).await,
            answer => return answer.unwrap(),
        }
    }
    panic!("the task was nowhere for too long");
}

#[tokio::test]
async fn on_a_log_of_one_process_workers_come_and_go() {
    let app = App::builder("app", sums()).memory().topic(&IN, PARTITIONS).topic(&OUT, PARTITIONS).settings(soon());
    workers_come_and_go(app.start().await.unwrap()).await;
}

#[tokio::test]
async fn on_a_log_that_processes_share_workers_come_and_go() {
    let [one, _] = two();
    one.script.assign(&[0, 1, 2, 3]);
    workers_come_and_go(one.builder(sums(), soon()).start().await.unwrap()).await;
}

#[tokio::test]
async fn what_is_revoked_in_the_middle_of_a_move_is_given_up_once() {
    let [one, two] = two();
    one.script.assign(&[0, 1, 2, 3]);
    let first = one.builder(sums(), soon()).start().await.unwrap();
    let mut sum = 0;
    for round in 0..12_u64 {
        let partitions: &[u32] = if round % 2 == 0 { &[0, 1, 2, 3] } else { &[1, 2] };
        let (released, moved) = (one.script.released.load(Ordering::SeqCst), round % 3 == 0);
        for partition in 0..PARTITIONS {
            first.send(&IN, key_of(partition), 1).await.unwrap();
        }
        sum += 1;
        let change = async { if moved { first.add_worker().await } else { first.remove_worker().await } };
        let revoke = async {
            one.script.revoke(partitions);
            wait_until("the answer", || one.script.released.load(Ordering::SeqCst) > released).await;
            one.script.assign(partitions);
        };
        let (changed, ()) = tokio::join!(change, revoke);
        assert!(changed.is_ok() || first.workers() == 1, "{changed:?}");
        wait_until("everything runs", || matches!(first.state(), AppState::Running)).await;
        first.settled().await.unwrap();
        for partition in 0..PARTITIONS {
            let found = retried(async || first.table(&SUMS).get(key_of(partition)).await).await;
            assert_eq!(found, Some(sum), "round {round}");
        }
    }
    let _ = two;
    first.close().await.unwrap();
}

#[tokio::test]
async fn a_task_with_open_calls_waits_for_them_before_it_moves() {
    use tidemill::stream::{AsyncCalls, StreamsBuilder};
    let builder = StreamsBuilder::new();
    let call = |_key: &String, value: &i64| {
        let value = *value;
        async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<i64, std::io::Error>(value + 1)
        }
    };
    let called = builder.stream(&IN).map_async(AsyncCalls::in_order(4), call);
    called.to(&OUT);
    let app = App::builder("app", builder.build().unwrap()).memory().topic(&IN, 2).topic(&OUT, 1);
    let app = app.settings(Settings { threads: 1, ..soon() }).start().await.unwrap();
    for value in 0..40 {
        app.send(&IN, format!("key-{value}"), value).await.unwrap();
    }
    assert_eq!(app.add_worker().await.unwrap(), 2);
    assert_eq!(app.remove_worker().await.unwrap(), 1);
    let mut came = Vec::new();
    let all: Vec<i64> = (1..=40).collect();
    for _ in 0..LIMIT.as_millis() / 10 {
        came = outputs(&app).into_iter().map(|(_, value)| value).collect();
        came.sort_unstable();
        if came.len() >= all.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(came, all, "every call is answered once");
    app.close().await.unwrap();
}
