//! Global stores in a running application: one copy for all threads, complete before anything is processed, there again
//! after a restart.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::Record;
use tidemill::state::{Store, StoreSpec};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::Topology;
use tidemill::{App, ErrorKind, Settings, Topic};

use crate::support::{IN, LIMIT, OUT, never, shared_log, soon, start};

const RATES: Topic<String, i64> = Topic::of("rates");
const RATE: Store<String, i64> = Store::of("rate");

/// Values times the rate of their key's first letter.
fn convert(kept: Materialized<String, i64>) -> Topology {
    let builder = StreamsBuilder::new();
    let rates = builder.global_table_with(&RATES, kept);
    builder.stream(&IN).join_global(&rates, |key, _| key[..1].to_owned(), |value, rate| value * rate).to(&OUT);
    builder.build().unwrap()
}

/// Adds up, so that a record that is taken twice shows; refuses 3.
struct Add;

impl Processor<String, i64, (), ()> for Add {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, (), ()>) -> Flow {
        if *record.value == 3 {
            return Err("three is refused".into());
        }
        let mut sums = ctx.store(&RATE)?;
        let sum = sums.get(record.key)?.copied().unwrap_or(0) + record.value;
        sums.put(record.key, sum, record.timestamp)
    }
}

/// A global store of sums.
fn adding() -> Topology {
    let builder = StreamsBuilder::new();
    builder.add_global_store(StoreSpec::plain(&RATE), &RATES, || Add);
    builder.stream(&IN).to(&OUT);
    builder.build().unwrap()
}

async fn send(app: &App, topic: &Topic<String, i64>, records: impl IntoIterator<Item = (String, i64)>) {
    let feed = app.feed(topic.name());
    let mut batch = feed.batch();
    records.into_iter().for_each(|(key, value)| batch.add(topic, key, value).unwrap());
    batch.send(vec![]).await.unwrap();
}

fn letters() -> impl Iterator<Item = (String, i64)> {
    ('a'..='z').zip(1..).map(|(letter, rate)| (letter.to_string(), rate))
}

/// The committed records of `OUT`: first letters of keys, and values, sorted.
fn all_out(app: &App) -> Vec<(String, i64)> {
    let (mut found, mut reader) = (Vec::new(), app.subscribe(&OUT).unwrap());
    loop {
        let records = reader.read().unwrap();
        if records.is_empty() {
            break;
        }
        found.extend(records.into_iter().map(|record| (record.key[..1].to_owned(), record.value.unwrap())));
    }
    found.sort();
    found
}

#[tokio::test]
async fn every_thread_and_partition_finds_the_rows_of_all_partitions() {
    for threads in [1, 2, 3] {
        let settings = Settings { threads, partitions: 4, ..soon() };
        let topology = convert(Materialized::store(&RATE));
        let app = App::builder("app", topology).memory().settings(settings).start().await.unwrap();
        send(&app, &RATES, letters()).await;
        app.settled().await.unwrap();
        send(&app, &IN, letters().flat_map(|(key, _)| (0..5).map(move |number| (format!("{key}{number}"), 1)))).await;
        app.settled().await.unwrap();
        let found = all_out(&app);
        let expected: Vec<(String, i64)> = letters().flat_map(|row| vec![row; 5]).collect();
        assert_eq!(found, expected, "{threads} threads");
        app.close().await.unwrap();
    }
}

/// Counts the records that fill its store.
struct Counted(Arc<AtomicUsize>);

impl Processor<String, i64, (), ()> for Counted {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, (), ()>) -> Flow {
        self.0.fetch_add(1, Ordering::SeqCst);
        ctx.store(&RATE)?.put(record.key, *record.value, record.timestamp)
    }
}

#[tokio::test]
async fn nothing_is_processed_before_the_global_stores_are_there() {
    const RECORDS: usize = 20_000;
    let (log, filled) = (shared_log(), Arc::new(AtomicUsize::new(0)));
    let topology = |filled: &Arc<AtomicUsize>| {
        let (builder, counted, seen) = (StreamsBuilder::new(), filled.clone(), filled.clone());
        builder.add_global_store(StoreSpec::plain(&RATE).in_memory(), &RATES, move || Counted(counted.clone()));
        // It does not read the store, and so does not wait for whoever fills it.
        builder.stream(&IN).map_values(move |_| i64::try_from(seen.load(Ordering::SeqCst)).unwrap()).to(&OUT);
        builder.build().unwrap()
    };
    let settings = Settings { threads: 3, partitions: 3, ..soon() };
    start(topology(&filled), &log, settings.clone()).await.close().await.unwrap();
    // Both topics are full when the next application starts, and not only the thread that fills the store has work.
    let feeder = start(adding_nothing(), &log, soon()).await;
    send(&feeder, &RATES, (0..RECORDS).map(|_| ("a".to_owned(), 1))).await;
    send(&feeder, &IN, (0..20).map(|number| (format!("a{number}"), 1))).await;
    feeder.close().await.unwrap();
    let app = start(topology(&filled), &log, settings).await;
    app.settled().await.unwrap();
    assert_eq!(all_out(&app), vec![("a".to_owned(), RECORDS as i64); 20]);
    app.close().await.unwrap();
}

/// Reads another topic only.
fn adding_nothing() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&Topic::<String, i64>::of("other")).for_each(|_, _| {});
    builder.build().unwrap()
}

/// Starts on a folder, once the application that was dropped has let go of it.
async fn start_in(folder: &Path) -> App {
    loop {
        let settings = Settings { flush_rows: 5, partitions: 3, ..soon() };
        match App::builder("app", adding()).embedded(folder).settings(settings).start().await {
            Err(error) if error.kind() == ErrorKind::Locked => tokio::task::yield_now().await,
            started => return started.unwrap(),
        }
    }
}

async fn sum(app: &App) -> i64 {
    app.table(&RATE).all().await.unwrap().iter().map(|(_, sum)| sum).sum()
}

#[tokio::test]
async fn on_disk_it_goes_on_where_it_was_and_takes_no_record_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    let app = start_in(&folder).await;
    send(&app, &RATES, letters().map(|(key, _)| (key, 1))).await;
    app.settled().await.unwrap();
    assert_eq!((sum(&app).await, app.backlog().unwrap()), (26, 0));
    app.close().await.unwrap();
    // A close writes everything down.
    let app = start_in(&folder).await;
    assert_eq!((app.restored(), sum(&app).await), (0, 26));
    // Fewer rows than are written down at once, so a start has to read them again.
    send(&app, &RATES, [("a".to_owned(), 10), ("b".to_owned(), 10)]).await;
    app.settled().await.unwrap();
    assert_eq!(sum(&app).await, 46);
    drop(app);
    let app = start_in(&folder).await;
    assert_eq!((app.restored(), sum(&app).await), (2, 46));
    app.close().await.unwrap();
}

#[tokio::test]
async fn in_memory_it_is_made_anew_from_the_whole_topic() {
    let log = shared_log();
    let app = start(adding(), &log, soon()).await;
    send(&app, &RATES, letters().map(|(key, _)| (key, 1))).await;
    app.settled().await.unwrap();
    app.close().await.unwrap();
    let app = start(adding(), &log, soon()).await;
    assert_eq!((app.restored(), sum(&app).await), (26, 26));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_question_waits_for_the_record_that_it_names() {
    let app = start(adding(), &shared_log(), never()).await;
    let sent = app.send(&RATES, "a", 7).await.unwrap();
    let rates = app.table(&RATE).at_least(sent, LIMIT);
    assert_eq!(rates.get("a").await.unwrap(), Some(7));
    assert_eq!(app.table(&RATE).dirty().get("a").await.unwrap(), Some(7));
    assert_eq!(rates.get("b").await.unwrap(), None);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_failing_processor_of_a_global_store_fails_the_application_and_its_next_start() {
    let log = shared_log();
    let app = start(adding(), &log, Settings { threads: 2, ..soon() }).await;
    send(&app, &RATES, [("a".to_owned(), 1), ("a".to_owned(), 3)]).await;
    let error = app.ended().await.unwrap_err();
    let said = "node `KTABLE-SOURCE-0000000001` failed on record 1 of topic `rates` partition 0: three is refused";
    assert_eq!(error.kind(), ErrorKind::Processing);
    assert!(error.to_string().contains(said), "{error}");
    drop(app);
    let again = App::builder("app", adding()).log(log).settings(soon()).threads(2).start();
    let error =
        tokio::time::timeout(Duration::from_secs(60), again).await.unwrap().err().expect("the record is still there");
    assert!(error.to_string().contains(said), "{error}");
}
