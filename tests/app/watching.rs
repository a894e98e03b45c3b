//! Whoever watches a store can keep a copy of it that is right after every commit.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::Poll;

use futures_core::Stream;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, ErrorKind, Settings, TableChange, TableChanges, Topic};

use crate::support::{IN, LIMIT, SUMS, append, never, shared_log, soon, start, sums};

const NAMES: Topic<String, Option<String>> = Topic::of("names");
const NAMED: Store<String, String> = Store::of("named");

fn names() -> Topology {
    let builder = StreamsBuilder::new();
    builder.table_with(&Topic::<String, String>::of("names"), &NAMED);
    builder.build().unwrap()
}

type Change = (String, Option<String>);

async fn next(changes: &mut TableChanges<String, String>) -> Change {
    let change = tokio::time::timeout(LIMIT, changes.next()).await.expect("a change comes").unwrap().unwrap();
    (change.key, change.value)
}

fn change(key: &str, value: Option<&str>) -> Change {
    (key.to_owned(), value.map(str::to_owned))
}

#[tokio::test]
async fn rows_come_first_and_then_what_commits_change() {
    let settings = Settings { partitions: 2, ..soon() };
    let app = App::builder("app", names()).memory().settings(settings).start().await.unwrap();
    let set = async |key: &str, name: Option<&str>| {
        let sent = app.send(&NAMES, key, name.map(str::to_owned)).await.unwrap();
        app.table(&NAMED).at_least(sent, LIMIT).get(key).await.unwrap()
    };
    set("b", Some("Ben")).await;
    set("a", Some("Ann")).await;
    let table = app.table(&NAMED);
    let mut all = table.watch().with_rows().await.unwrap();
    let mut later = table.watch().await.unwrap();
    let mut key = table.watch().key("b").with_rows().await.unwrap();
    let mut prefix = table.watch().prefix("aa").with_rows().await.unwrap();
    set("aa", Some("Ada")).await;
    set("b", None).await;
    for expected in [change("a", Some("Ann")), change("b", Some("Ben")), change("aa", Some("Ada")), change("b", None)] {
        assert_eq!(next(&mut all).await, expected);
    }
    for expected in [change("aa", Some("Ada")), change("b", None)] {
        assert_eq!(next(&mut later).await, expected);
    }
    for expected in [change("b", Some("Ben")), change("b", None)] {
        assert_eq!(next(&mut key).await, expected);
    }
    assert_eq!(next(&mut prefix).await, change("aa", Some("Ada")));
    set("aaa", Some("Aja")).await;
    assert_eq!(next(&mut prefix).await, change("aaa", Some("Aja")));
    app.close().await.unwrap();
    // The streams end behind the last change.
    assert_eq!(next(&mut all).await, change("aaa", Some("Aja")));
    assert!(all.next().await.is_none() && all.next().await.is_none() && prefix.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_follows_the_changes_misses_none() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { threads: 2, partitions: 4, flush_rows: 40, ..soon() };
    let app =
        App::builder("app", sums()).embedded(folder.path().join("data")).settings(settings).start().await.unwrap();
    let table = app.table(&SUMS);
    let (feed, mut followers) = (app.feed("numbers"), Vec::new());
    for round in 0..60_i64 {
        let mut batch = feed.batch();
        (0..100).for_each(|number| batch.add(&IN, format!("key-{}", number % 37), round + 1).unwrap());
        batch.send(vec![]).await.unwrap();
        if round % 10 == 0 {
            let changes = table.watch().with_rows().await.unwrap();
            followers.push(tokio::spawn(follow(changes)));
        }
    }
    app.settled().await.unwrap();
    let rows: BTreeMap<String, i64> = table.all().await.unwrap().into_iter().collect();
    app.close().await.unwrap();
    for follower in followers {
        assert_eq!(follower.await.unwrap(), rows);
    }
}

/// Keeps a copy until the application is closed. Sums of numbers above 0 rise with every change.
async fn follow(mut changes: TableChanges<String, i64>) -> BTreeMap<String, i64> {
    let mut copy = BTreeMap::new();
    while let Some(change) = next_of_stream(&mut changes).await {
        let TableChange { key, value, .. } = change.unwrap();
        let value = value.expect("no row goes");
        let before = copy.insert(key.clone(), value);
        assert!(before.is_none_or(|before| before < value), "{key}: {value} after {before:?}");
    }
    copy
}

async fn next_of_stream<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| -> Poll<Option<S::Item>> { Pin::new(&mut *stream).poll_next(context) }).await
}

#[tokio::test]
async fn a_watcher_that_does_not_read_is_told_that_it_lagged() {
    let app = App::builder("app", sums()).memory().settings(soon()).start().await.unwrap();
    let table = app.table(&SUMS);
    let mut slow = table.watch().buffer_bytes(1).await.unwrap();
    let mut roomy = table.watch().buffer_bytes(1 << 20).await.unwrap();
    let set = async || {
        let sent = app.send(&IN, "a", 1).await.unwrap();
        table.at_least(sent, LIMIT).get("a").await.unwrap()
    };
    set().await;
    set().await;
    for sum in 1..=2 {
        assert_eq!(roomy.next().await.unwrap().unwrap().value, Some(sum));
        // As much is kept as the most patient one asked for.
        assert_eq!(slow.next().await.unwrap().unwrap().value, Some(sum));
    }
    drop((slow, roomy));
    let mut slow = table.watch().buffer_bytes(1).await.unwrap();
    set().await;
    set().await;
    let lagged = slow.next().await.unwrap().unwrap_err();
    assert_eq!(lagged.kind(), ErrorKind::Lagged);
    assert!(lagged.to_string().contains("watch again, beginning with the rows"), "{lagged}");
    assert!(slow.next().await.is_none());
    let mut again = table.watch().with_rows().await.unwrap();
    assert_eq!(again.next().await.unwrap().unwrap().value, Some(4));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_watcher_gets_the_error_that_ends_the_application_and_nothing_uncommitted() {
    let builder = StreamsBuilder::new();
    let checked =
        builder.stream(&IN).try_map_values(|_, value| if *value == 3 { Err("no threes") } else { Ok(*value) });
    checked.group_by_key().count_with(&SUMS);
    let log = shared_log();
    let app = start(builder.build().unwrap(), &log, never()).await;
    let mut changes = app.table(&SUMS).watch().await.unwrap();
    let sent = app.send(&IN, "a", 1).await.unwrap();
    assert_eq!(app.table(&SUMS).at_least(sent, LIMIT).get("a").await.unwrap(), Some(1));
    append(&*log, &IN, 2, 0);
    append(&*log, &IN, 3, 0);
    let failed = app.ended().await.unwrap_err();
    assert_eq!(changes.next().await.unwrap().unwrap().value, Some(1));
    assert_eq!(changes.next().await.unwrap().unwrap_err().to_string(), failed.to_string());
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn a_watch_after_a_restart_begins_with_the_rows_of_the_last_commit() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || App::builder("app", sums()).embedded(folder.path().join("data")).settings(soon());
    let app = builder().start().await.unwrap();
    app.send(&IN, "a", 5).await.unwrap();
    app.settled().await.unwrap();
    app.close().await.unwrap();
    let app = builder().start().await.unwrap();
    let mut changes = app.table(&SUMS).watch().key("a").with_rows().await.unwrap();
    app.send(&IN, "a", 6).await.unwrap();
    for sum in [5, 11] {
        assert_eq!(changes.next().await.unwrap().unwrap().value, Some(sum));
    }
    app.close().await.unwrap();
}
