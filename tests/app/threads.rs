//! Several threads and partitions share the work, and nothing is lost or counted twice between them.

use std::collections::BTreeMap;

use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Settings, Topic};

use crate::support::SOON;

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
        let settings = Settings { threads, partitions: 4, ..SOON };
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
    let (mut updates, mut seen) = (app.reader(&UPDATES).unwrap(), BTreeMap::<String, i64>::new());
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
