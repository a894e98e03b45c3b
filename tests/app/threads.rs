//! Several threads and partitions share the work, and nothing is lost or counted twice between them.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use tidemill::record::{Offset, TopicPartition};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Settings, Topic};

use crate::support::{IN, SUMS, never, shared_log, soon, start};

const LINES: Topic<u64, String> = Topic::of("lines");
const WORDS: Store<String, i64> = Store::of("words");
const UPDATES: Topic<String, i64> = Topic::of("updates");
const LINE_COUNT: u64 = 2_000;

fn words() -> Topology {
    let builder = StreamsBuilder::new();
    builder
        .stream(&LINES)
        .flat_map_values(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .group_by(|_line, word| word.clone())
        .named("by-word")
        .count_with(&WORDS)
        .to_stream()
        .to(&UPDATES);
    builder.build().unwrap()
}

fn line(number: u64) -> String {
    format!("all word-{} word-{}", number % 7, number % 13)
}

#[tokio::test]
async fn counts_through_a_repartition_topic_are_right() {
    for threads in [1, 3, 8] {
        let settings = Settings { threads, partitions: 4, ..soon() };
        let app = App::builder("words", words()).memory().settings(settings).start().await.unwrap();
        let feed = app.feed("lines");
        for first in (0..LINE_COUNT).step_by(100) {
            let mut batch = feed.batch();
            (first..first + 100).for_each(|number| batch.add(&LINES, number, line(number)).unwrap());
            batch.send(Vec::new()).await.unwrap();
        }
        app.settled().await.unwrap();
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for number in 0..LINE_COUNT {
            line(number).split(' ').for_each(|word| *expected.entry(word.to_owned()).or_default() += 1);
        }
        let found: BTreeMap<String, i64> = app.table(&WORDS).all().await.unwrap().into_iter().collect();
        assert_eq!(found, expected, "{threads} threads");
        assert_every_update_came_out(&app, &expected);
        app.close().await.unwrap();
    }
}

/// Each word's counts go up by one, from 1 to the last.
fn assert_every_update_came_out(app: &App, expected: &BTreeMap<String, i64>) {
    let (mut updates, mut seen) = (app.subscribe(&UPDATES).unwrap(), BTreeMap::<String, i64>::new());
    loop {
        let records = updates.read().unwrap();
        if records.is_empty() {
            break;
        }
        for record in records {
            let last = seen.entry(record.key).or_default();
            *last += 1;
            assert_eq!(record.value, Some(*last));
        }
    }
    assert_eq!(&seen, expected);
}

#[tokio::test]
async fn no_worker_commits_what_another_has_staged_without_that_one_s_progress() {
    const LOOP: Topic<String, i64> = Topic::of("loop");
    const OTHER: Topic<String, i64> = Topic::of("other");
    let (builder, log) = (StreamsBuilder::new(), shared_log());
    let (at_two, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (reached, released) = (at_two.clone(), go_on.clone());
    let hold = move |_: &String, value: &i64| {
        if *value == 2 {
            reached.wait();
            released.wait();
        }
    };
    builder.stream(&IN).peek(hold).to(&LOOP);
    builder.stream(&LOOP).for_each(|_, _| {});
    builder.stream(&OTHER).group_by_key().count_with(&SUMS);
    let app = start(builder.build().unwrap(), &log, Settings { threads: 3, ..never() }).await;
    let feed = app.feed("numbers");
    let mut batch = feed.batch();
    (1..=2).for_each(|value| batch.add(&IN, "a", value).unwrap());
    batch.send(vec![]).await.unwrap();
    tokio::task::spawn_blocking(move || at_two.wait()).await.unwrap();
    // The first record is staged in the loop, and its worker is held in the second. A query makes another worker commit.
    app.send(&OTHER, "a", 1).await.unwrap();
    let counts = app.table(&SUMS);
    let asked = tokio::spawn(async move { counts.get("a").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(log.bounds(&TopicPartition::new("loop", 0)).unwrap().end, Offset::ZERO, "committed without its input");
    tokio::task::spawn_blocking(move || go_on.wait()).await.unwrap();
    assert!(asked.await.unwrap().is_ok());
    app.close().await.unwrap();
    assert_eq!(log.bounds(&TopicPartition::new("loop", 0)).unwrap().end, Offset::new(2));
}
