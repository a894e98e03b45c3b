//! What is sent can be asked for.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use tidemill::record::{Headers, Timestamp};
use tidemill::state::{Direction, Store};
use tidemill::stream::StreamsBuilder;
use tidemill::{App, ErrorKind, Settings, SnapshotRows, Topic};

use crate::support::{IN, LIMIT, OUT, SUMS, never, out, shared_log, soon, start, sums};

#[tokio::test]
async fn rows_are_found_by_key_and_by_range_over_all_partitions() {
    let app = App::builder("app", sums()).memory().settings(soon()).topic(&IN, 3).topic(&OUT, 3).start().await.unwrap();
    for key in ["d", "a", "c", "b", "e", "a"] {
        app.send(&IN, key, 2).await.unwrap();
    }
    app.settled().await.unwrap();
    let table = app.table(&SUMS);
    assert_eq!((table.get("a").await.unwrap(), table.get("z").await.unwrap()), (Some(4), None));
    let rows = |keys: &[&str]| -> Vec<(String, i64)> {
        keys.iter().map(|key| ((*key).to_owned(), if *key == "a" { 4 } else { 2 })).collect()
    };
    let (b, d) = (Some("b".to_owned()), Some("d".to_owned()));
    assert_eq!(table.range(b.clone(), d.clone()).await.unwrap(), rows(&["b", "c", "d"]));
    assert_eq!(table.range(None, b).await.unwrap(), rows(&["a", "b"]));
    assert_eq!(table.range(d, None).await.unwrap(), rows(&["d", "e"]));
    assert_eq!(table.all().await.unwrap(), rows(&["a", "b", "c", "d", "e"]));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_committed_answer_has_what_was_committed_and_a_dirty_one_all_that_was_processed() {
    let app = start(sums(), &shared_log(), never()).await;
    let table = app.table(&SUMS);
    assert_eq!(table.get("a").await.unwrap(), None);
    let sent = app.send(&IN, "a", 7).await.unwrap();
    while table.dirty().get("a").await.unwrap().is_none() {}
    assert_eq!(table.dirty().all().await.unwrap(), [("a".to_owned(), 7)]);
    assert_eq!((table.get("a").await.unwrap(), out(&app).len(), app.backlog().unwrap()), (None, 0, 1));
    // Whoever waits for the record makes the workers commit it.
    let table = table.at_least(sent, Duration::from_secs(20));
    assert_eq!((table.get("a").await.unwrap(), out(&app), app.backlog().unwrap()), (Some(7), vec![7], 0));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_dirty_question_is_answered_between_two_records() {
    let (builder, (permit, permits)) = (StreamsBuilder::new(), channel::<()>());
    let permits = Mutex::new(permits);
    let input = builder.stream(&IN).peek(move |_, _| {
        // From the end of the test on, everything may be processed.
        let _ = permits.lock().unwrap().recv();
    });
    input.group_by_key().count_with(&SUMS);
    let app = start(builder.build().unwrap(), &shared_log(), never()).await;
    let feed = app.feed("numbers");
    let mut batch = feed.batch();
    (0..400).for_each(|value| batch.add(&IN, "a", value).unwrap());
    batch.send(vec![]).await.unwrap();
    let dirty = app.table(&SUMS).dirty();
    let asked = tokio::spawn(async move { dirty.get("a").await.unwrap() });
    let mut permitted = 0;
    while !asked.is_finished() {
        permit.send(()).unwrap();
        permitted += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let found = asked.await.unwrap().unwrap_or(0);
    assert!(found <= permitted && permitted < 300, "{found} of {permitted}: it waited for the end of the step");
    drop(permit);
    app.close().await.unwrap();
}

#[tokio::test]
async fn rows_come_forward_and_backward_by_prefix_with_times_and_no_more_than_asked_for() {
    let app = App::builder("app", sums()).memory().settings(soon()).topic(&IN, 3).topic(&OUT, 3).start().await.unwrap();
    for (number, key) in ["b", "ab", "a", "abc", "c"].into_iter().enumerate() {
        let time = Timestamp::from_millis(i64::try_from(number).unwrap());
        app.send_with(&IN, key, 1, time, &Headers::NONE).await.unwrap();
    }
    app.settled().await.unwrap();
    let table = app.table(&SUMS);
    let (committed, dirty) = (table.all(), table.dirty().all());
    assert_eq!(keys(committed.await), ["a", "ab", "abc", "b", "c"]);
    assert_eq!(keys(dirty.await), ["a", "ab", "abc", "b", "c"]);
    assert_eq!(keys(table.prefix("ab").await), ["ab", "abc"]);
    assert_eq!(keys(table.dirty().prefix("ab").backward().await), ["abc", "ab"]);
    assert_eq!(keys(table.all().backward().limit(2).await), ["c", "b"]);
    assert_eq!(keys(table.dirty().all().backward().limit(2).await), ["c", "b"]);
    assert_eq!(keys(table.all().limit(0).await), [""; 0]);
    assert_eq!(keys(table.dirty().all().limit(0).await), [""; 0]);
    let timed = table.range(Some("abc".into()), None).with_times().await.unwrap();
    let timed: Vec<_> = timed.into_iter().map(|row| (row.key, row.value, row.timestamp.as_millis())).collect();
    assert_eq!(timed, [("abc".to_owned(), 1, 3), ("b".to_owned(), 1, 0), ("c".to_owned(), 1, 4)]);
    assert_eq!(table.get_with_time("c").await.unwrap(), Some((1, Timestamp::from_millis(4))));
    assert_eq!(table.approximate_count().await.unwrap(), 5);
    app.close().await.unwrap();
}

fn keys(rows: Result<Vec<(String, i64)>, tidemill::Error>) -> Vec<String> {
    rows.unwrap().into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn a_snapshot_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    // Every commit flushes, and a page has fewer rows than there are.
    let settings = Settings { flush_rows: 1, partitions: 2, ..soon() };
    let app =
        App::builder("app", sums()).embedded(folder.path().join("data")).settings(settings).start().await.unwrap();
    let feed = app.feed("keys");
    let send = async |value: i64| {
        let mut batch = feed.batch();
        (0..1_000).for_each(|key| batch.add(&IN, format!("key-{key:03}"), value).unwrap());
        batch.send(vec![]).await.unwrap()
    };
    let first = send(1).await;
    let table = app.table(&SUMS);
    let before = table.at_least(&first, LIMIT).snapshot().await.unwrap();
    let mut walk = before.all(Direction::Forward);
    assert_eq!(walk.next().unwrap().unwrap().key, "key-000");
    let second = send(2).await;
    let after = table.at_least(&second, LIMIT).snapshot().await.unwrap();
    let sums = |rows: SnapshotRows<String, i64>| rows.map(|row| row.unwrap().value).collect::<Vec<_>>();
    assert_eq!(sums(walk), [1; 999], "the walk goes on in what it began with");
    assert_eq!(sums(before.all(Direction::Backward)), [1; 1_000]);
    assert_eq!(sums(after.range(None, Some("key-499".into()), Direction::Backward).unwrap()), [3; 500]);
    assert_eq!((before.get("key-7").unwrap(), before.get("key-007").unwrap()), (None, Some(1)));
    assert_eq!(after.get_with_time("key-999").unwrap().map(|(sum, _)| sum), Some(3));
    assert!(before.position().covers(&first) && !before.position().covers(&second));
    assert_eq!(after.position(), &second);
    app.close().await.unwrap();
}

#[tokio::test]
async fn times_and_headers_travel_with_a_record() {
    let app = start(sums(), &shared_log(), soon()).await;
    let headers = Headers::default().with("from", "here");
    app.send_with(&IN, "a", 7, Timestamp::from_millis(5), &headers).await.unwrap();
    app.settled().await.unwrap();
    let read = app.subscribe(&OUT).unwrap().read().unwrap();
    assert_eq!((read[0].timestamp.as_millis(), &*read[0].key, read[0].value), (5, "a", Some(7)));
    assert_eq!(app.subscribe(&IN).unwrap().read().unwrap()[0].headers, headers);
    app.close().await.unwrap();
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    const NO_TOPIC: Topic<String, i64> = Topic::of("nowhere");
    const NO_STORE: Store<String, i64> = Store::of("nothing");
    const OTHER_TYPE: Store<String, String> = Store::of("sums");
    let app = start(sums(), &shared_log(), soon()).await;
    let sent = app.send(&NO_TOPIC, "a", 7).await.unwrap_err();
    assert_eq!(sent.kind(), ErrorKind::Unknown);
    assert!(sent.to_string().starts_with("topic `nowhere` does not exist: create it"), "{sent}");
    let read = app.subscribe(&NO_TOPIC).err().unwrap();
    assert_eq!(read.to_string(), sent.to_string());
    let asked = app.table(&NO_STORE).get("a").await.unwrap_err();
    assert_eq!(asked.kind(), ErrorKind::Unknown);
    assert_eq!(asked.to_string(), "the topology has no store `nothing`; its stores are [\"sums\"]");
    let mistaken = app.table(&OTHER_TYPE).get("a").await.unwrap_err();
    assert_eq!(mistaken.kind(), ErrorKind::Invalid);
    assert_eq!(
        mistaken.to_string(),
        "store `sums` is of another kind or has other types than the descriptor that it was asked with (timestamped \
         key-value string -> i64): use the one that the store was made with"
    );
    let (table, states) = (app.table(&SUMS), app.states());
    app.close().await.unwrap();
    assert!(states.borrow().is_over());
    let late = table.get("a").await.unwrap_err();
    assert_eq!((late.kind(), late.to_string().as_str()), (ErrorKind::Closed, "application `app` is closed"));
    assert_eq!(table.dirty().get("a").await.unwrap_err().to_string(), late.to_string());
}

#[tokio::test]
async fn a_row_is_found_where_its_topic_has_fewer_partitions_than_others_of_its_part() {
    const NARROW: Topic<String, i64> = Topic::of("narrow");
    let builder = StreamsBuilder::new();
    let table = builder.table_with(&NARROW, &SUMS);
    builder.stream(&IN).map_values(|value| Some(*value)).merge(&table.to_stream()).for_each(|_, _| {});
    let topology = builder.build().unwrap();
    let app = App::builder("app", topology).memory().settings(soon()).topic(&IN, 5).topic(&NARROW, 2);
    let app = app.start().await.unwrap();
    let keys = ["a", "b", "c", "d", "e", "f", "g"];
    for key in keys {
        app.send(&NARROW, key, 1).await.unwrap();
    }
    app.settled().await.unwrap();
    for key in keys {
        assert_eq!(app.table(&SUMS).get(key).await.unwrap(), Some(1), "{key}");
    }
    assert_eq!(app.table(&SUMS).all().await.unwrap().len(), keys.len());
    app.close().await.unwrap();
}
