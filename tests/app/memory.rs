//! An application keeps within its memory, whatever its stores hold and however fast records come.

use std::time::Duration;

use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Settings, Topic};

use crate::support::{LIMIT, never, soon};

const ROWS: Topic<u64, String> = Topic::of("rows");
const COUNTS: Topic<u64, i64> = Topic::of("counts");
const LAST: Store<u64, String> = Store::of("last");
const COUNTED: Store<u64, i64> = Store::of("counted");

/// Keeps the last value of each key, and counts how often it came.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let rows = builder.stream(&ROWS).group_by_key();
    rows.reduce_with(&LAST, |_, now: &String| now.clone());
    rows.count_with(&COUNTED).to_stream().to(&COUNTS);
    builder.build().unwrap()
}

async fn send(app: &App, keys: u64, value: &str) {
    let feed = app.feed("rows");
    let mut underway = Vec::new();
    for from in (0..keys).step_by(1_000) {
        let mut batch = feed.batch();
        for key in from..(from + 1_000).min(keys) {
            batch.add(&ROWS, key, format!("{value} {key} {}", "x".repeat(200))).unwrap();
        }
        underway.push(batch.post(from.to_be_bytes().to_vec()).await.unwrap());
    }
    for posted in underway {
        posted.await.unwrap();
    }
}

#[tokio::test]
async fn stores_larger_than_memory_keep_their_rows_and_their_share() {
    const KEYS: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { memory_bytes: 4 << 20, flush_rows: 1_000_000, ..soon() };
    let start = || App::builder("app", topology()).settings(settings.clone()).embedded(folder.path()).start();
    let app = start().await.unwrap();
    send(&app, KEYS, "first").await;
    app.settled().await.unwrap();
    send(&app, KEYS, "second").await;
    app.settled().await.unwrap();
    let held = app.memory();
    assert!(held.rows_on_disk > 0 && held.rows_on_disk <= held.limit * 3 / 8, "{held:?} of {KEYS} rows");
    assert_eq!(
        (held.rows, held.sending),
        (held.rows_on_disk, 0),
        "no store is in memory only, and nothing is on its way"
    );
    for key in (0..KEYS).step_by(997) {
        assert!(app.table(&LAST).get(key).await.unwrap().unwrap().starts_with(&format!("second {key} ")));
        assert_eq!(app.table(&COUNTED).get(key).await.unwrap(), Some(2), "key {key}");
    }
    app.close().await.unwrap();
    // A start finds the rows below, and restores within the same memory when they are gone.
    for wiped in [false, true] {
        if wiped {
            std::fs::remove_dir_all(folder.path().join("state")).unwrap();
        }
        let app = start().await.unwrap();
        assert_eq!(app.restored() > 0, wiped);
        assert!(app.memory().rows_on_disk <= app.memory().limit * 3 / 8, "{:?}", app.memory());
        assert_eq!(app.table(&COUNTED).get(KEYS - 1).await.unwrap(), Some(2));
        app.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_epoch_that_grows_is_committed_before_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { memory_bytes: 1 << 20, ..never() };
    let app = App::builder("app", topology()).settings(settings).embedded(folder.path()).start().await.unwrap();
    let mut counts = app.subscribe(&COUNTS).unwrap();
    send(&app, 10_000, "row").await;
    for _ in 0..1_000 {
        let count = tokio::time::timeout(LIMIT, counts.next()).await.expect("a commit comes").unwrap().unwrap();
        assert_eq!(count.value, Some(1));
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn rows_in_memory_only_are_counted_and_stay() {
    let builder = StreamsBuilder::new();
    let kept = tidemill::stream::Materialized::store(&LAST).in_memory();
    builder.stream(&ROWS).group_by_key().reduce_with(kept, |_, now: &String| now.clone());
    let settings = Settings { memory_bytes: 1 << 20, ..soon() };
    let app = App::builder("app", builder.build().unwrap()).settings(settings).memory().start().await.unwrap();
    send(&app, 5_000, "row").await;
    app.settled().await.unwrap();
    // A worker says what it holds a moment after the commit.
    let counted = async {
        while app.memory().rows <= 5_000 * 200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LIMIT, counted).await.expect("the rows are counted");
    assert_eq!(app.memory().rows_on_disk, 0);
    assert!(app.table(&LAST).get(4_999u64).await.unwrap().is_some());
    app.close().await.unwrap();
}
