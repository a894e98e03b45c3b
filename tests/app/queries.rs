//! What is sent can be asked for.

use tidemill::record::{Headers, Timestamp};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::{App, ErrorKind, Topic};

use crate::support::{IN, OUT, SUMS, never, out, shared_log, soon, start, sums};

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
async fn an_answer_is_committed_when_it_is_given() {
    let app = start(sums(), &shared_log(), never()).await;
    app.send(&IN, "a", 7).await.unwrap();
    // The query makes the worker commit what it has; only then can the row be seen.
    while app.table(&SUMS).get("a").await.unwrap().is_none() {}
    assert_eq!((out(&app), app.backlog().unwrap()), (vec![7], 0));
    app.close().await.unwrap();
}

#[tokio::test]
async fn times_and_headers_travel_with_a_record() {
    let app = start(sums(), &shared_log(), soon()).await;
    let headers = Headers::default().with("from", "here");
    app.send_with(&IN, "a", 7, Timestamp::from_millis(5), &headers).await.unwrap();
    app.settled().await.unwrap();
    let read = app.reader(&OUT).unwrap().read().unwrap();
    assert_eq!((read[0].timestamp.as_millis(), &*read[0].key, read[0].value), (5, "a", Some(7)));
    assert_eq!(app.reader(&IN).unwrap().read().unwrap()[0].headers, headers);
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
    let read = app.reader(&NO_TOPIC).err().unwrap();
    assert_eq!(read.to_string(), sent.to_string());
    let asked = app.table(&NO_STORE).get("a").await.unwrap_err();
    assert_eq!(asked.kind(), ErrorKind::Unknown);
    assert_eq!(asked.to_string(), "the topology has no store `nothing`; its stores are [\"sums\"]");
    let mistaken = app.table(&OTHER_TYPE).get("a").await.unwrap_err();
    assert_eq!(mistaken.kind(), ErrorKind::Invalid);
    assert!(mistaken.to_string().contains("store `sums` has other types"), "{mistaken}");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_reader_gives_what_lies_before_a_record_that_it_cannot_read() {
    const TEXT: Topic<String, String> = Topic::of("free");
    const NUMBERS: Topic<String, i64> = Topic::of("free");
    let app = App::builder("app", sums()).memory().settings(soon()).topic(&TEXT, 1).start().await.unwrap();
    app.send(&NUMBERS, "a", 1).await.unwrap();
    app.send(&TEXT, "a", "text").await.unwrap();
    let mut reader = app.reader(&NUMBERS).unwrap();
    assert_eq!(reader.read().unwrap().into_iter().map(|record| record.value).collect::<Vec<_>>(), [Some(1)]);
    for _ in 0..2 {
        let error = reader.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().starts_with("the value of record 1 of `free"), "{error}");
    }
    app.close().await.unwrap();
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
