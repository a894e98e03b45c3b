//! A topic's committed records, pulled from outside: in order, each once, until the application ends.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tidemill::log::{Durability, EmbeddedLog, Log, LogSettings, TopicConfig, TopicSpec};
use tidemill::record::{Offset, Timestamp, TopicPartition};
use tidemill::stream::StreamsBuilder;
use tidemill::{App, ErrorKind, Position, ReadRecord, Settings, Subscription, Topic};

use crate::support::{IN, LIMIT, OUT, append, never, shared_log, soon, start, sums};

async fn next(subscription: &mut Subscription<String, i64>) -> ReadRecord<String, i64> {
    tokio::time::timeout(LIMIT, subscription.next()).await.expect("a record comes").unwrap().unwrap()
}

async fn values(subscription: &mut Subscription<String, i64>, count: usize) -> Vec<i64> {
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(next(subscription).await.value.unwrap());
    }
    values
}

fn waits(subscription: &mut Subscription<String, i64>) -> bool {
    pin!(subscription.next()).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test]
async fn a_subscription_begins_where_it_is_told_and_waits_for_more() {
    let app = start(sums(), &shared_log(), soon()).await;
    for _ in 0..3 {
        app.send(&IN, "a", 1).await.unwrap();
    }
    app.settled().await.unwrap();
    let mut all = app.subscribe(&OUT).unwrap();
    let mut later = app.subscribe(&OUT).unwrap().at_end().unwrap();
    let mut middle = app.subscribe(&OUT).unwrap().at_offset(0, Offset::new(1)).unwrap();
    assert_eq!((values(&mut all, 2).await, values(&mut middle, 1).await), (vec![1, 2], vec![2]));
    let mut resumed = app.subscribe(&OUT).unwrap().at_position(&all.position()).unwrap();
    assert_eq!((values(&mut all, 1).await, values(&mut resumed, 1).await), (vec![3], vec![3]));
    assert!(waits(&mut all) && waits(&mut later));
    let send = async {
        tokio::task::yield_now().await;
        app.send(&IN, "a", 1).await.unwrap();
    };
    let (fourth, ()) = tokio::join!(values(&mut all, 1), send);
    assert_eq!((fourth, values(&mut later, 1).await), (vec![4], vec![4]));
    for (partition, offset, kind, text) in [
        (1, 0, ErrorKind::Unknown, "topic `out` has 1 partitions, and partition 1 was asked for"),
        (0, 9, ErrorKind::Invalid, "`out-0` has records from 0 to before 4, and 9 was asked for"),
    ] {
        let error = app.subscribe(&OUT).unwrap().at_offset(partition, Offset::new(offset)).err().unwrap();
        assert!(error.kind() == kind && error.to_string().starts_with(text), "{error}");
    }
    app.close().await.unwrap();
    assert_eq!(values(&mut middle, 2).await, [3, 4]);
    assert!(middle.next().await.is_none() && middle.next().await.is_none());
}

#[tokio::test]
async fn the_records_of_each_partition_come_in_order_while_others_write() {
    let settings = Settings { threads: 2, partitions: 3, ..soon() };
    let app = App::builder("app", sums()).memory().settings(settings).start().await.unwrap();
    let mut updates = app.subscribe(&OUT).unwrap();
    let reading = tokio::spawn(async move {
        let (mut offsets, mut sums) = (BTreeMap::<u32, u64>::new(), BTreeMap::<String, i64>::new());
        let mut count = 0;
        while let Some(record) = updates.next().await {
            let record = record.unwrap();
            let next = offsets.entry(record.partition).or_default();
            assert_eq!(record.offset.get(), *next, "partition {}", record.partition);
            *next += 1;
            let sum = sums.entry(record.key).or_default();
            *sum += 1;
            assert_eq!(record.value, Some(*sum));
            count += 1;
        }
        count
    });
    let feed = app.feed("numbers");
    for _ in 0..50 {
        let mut batch = feed.batch();
        (0..40).for_each(|number| batch.add(&IN, format!("key-{}", number % 7), 1).unwrap());
        batch.send(vec![]).await.unwrap();
    }
    app.settled().await.unwrap();
    app.close().await.unwrap();
    assert_eq!(reading.await.unwrap(), 2_000);
}

#[tokio::test]
async fn what_is_not_committed_is_not_read_and_a_failure_ends_it() {
    let builder = StreamsBuilder::new();
    let checked =
        builder.stream(&IN).try_map_values(|_, value| if *value == 3 { Err("no threes") } else { Ok(*value) });
    checked.to(&OUT);
    let log = shared_log();
    let app = start(builder.build().unwrap(), &log, never()).await;
    let (mut inputs, mut outputs) = (app.subscribe(&IN).unwrap(), app.subscribe(&OUT).unwrap());
    // Written past the application, by somebody else on the log.
    append(&*log, &IN, 1, 0);
    assert_eq!(values(&mut inputs, 1).await, [1]);
    assert!(waits(&mut outputs));
    append(&*log, &IN, 3, 0);
    let failed = outputs.next().await.unwrap().unwrap_err();
    assert!(failed.kind() == ErrorKind::Processing && failed.to_string().contains("no threes"), "{failed}");
    assert!(outputs.next().await.is_none());
    assert_eq!(values(&mut inputs, 1).await, [3]);
    assert_eq!(inputs.next().await.unwrap().unwrap_err().to_string(), failed.to_string());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_an_error_between_the_others() {
    const TEXT: Topic<String, String> = Topic::of("free");
    const NUMBERS: Topic<String, i64> = Topic::of("free");
    let app = App::builder("app", sums()).memory().settings(soon()).topic(&TEXT, 1).start().await.unwrap();
    app.send(&NUMBERS, "a", 1).await.unwrap();
    app.send(&TEXT, "a", "text").await.unwrap();
    app.send(&NUMBERS, "a", 3).await.unwrap();
    let mut reader = app.subscribe(&NUMBERS).unwrap();
    let read = |reader: &mut Subscription<String, i64>| -> Result<Vec<i64>, tidemill::Error> {
        Ok(reader.read()?.into_iter().map(|record| record.value.unwrap()).collect())
    };
    assert_eq!(read(&mut reader).unwrap(), [1]);
    let error = read(&mut reader).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with("the value of record 1 of `free"), "{error}");
    assert_eq!((read(&mut reader).unwrap(), read(&mut reader).unwrap()), (vec![3], vec![]));
    let mut stream = app.subscribe(&NUMBERS).unwrap();
    assert_eq!(next(&mut stream).await.value, Some(1));
    assert_eq!(stream.next().await.unwrap().unwrap_err().to_string(), error.to_string());
    assert_eq!(next(&mut stream).await.value, Some(3));
    let behind: Position = stream.position();
    assert_eq!(behind.to_string(), "free-0@3");
    app.close().await.unwrap();
}

#[tokio::test]
async fn whoever_reads_slower_than_retention_removes_is_told_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = LogSettings {
        durability: Durability::Never,
        segment_bytes: 4 << 10,
        recent_bytes: 0,
        ..LogSettings::default()
    };
    let log = Arc::new(EmbeddedLog::open(folder.path(), settings).unwrap());
    let config = TopicConfig { retention: Some(Duration::from_millis(10)), ..TopicConfig::default() };
    log.create_topic(&TopicSpec { config, ..TopicSpec::new(OUT.name(), 1) }).unwrap();
    let shared: Arc<dyn Log> = log.clone();
    let app = start(sums(), &shared, soon()).await;
    let mut slow = app.subscribe(&OUT).unwrap();
    for time in 0..200 {
        append(&*shared, &OUT, time, time);
    }
    log.clean(Timestamp::from_millis(200)).unwrap();
    let lagged = slow.next().await.unwrap().unwrap_err();
    assert_eq!(lagged.kind(), ErrorKind::Lagged);
    let first = log.bounds(&TopicPartition::new(OUT.name(), 0)).unwrap().start;
    assert!(first > Offset::ZERO);
    let text = format!("the records of `out-0` from 0 to before {first} were removed before they were read: go on");
    assert!(lagged.to_string().starts_with(&text), "{lagged}");
    assert_eq!(next(&mut slow).await.offset, first);
    app.close().await.unwrap();
}
