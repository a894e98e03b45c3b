//! A table that is restored from its own topic: no changelog is made, and a start takes up exactly what was processed.

use tidemill::log::{Append, Log, Notes};
use tidemill::processor::{ErrorHandler, ErrorSettings, PartialEffects};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::state::{Changelog, Store};
use tidemill::stream::{Materialized, Optimization, StreamsBuilder};
use tidemill::topology::{TaskSettings, Topology};
use tidemill::{App, Settings, Topic};

use crate::restarts::start_on;
use crate::support::{IN, OUT, append, shared_log, soon, start};

const ROWS: Store<String, i64> = Store::of("rows");
/// The topic as it is: rows can be deleted.
const CHANGES: Topic<String, Option<i64>> = Topic::of("in");

/// A table of `IN`, and what is made of it.
fn table(materialized: Materialized<String, i64>) -> Topology {
    let builder = StreamsBuilder::new().optimize(Optimization::ReuseSourceTopics);
    builder.table_with(&IN, materialized).map_values(|_, value| value * 10).to_stream().to(&OUT);
    builder.build().unwrap()
}

fn topics(log: &dyn Log) -> Vec<String> {
    let mut names: Vec<String> = log.topics().unwrap().iter().map(|topic| topic.name.to_string()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn rows_come_back_from_the_source_topic_up_to_what_was_processed() {
    let log = shared_log();
    let app = start(table(Materialized::store(&ROWS)), &log, soon()).await;
    for (key, value) in [("a", Some(1)), ("b", Some(2)), ("a", Some(3)), ("c", Some(4)), ("b", None)] {
        app.send(&CHANGES, key, value).await.unwrap();
    }
    app.settled().await.unwrap();
    app.close().await.unwrap();
    assert_eq!(topics(&*log), ["in", "out"]);
    // Somebody writes to the topic while the application is down: that is processed, not restored.
    append(&*log, &IN, 7, 5);
    let app = start(table(Materialized::store(&ROWS).in_memory()), &log, soon()).await;
    assert_eq!(app.restored(), 5);
    app.settled().await.unwrap();
    assert_eq!(app.table(&ROWS).all().await.unwrap(), [("a".into(), 7), ("c".into(), 4)]);
    let tens: Vec<_> = app.subscribe(&OUT).unwrap().read().unwrap().into_iter().map(|record| record.value).collect();
    assert_eq!(tens, [Some(10), Some(20), Some(30), Some(40), None, Some(70)]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_is_an_offset_of_the_source_topic() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    // A commit that finds 10 changed rows or more flushes them.
    let (topology, settings) = (table(Materialized::store(&ROWS)), Settings { flush_rows: 10, ..soon() });
    let app = start_on(&folder, &topology, &settings).await;
    let send = async |app: &App, keys: std::ops::Range<i64>| {
        let feed = app.feed("keys");
        let mut batch = feed.batch();
        keys.clone().try_for_each(|key| batch.add(&IN, format!("key-{key}"), key)).unwrap();
        batch.send(keys.end.to_be_bytes().to_vec()).await.unwrap();
        app.settled().await.unwrap();
    };
    send(&app, 0..100).await;
    // The answer comes after the commit, and so after the flush.
    assert_eq!(app.table(&ROWS).get("key-7").await.unwrap(), Some(7));
    send(&app, 100..105).await;
    drop(app);
    let app = start_on(&folder, &topology, &settings).await;
    assert_eq!(app.restored(), 5);
    assert_eq!(app.table(&ROWS).all().await.unwrap().len(), 105);
    app.close().await.unwrap();
    // A close flushes: the next start has nothing to restore.
    let app = start_on(&folder, &topology, &settings).await;
    assert_eq!((app.restored(), app.table(&ROWS).get("key-104").await.unwrap()), (0, Some(104)));
    app.close().await.unwrap();
}

fn with_errors(errors: ErrorSettings) -> Settings {
    Settings { tasks: TaskSettings { errors, ..TaskSettings::default() }, ..soon() }
}

fn append_bytes(log: &dyn Log, key: Option<&[u8]>, value: &[u8]) {
    let mut records = BatchBuilder::default();
    records.push(Timestamp::ZERO, key, Some(value), &Headers::NONE);
    let append = Append { to: TopicPartition::new("in", 0), records: records.finish(Offset::ZERO) };
    log.append(vec![append], "", Notes::new()).unwrap();
}

#[tokio::test]
async fn what_made_no_row_makes_none_when_it_is_restored() {
    let log = shared_log();
    let errors = ErrorSettings { deserialization: ErrorHandler::skip(), ..ErrorSettings::default() };
    let settings = with_errors(errors);
    let app = start(table(Materialized::store(&ROWS)), &log, settings.clone()).await;
    append_bytes(&*log, Some(b"a"), b"five");
    append_bytes(&*log, None, &5i64.to_be_bytes());
    append_bytes(&*log, Some(b"b"), &7i64.to_be_bytes());
    app.settled().await.unwrap();
    app.close().await.unwrap();
    let app = start(table(Materialized::store(&ROWS)), &log, settings).await;
    assert_eq!((app.restored(), app.table(&ROWS).all().await.unwrap()), (3, vec![("b".into(), 7)]));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_handler_that_takes_changes_back_needs_a_changelog() {
    let errors = ErrorSettings { processing: ErrorHandler::skip(), ..ErrorSettings::default() };
    let settings = with_errors(errors.clone());
    let start_with = async |materialized, settings: &Settings| {
        App::builder("app", table(materialized)).log(shared_log()).settings(settings.clone()).start().await
    };
    let refused = start_with(Materialized::store(&ROWS), &settings).await.err().unwrap().to_string();
    assert!(refused.contains("store `rows` is restored from topic `in`"), "{refused}");
    let logged = Materialized::store(&ROWS).changelog(Changelog::EveryUpdate);
    start_with(logged, &settings).await.unwrap().close().await.unwrap();
    let keeps = ErrorSettings { partial_effects: PartialEffects::Keep, ..errors };
    start_with(Materialized::store(&ROWS), &with_errors(keeps)).await.unwrap().close().await.unwrap();
}
