//! The spans of a running application, seen by a subscriber of `tracing`: for commits, rebalances and restores, and none for a record.
//!
//! A program of its own, because a subscriber hears of everything in its process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill::log::{Log, MemoryLog};
use tidemill::prelude::*;
use tidemill::{App, Settings};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Metadata, Subscriber};

const WORDS: Topic<String, i64> = Topic::of("words");
const SUMS: Store<String, i64> = Store::of("sums");
const RECORDS: i64 = 5_000;

/// A span: its name, and the values of its fields so far.
#[derive(Clone, Debug)]
struct Seen {
    name: &'static str,
    fields: BTreeMap<&'static str, String>,
}

/// All spans, in the order in which they were made.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Seen>>>);

impl Spans {
    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.is_span() && of.target().starts_with("tidemill")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut seen = Seen { name: span.metadata().name(), fields: BTreeMap::new() };
        span.record(&mut seen);
        let mut spans = self.0.lock().unwrap();
        spans.push(seen);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Values<'_>) {
        values.record(&mut self.0.lock().unwrap()[span.into_u64() as usize - 1]);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn sums() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).group_by_key().aggregate(&SUMS, || 0, |sum: i64, _, value| sum + value);
    builder.build().unwrap()
}

async fn start(log: &Arc<dyn Log>) -> App {
    let settings = Settings { commit_interval: Duration::from_millis(20), partitions: 2, ..Settings::default() };
    App::builder("spans", sums()).log(log.clone()).settings(settings).start().await.unwrap()
}

fn named<'a>(spans: &'a [Seen], name: &str) -> Vec<&'a Seen> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[tokio::test]
async fn commits_restores_and_rebalances_have_spans_and_records_have_none() {
    let (spans, log) = (Spans::default(), Arc::new(MemoryLog::new()) as Arc<dyn Log>);
    tracing::subscriber::set_global_default(spans.clone()).unwrap();
    let app = start(&log).await;
    let feed = app.feed("words");
    let mut batch = feed.batch();
    (0..RECORDS).for_each(|n| batch.add(&WORDS, format!("key-{n}"), n).unwrap());
    batch.send(Vec::new()).await.unwrap();
    app.settled().await.unwrap();
    app.close().await.unwrap();
    let first = spans.take();
    let names: BTreeSet<&str> = first.iter().map(|span| span.name).collect();
    assert_eq!(names, BTreeSet::from(["commit", "rebalance", "restore"]), "{first:?}");
    assert!(named(&first, "rebalance").iter().all(|span| span.fields["application"] == "\"spans\""), "{first:?}");
    let tasks: BTreeSet<&str> = named(&first, "restore").iter().map(|span| &*span.fields["task"]).collect();
    assert_eq!(tasks, BTreeSet::from(["0_0", "0_1"]));
    let commits = named(&first, "commit").len();
    assert!((1..RECORDS as usize / 10).contains(&commits), "{commits} commits of {RECORDS} records");

    // What is in memory only comes from the changelogs.
    let app = start(&log).await;
    let restored = |span: &Seen| span.fields["records"].parse::<i64>().unwrap();
    assert_eq!(named(&spans.take(), "restore").into_iter().map(restored).sum::<i64>(), RECORDS);
    app.close().await.unwrap();
}
