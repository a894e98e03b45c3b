//! Workers that fail are replaced as often as the policy says, and each record has its effect once; then the error counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tidemill::log::{EmbeddedLog, Log, LogSettings};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, AppState, ErrorKind, ErrorPolicy, OnError, Settings};
use tidemill_testkit::fault::SimulatedFiles;

use crate::support::{IN, LIMIT, OUT, never, out, shared_log, soon, start, wait_until};

const SUMS: Store<String, i64> = Store::of("sums");

/// Sums the values of each key, and fails at 3 the first `times` times, behind the sum. Says how often it came there.
fn fails(times: u32) -> (Topology, Arc<AtomicU32>) {
    let (builder, calls) = (StreamsBuilder::new(), Arc::new(AtomicU32::new(0)));
    let counted = calls.clone();
    let input = builder.stream(&IN);
    let sums = input.group_by_key().aggregate(&SUMS, || 0, |sum: i64, _key, value| sum + value);
    sums.to_stream().to(&OUT);
    let check = move |_: &String, value: &i64| {
        if *value == 3 && counted.fetch_add(1, Ordering::SeqCst) < times { Err("three is refused") } else { Ok(*value) }
    };
    input.try_map_values(check).for_each(|_, _| ());
    (builder.build().unwrap(), calls)
}

/// New workers at once, so often at most.
fn replace(retries: u32, settings: Settings) -> Settings {
    let response = OnError::ReplaceWorkers;
    let on_error = ErrorPolicy { response, retries, back_off: Duration::from_millis(1), ..ErrorPolicy::default() };
    Settings { on_error, ..settings }
}

async fn settled(app: &App) {
    tokio::time::timeout(LIMIT, app.settled()).await.expect("it goes on").unwrap();
}

async fn ends(app: &App) -> tidemill::Error {
    tokio::time::timeout(LIMIT, app.ended()).await.expect("it ends").unwrap_err()
}

/// What lies behind a failure is done once, whatever was staged and not committed when it happened.
async fn each_once(log: &Arc<dyn Log>, settings: Settings) {
    let (topology, calls) = fails(3);
    let app = start(topology, log, replace(3, settings)).await;
    let feed = app.feed("numbers");
    let mut batch = feed.batch();
    (1..=4).for_each(|value| batch.add(&IN, "a", value).unwrap());
    batch.send(vec![4]).await.unwrap();
    settled(&app).await;
    assert_eq!((out(&app), calls.load(Ordering::SeqCst)), (vec![1, 3, 6, 10], 4));
    assert_eq!(app.table(&SUMS).get("a").await.unwrap(), Some(10));
    assert!(matches!(app.state(), AppState::Running));
    let errors = app.metrics().errors;
    assert!(errors.iter().any(|error| error.message.contains("three is refused")), "{errors:?}");
    app.close().await.unwrap();
}

#[tokio::test]
async fn replaced_workers_do_each_record_once_in_memory() {
    each_once(&shared_log(), soon()).await;
    // All of it in one epoch, which is rolled back each time.
    each_once(&shared_log(), never()).await;
}

#[tokio::test]
async fn replaced_workers_do_each_record_once_on_disk() {
    let files = SimulatedFiles::new();
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open_on(Arc::new(files), LogSettings::default()).unwrap());
    each_once(&log, soon()).await;
}

#[tokio::test]
async fn stores_on_disk_are_opened_again_by_new_workers() {
    let folder = tempfile::tempdir().unwrap();
    let (topology, _) = fails(2);
    // Flushed at every commit, so that a checkpoint is what new workers begin with.
    let settings = Settings { flush_rows: 1, ..replace(2, soon()) };
    let app = App::builder("app", topology).embedded(folder.path().join("data")).settings(settings);
    let app = app.start().await.unwrap();
    for value in 1..=4 {
        app.send(&IN, "a", value).await.unwrap();
    }
    settled(&app).await;
    assert_eq!((out(&app), app.table(&SUMS).get("a").await.unwrap()), (vec![1, 3, 6, 10], Some(10)));
    app.close().await.unwrap();
}

#[tokio::test]
async fn one_that_fails_always_is_bounded_and_then_the_error_counts() {
    let (topology, calls) = fails(u32::MAX);
    let app = start(topology, &shared_log(), replace(2, soon())).await;
    app.send(&IN, "a", 1).await.unwrap();
    settled(&app).await;
    app.send(&IN, "a", 3).await.unwrap();
    let error = ends(&app).await;
    assert_eq!((error.kind(), calls.load(Ordering::SeqCst)), (ErrorKind::Processing, 3));
    assert!(error.to_string().contains("record 1 of topic `in` partition 0: three is refused"), "{error}");
    assert_eq!(out(&app), [1]);
    assert_eq!(app.close().await.unwrap_err().to_string(), error.to_string());
}

#[tokio::test]
async fn all_threads_are_replaced_together() {
    let (topology, calls) = fails(2);
    let builder = App::builder("app", topology).log(shared_log()).settings(replace(2, soon()));
    let app = builder.topic(&IN, 4).topic(&OUT, 4).threads(4).start().await.unwrap();
    let keys = ["a", "b", "c", "d", "e", "f"];
    for value in [1, 2, 3, 4] {
        for key in keys {
            // Others' threes pass once the first two have failed.
            app.send(&IN, key, value).await.unwrap();
        }
    }
    settled(&app).await;
    let mut outputs = app.subscribe(&OUT).unwrap();
    let mut sums = Vec::new();
    while let records @ [_, ..] = &*outputs.read().unwrap() {
        sums.extend(records.iter().map(|record| record.value.unwrap()));
    }
    sums.sort_unstable();
    let expected: Vec<i64> = [1, 3, 6, 10].into_iter().flat_map(|sum| [sum; 6]).collect();
    assert_eq!((sums, app.workers()), (expected, 4));
    assert!(calls.load(Ordering::SeqCst) >= 8, "six threes pass, and two failed before");
    app.close().await.unwrap();
}

#[tokio::test]
async fn the_program_decides_for_each_error() {
    let (topology, calls) = fails(u32::MAX);
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let decide = move |error: &tidemill::Error| {
        assert!(error.to_string().contains("three is refused"));
        if counted.fetch_add(1, Ordering::SeqCst) < 1 { OnError::ReplaceWorkers } else { OnError::StopClient }
    };
    let mut settings = replace(9, soon());
    settings.on_error.response = OnError::StopClient;
    let app = App::builder("app", topology).log(shared_log()).settings(settings).on_error(decide);
    let app = app.start().await.unwrap();
    app.send(&IN, "a", 3).await.unwrap();
    assert_eq!(ends(&app).await.kind(), ErrorKind::Processing);
    assert_eq!((asked.load(Ordering::SeqCst), calls.load(Ordering::SeqCst)), (2, 2), "once for each error");
}

#[tokio::test]
async fn a_close_does_not_wait_for_the_pause_before_new_workers() {
    let (topology, _) = fails(u32::MAX);
    let mut settings = replace(1, soon());
    settings.on_error.back_off = Duration::from_secs(3_600);
    let log = shared_log();
    let app = start(topology, &log, settings).await;
    app.send(&IN, "a", 3).await.unwrap();
    wait_until("the failure", || matches!(app.state(), AppState::Rebalancing)).await;
    let missing = app.table(&SUMS).get("a").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Elsewhere, "{missing}");
    app.close_within(Duration::from_secs(20)).await.unwrap();
    let app = start(fails(0).0, &log, soon()).await;
    settled(&app).await;
    assert_eq!(out(&app), [3]);
    app.close().await.unwrap();
}
