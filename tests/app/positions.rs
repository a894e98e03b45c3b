//! A question can wait for what was sent, wherever it has to go through, and says clearly when it waited in vain.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use tidemill::log::{Durability, LogSettings};
use tidemill::record::{Offset, TopicPartition};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, ErrorKind, ManualClock, Position, Settings, Topic};

use crate::support::{IN, LIMIT, OUT, SUMS, never, shared_log, soon, start, sums};

const LINES: Topic<u64, String> = Topic::of("lines");
const WORDS: Store<String, i64> = Store::of("words");
const LENGTHS: Store<u64, i64> = Store::of("lengths");

/// Words are counted behind one topic of the application's own, the lengths of counted words behind two.
fn words() -> Topology {
    let builder = StreamsBuilder::new();
    let words = builder.stream(&LINES).flat_map_values(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let counts = words.group_by(|_line, word| word.clone()).named("by-word").count_with(&WORDS);
    let lengths = counts.to_stream().group_by(|word, _count| word.len() as u64).named("by-length");
    lengths.count_with(&LENGTHS);
    builder.build().unwrap()
}

#[tokio::test]
async fn what_was_sent_is_seen_behind_every_topic_that_it_goes_through() {
    for threads in [1, 3] {
        // Nothing is committed unless somebody waits for it.
        let settings = Settings { threads, partitions: 3, ..never() };
        let app = App::builder("words", words()).memory().settings(settings).start().await.unwrap();
        for number in 1..=20_u64 {
            let sent = app.send(&LINES, number, "a bb bb ccc").await.unwrap();
            let words = app.table(&WORDS).at_least(&sent, LIMIT);
            assert_eq!(words.get("bb").await.unwrap(), Some(2 * i64::try_from(number).unwrap()));
            let lengths = app.table(&LENGTHS).at_least(&sent, LIMIT);
            assert_eq!(lengths.get(2_u64).await.unwrap(), Some(2 * i64::try_from(number).unwrap()));
            assert!(app.position().covers(&Position::from(&sent)));
        }
        app.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_loop_of_topics_is_waited_for_once() {
    const LOOP: Topic<String, i64> = Topic::of("loop");
    let builder = StreamsBuilder::new();
    builder.stream(&IN).merge(&builder.stream(&LOOP)).group_by_key().count_with(&SUMS);
    builder.stream(&IN).to_chosen(|_, _, _| LOOP.name().to_owned(), LOOP.key_serde(), LOOP.value_serde());
    let app = App::builder("app", builder.build().unwrap()).memory().settings(never());
    let app = app.topic(&LOOP, 1).start().await.unwrap();
    let sent = app.send(&IN, "a", 1).await.unwrap();
    assert_eq!(app.table(&SUMS).at_least(sent, LIMIT).get("a").await.unwrap(), Some(2));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_batch_has_a_position_and_a_position_can_be_carried_as_text() {
    let settings = Settings { partitions: 4, ..never() };
    let app = App::builder("app", sums()).memory().settings(settings).start().await.unwrap();
    let feed = app.feed("numbers");
    let mut position = Position::new();
    for round in 0..3 {
        let mut batch = feed.batch();
        (0..100).for_each(|key| batch.add(&IN, format!("{round}-{key}"), 1).unwrap());
        let behind = batch.send(vec![]).await.unwrap();
        assert!(behind.covers(&position));
        position.merge(&behind);
    }
    let all: u64 = position.iter().map(|(_, next)| next.get()).sum();
    assert_eq!(all, 300);
    let text = position.to_string();
    assert!(text.starts_with("in-0@") && text.parse::<Position>().unwrap() == position, "{text}");
    let wrong = "in-0".parse::<Position>().unwrap_err().to_string();
    assert_eq!(wrong, "`in-0` is no position: it has the form `topic-0@17`, with a space between two");
    assert_eq!(app.table(&SUMS).at_least(&position, LIMIT).all().await.unwrap().len(), 300);
    assert_eq!(app.position(), position);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_send_says_where_the_record_lies() {
    let app = start(sums(), &shared_log(), soon()).await;
    for offset in 0..3 {
        let sent = app.send(&IN, "a", 1).await.unwrap();
        assert_eq!((sent.partition, sent.offset), (TopicPartition::new("in", 0), Offset::new(offset)));
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_position_that_nobody_reaches_is_an_error_that_names_it() {
    let clock = ManualClock::default();
    let app = App::builder("app", sums()).memory().settings(soon()).clock(clock.clone()).start().await.unwrap();
    let sent = app.send(&IN, "a", 1).await.unwrap();
    assert_eq!(app.table(&SUMS).at_least(sent, LIMIT).get("a").await.unwrap(), Some(1));
    let far: Position = [(TopicPartition::new("in", 0), Offset::new(9))].into_iter().collect();
    let asked = app.table(&SUMS).at_least(&far, Duration::from_secs(3));
    let waiting = tokio::spawn(async move { asked.get("a").await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished(), "time is the clock's");
    clock.advance(Duration::from_secs(3));
    // The thread that waits for it looks at the clock when the real time is over, too.
    let late = tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap().unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    assert_eq!(
        late.to_string(),
        "the position was not reached within 3s: `in-0` is at 1 and should be at 9; ask again, or wait longer"
    );
    let unread: Position = [(TopicPartition::new(OUT.name(), 0), Offset::new(1))].into_iter().collect();
    let stray = app.table(&SUMS).at_least(unread, LIMIT).get("a").await.unwrap_err();
    assert_eq!(stray.kind(), ErrorKind::Invalid);
    assert!(stray.to_string().starts_with("the topology does not read `out-0`"), "{stray}");
    app.close().await.unwrap();
}

#[tokio::test]
async fn whoever_waits_when_the_application_ends_gets_its_error() {
    let builder = StreamsBuilder::new();
    let checked =
        builder.stream(&IN).try_map_values(|_, value| if *value == 3 { Err("no threes") } else { Ok(*value) });
    checked.group_by_key().count_with(&SUMS);
    let app = start(builder.build().unwrap(), &shared_log(), never()).await;
    let sent = app.send(&IN, "a", 3).await.unwrap();
    let failed = app.table(&SUMS).at_least(sent, LIMIT).get("a").await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Processing);
    assert!(failed.to_string().contains("no threes"), "{failed}");
    assert_eq!(app.table(&SUMS).get("a").await.unwrap_err().to_string(), failed.to_string());
    assert_eq!(app.close().await.unwrap_err().to_string(), failed.to_string());
}

/// A reader sees what is written; the next record must not wait until the one before it is durable.
#[tokio::test]
async fn a_record_is_written_while_the_one_before_it_waits_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let interval = Durability::Interval(Duration::from_secs(2));
    let settings = Settings { log: LogSettings { durability: interval, ..soon().log }, ..soon() };
    let app = App::builder("app", sums()).settings(settings).embedded(folder.path()).start().await.unwrap();
    let (feed, mut output) = (app.feed("feed"), app.subscribe(&OUT).unwrap());
    let mut posted = Vec::new();
    for number in 1..=3 {
        let mut batch = feed.batch();
        batch.add(&IN, "a", 1).unwrap();
        posted.push(Box::pin(batch.post(vec![number]).await.unwrap()));
        let sum = tokio::time::timeout(LIMIT, output.next()).await.expect("a sum comes").unwrap().unwrap();
        assert_eq!(sum.value, Some(i64::from(number)));
    }
    let waits = posted[0].as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
    assert!(waits, "three records went through within the first one's interval");
    for (at, posted) in posted.into_iter().enumerate() {
        assert_eq!(posted.await.unwrap().next(&TopicPartition::new("in", 0)), Some(Offset::new(at as u64 + 1)));
    }
    app.close().await.unwrap();
}

/// A feed that is faster than the log takes no more memory than there is for records on their way.
#[tokio::test]
async fn a_feed_waits_while_much_is_on_its_way() {
    let app = start(sums(), &shared_log(), soon()).await;
    let feed = app.feed("feed");
    let mut batch = feed.batch();
    batch.add(&IN, "a".repeat(20 << 20), 1).unwrap();
    // More than all the room: it goes, alone.
    let first = batch.post(vec![1]).await.unwrap();
    let mut batch = feed.batch();
    batch.add(&IN, "b".repeat(20 << 20), 1).unwrap();
    tokio::time::timeout(LIMIT, batch.post(vec![2])).await.expect("there is room again").unwrap().await.unwrap();
    first.await.unwrap();
    app.close().await.unwrap();
}
