//! After a close, a drop or a crash an application goes on where its last commit was.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tidemill::topology::Topology;
use tidemill::{App, Error, ErrorKind, Settings};

use crate::support::{IN, SUMS, never, out, shared_log, soon, start, sums, wait_until, watched};

#[tokio::test]
async fn dropped_without_a_close_it_does_again_what_was_not_committed() {
    let (log, seen) = (shared_log(), Arc::new(AtomicI64::new(0)));
    let app = start(watched(&seen), &log, never()).await;
    app.send(&IN, "a", 5).await.unwrap();
    wait_until("processing", || seen.load(Ordering::SeqCst) == 5).await;
    let states = app.states();
    drop(app);
    assert!(states.borrow().is_over());
    let app = start(watched(&seen), &log, soon()).await;
    app.settled().await.unwrap();
    assert_eq!((out(&app), seen.load(Ordering::SeqCst)), (vec![5], 10));
    app.close().await.unwrap();
}

/// Starts on a folder, once the application that was dropped has let go of it.
async fn start_in(folder: &Path, settings: &Settings) -> App {
    start_on(folder, &sums(), settings).await
}

/// Starts a topology on a folder, once the application that was dropped has let go of it.
pub(crate) async fn start_on(folder: &Path, topology: &Topology, settings: &Settings) -> App {
    loop {
        match App::builder("app", topology.clone()).embedded(folder).settings(settings.clone()).start().await {
            Err(error) if error.kind() == ErrorKind::Locked => tokio::task::yield_now().await,
            started => return started.unwrap(),
        }
    }
}

async fn send(app: &App, keys: std::ops::Range<u32>) -> Result<(), Error> {
    let feed = app.feed("keys");
    let mut batch = feed.batch();
    keys.clone().try_for_each(|key| batch.add(&IN, format!("key-{key}"), i64::from(key)))?;
    batch.send(keys.end.to_be_bytes().to_vec()).await?;
    app.settled().await
}

#[tokio::test]
async fn a_start_restores_only_what_lies_behind_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    // A commit that finds 10 changed rows or more flushes them.
    let settings = Settings { flush_rows: 10, ..soon() };
    let app = start_in(&folder, &settings).await;
    assert_eq!(app.restored(), 0);
    send(&app, 0..100).await.unwrap();
    // The answer comes after the commit, and so after the flush.
    assert_eq!(app.table(&SUMS).get("key-7").await.unwrap(), Some(7));
    send(&app, 100..105).await.unwrap();
    drop(app);
    let app = start_in(&folder, &settings).await;
    assert_eq!(app.restored(), 5);
    let rows = app.table(&SUMS).all().await.unwrap();
    assert_eq!((rows.len(), rows.iter().map(|(_, sum)| sum).sum::<i64>()), (105, (0..105).sum()));
    assert_eq!(app.feed("keys").position().unwrap(), Some(105u32.to_be_bytes().to_vec()));
    app.close().await.unwrap();
    // A close flushes: the next start has nothing to restore.
    let app = start_in(&folder, &settings).await;
    assert_eq!((app.restored(), app.backlog().unwrap()), (0, 0));
    assert_eq!(app.table(&SUMS).get("key-104").await.unwrap(), Some(104));
    app.close().await.unwrap();
}

#[tokio::test]
async fn stores_in_memory_are_restored_as_a_whole() {
    let log = shared_log();
    let app = start(sums(), &log, soon()).await;
    send(&app, 0..20).await.unwrap();
    app.close().await.unwrap();
    let app = start(sums(), &log, soon()).await;
    assert_eq!(app.restored(), 20);
    app.send(&IN, "key-3", 4).await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(app.table(&SUMS).get("key-3").await.unwrap(), Some(7));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_second_start_takes_over_and_the_first_is_fenced() {
    let log = shared_log();
    let first = start(sums(), &log, never()).await;
    first.send(&IN, "a", 1).await.unwrap();
    let second = start(sums(), &log, soon()).await;
    second.settled().await.unwrap();
    assert_eq!(out(&second), [1]);
    assert_eq!(first.close().await.unwrap_err().kind(), ErrorKind::Fenced);
    second.close().await.unwrap();
}
