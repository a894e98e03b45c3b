//! What an application tells of itself: counts, lag, and what its tasks wait for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tidemill::processor::DropReason;
use tidemill::record::TopicPartition;
use tidemill::stream::{AsyncCalls, StreamsBuilder};
use tidemill::{App, ManualClock, Settings, TaskDoing, Topic};

use crate::support::{IN, OUT, SUMS, soon, sums, wait_until};

/// What was published, by name and labels.
#[derive(Clone, Default)]
struct Published(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Published {
    fn cell(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        self.0.lock().unwrap().entry(format!("{}{{{}}}", key.name(), labels.join(","))).or_default().clone()
    }

    fn count(&self, key: &str) -> Option<u64> {
        self.0.lock().unwrap().get(key).map(|cell| cell.load(Ordering::Relaxed))
    }
}

impl Recorder for Published {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn processed(app: &App) -> u64 {
    app.metrics().tasks.values().map(|task| task.processed).sum()
}

async fn send(app: &App, count: i64) {
    for value in 0..count {
        app.send(&IN, format!("key-{}", value % 10), value).await.unwrap();
    }
    app.settled().await.unwrap();
}

#[tokio::test]
async fn records_are_counted_where_they_come_from_go_to_and_are_dropped() {
    const MAYBE: Topic<Option<String>, Option<i64>> = Topic::of("in");
    let builder = StreamsBuilder::new();
    builder.stream(&MAYBE).group_by_key().count_with(&SUMS).to_stream().to(&OUT);
    let app = App::builder("app", builder.build().unwrap()).memory().settings(soon()).start().await.unwrap();
    for (key, value) in [(Some("a"), Some(1)), (None, Some(2)), (Some("a"), None), (Some("b"), Some(3))] {
        app.send(&MAYBE, key.map(str::to_owned), value).await.unwrap();
    }
    app.settled().await.unwrap();
    wait_until("a report", || processed(&app) == 4).await;
    let metrics = app.metrics();
    let (task, counts) = metrics.tasks.iter().next().unwrap();
    assert_eq!(task.to_string(), "0_0");
    let dropped = |reason| counts.dropped.get(reason);
    assert_eq!((dropped(DropReason::NullKey), dropped(DropReason::NullValue), counts.dropped.total()), (1, 1, 2));
    assert_eq!(counts.read[&TopicPartition::new("in", 0)].records, 4);
    let written: Vec<(&str, u64)> = counts.written.iter().map(|(topic, all)| (&**topic, all.records)).collect();
    assert_eq!(written, [("app-sums-changelog", 2), ("out", 2)]);
    let store = &counts.now.as_ref().unwrap().stores[0];
    assert!(&*store.store == "sums" && store.memory > 0, "{store:?}");
    let worker = &metrics.workers[&0];
    assert!(worker.alive && worker.commits > 0, "{worker:?}");
    app.close().await.unwrap();
}

#[tokio::test]
async fn counts_stay_when_tasks_move_between_workers() {
    let settings = Settings { threads: 1, partitions: 4, ..soon() };
    let app = App::builder("app", sums()).memory().settings(settings).start().await.unwrap();
    send(&app, 40).await;
    assert_eq!(app.add_worker().await.unwrap(), 2);
    send(&app, 40).await;
    assert_eq!(app.remove_worker().await.unwrap(), 1);
    send(&app, 40).await;
    wait_until("a report", || processed(&app) == 120).await;
    let metrics = app.metrics();
    assert!(metrics.tasks.values().all(|task| task.now.as_ref().is_some_and(|now| now.worker == 0)));
    assert_eq!(metrics.workers.values().map(|worker| worker.alive).collect::<Vec<_>>(), [true, false]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn records_are_counted_once_where_each_is_followed_by_one_that_the_application_reads_itself() {
    let builder = StreamsBuilder::new();
    let other_key = |key: &String, _: &i64| format!("other {key}");
    builder.stream(&IN).group_by(other_key).named("by-other").count().to_stream().to(&OUT);
    let app = App::builder("app", builder.build().unwrap()).memory().settings(soon()).start().await.unwrap();
    let feed = app.feed("all");
    let mut batch = feed.batch();
    (0..500).for_each(|value| batch.add(&IN, "a", value).unwrap());
    batch.send(Vec::new()).await.unwrap();
    app.settled().await.unwrap();
    wait_until("a report", || processed(&app) >= 1_000).await;
    let counts: Vec<u64> = app.metrics().tasks.values().map(|task| task.processed).collect();
    assert_eq!(counts, [500, 500]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn lag_is_what_is_left_of_each_partition() {
    let app = App::builder("app", sums()).memory().topic(&IN, 2).settings(soon()).start().await.unwrap();
    send(&app, 30).await;
    wait_until("a report", || app.lag().iter().map(|lag| lag.end.get()).sum::<u64>() == 30).await;
    let lag = app.lag();
    assert_eq!(lag.iter().map(|lag| lag.partition.to_string()).collect::<Vec<_>>(), ["in-0", "in-1"]);
    for lag in lag {
        assert_eq!((lag.records(), lag.uncommitted()), (0, 0), "{lag:?}");
        assert_eq!(lag.committed, Some(lag.end));
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_is_at_one_record_shows_as_that() {
    let (goes_on, waits) = mpsc::channel::<()>();
    let (builder, waits) = (StreamsBuilder::new(), Mutex::new(waits));
    builder.stream(&IN).peek(move |_, _| _ = waits.lock().unwrap().recv()).to(&OUT);
    let clock = ManualClock::default();
    let app = App::builder("app", builder.build().unwrap()).memory().clock(clock.clone());
    let app = app.settings(soon()).start().await.unwrap();
    wait_until("the task's word that it waits", || app.status().to_string().contains("waits for records")).await;
    app.send(&IN, "a", 1).await.unwrap();
    let doing = || app.status().tasks[0].doing.clone();
    wait_until("a look that finds the worker busy", || {
        clock.advance(Duration::from_secs(3));
        matches!(doing(), TaskDoing::Busy(since) if since > Duration::from_secs(20))
    })
    .await;
    assert!(app.status().to_string().contains("its worker is at one record"), "{}", app.status());
    drop(goes_on);
    wait_until("its end", || doing() == TaskDoing::WaitsForRecords).await;
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_task_that_waits_for_calls_says_how_many() {
    let (gate, builder) = (Arc::new(tokio::sync::Semaphore::new(0)), StreamsBuilder::new());
    let held = gate.clone();
    let call = move |_: &String, value: &i64| {
        let (gate, value) = (held.clone(), *value);
        async move {
            let _open = gate.acquire().await;
            Ok::<i64, std::io::Error>(value)
        }
    };
    builder.stream(&IN).map_async(AsyncCalls::unordered(2).held_max(4), call).to(&OUT);
    let app = App::builder("app", builder.build().unwrap()).memory().settings(soon()).start().await.unwrap();
    for value in 0..2 {
        app.send(&IN, "a", value).await.unwrap();
    }
    let doing = || app.status().tasks[0].doing.clone();
    wait_until("a task that waits", || doing() == TaskDoing::WaitsForCalls { open: 2, is_full: false }).await;
    assert_eq!(app.metrics().tasks.values().next().unwrap().now.as_ref().unwrap().open_calls, 2);
    for value in 2..9 {
        app.send(&IN, "a", value).await.unwrap();
    }
    wait_until("a full task", || doing() == TaskDoing::WaitsForCalls { open: 2, is_full: true }).await;
    gate.add_permits(100);
    wait_until("the answers", || doing() == TaskDoing::WaitsForRecords).await;
    app.close().await.unwrap();
}

/// The recorder is that of the whole process, so other tests publish to it too, under other applications' ids.
#[tokio::test]
async fn an_application_publishes_to_the_recorder_that_is_installed() {
    let published = Published::default();
    ::metrics::set_global_recorder(published.clone()).expect("no other test installs one");
    let app = App::builder("told", sums()).memory().settings(soon()).start().await.unwrap();
    send(&app, 25).await;
    let key = "tidemill_process_total{application=told,task=0_0}";
    wait_until("a count that is published while it runs", || published.count(key) == Some(25)).await;
    app.close().await.unwrap();
    assert_eq!(published.count("tidemill_records_produced_total{application=told,task=0_0,topic=out}"), Some(25));
    let state = |state| published.count(&format!("tidemill_client_state{{application=told,state={state}}}"));
    assert_eq!((state("running"), state("closing")), (Some(0.0_f64.to_bits()), Some(1.0_f64.to_bits())));
}
