//! An application on the embedded log gives room back while it runs: processed repartition records go, changelogs are compacted.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tidemill::log::{Durability, EmbeddedLog, Log, LogSettings};
use tidemill::record::{Headers, Offset, Timestamp, TopicPartition};
use tidemill::state::{Changelog, WindowStore};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::Topology;
use tidemill::window::Tumbling;
use tidemill::{App, Clock, ErrorKind, Settings, SystemClock, Topic};

use crate::support::{IN, SUMS, soon, wait_until};

const RESULT: Topic<String, i64> = Topic::of("result");

/// Sums the values of a few groups, behind a repartition topic.
fn grouped() -> Topology {
    let builder = StreamsBuilder::new();
    builder
        .stream(&IN)
        .group_by(|_key, value| format!("group-{}", value % 3))
        .named("by-group")
        .reduce_with(Materialized::store(&SUMS).in_memory(), |sum, value| sum + value)
        .to_stream()
        .to(&RESULT);
    builder.build().unwrap()
}

/// The machine's time, and some days more.
#[derive(Clone, Default)]
struct Later(Arc<AtomicI64>);

impl Later {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() + self.0.load(Ordering::SeqCst))
    }
}

fn settings() -> Settings {
    Settings { clean_interval: Duration::from_millis(5), ..soon() }
}

fn small_segments() -> LogSettings {
    LogSettings { durability: Durability::Never, segment_bytes: 4 << 10, recent_bytes: 1 << 10, clean_bytes: 1 << 20 }
}

#[tokio::test]
async fn a_running_application_takes_back_what_it_has_processed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("log");
    let (clock, repartition) = (Later::default(), TopicPartition::new("app-by-group-repartition", 0));
    let changelog = TopicPartition::new("app-sums-changelog", 0);
    {
        let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(&folder, small_segments()).unwrap());
        let app = App::builder("app", grouped()).log(log.clone()).settings(settings()).clock(clock.clone());
        let app = app.start().await.unwrap();
        for _ in 0..20 {
            for value in 0..50 {
                app.send(&IN, "a", value).await.unwrap();
            }
            app.settled().await.unwrap();
            clock.advance(Duration::from_secs(31));
        }
        // One more commit, after the interval: it deletes what the ones before it have processed.
        app.send(&IN, "a", 0).await.unwrap();
        app.settled().await.unwrap();
        let bounds = log.bounds(&repartition).unwrap();
        assert!(
            bounds.start.get() >= 950,
            "of {} repartition records those from {} are kept",
            bounds.end,
            bounds.start
        );
        wait_until("compaction", || {
            let batches = log.read(&changelog, log.bounds(&changelog).unwrap().start, usize::MAX).unwrap();
            batches.iter().map(|batch| batch.count()).sum::<u32>() < 300
        })
        .await;
        app.close().await.unwrap();
    }
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(&folder, small_segments()).unwrap());
    let app = App::builder("app", grouped()).log(log).settings(settings()).clock(clock).start().await.unwrap();
    assert!(app.restored() < 300, "{} records were restored for 3 rows", app.restored());
    let sums = app.table(&SUMS).all().await.unwrap();
    let total: i64 = sums.into_iter().map(|(_, sum)| sum).sum();
    assert_eq!(total, 20 * (0..50).sum::<i64>());
    app.close().await.unwrap();
}

/// Sums the values of each key on disk; a value of 0 deletes the row.
fn deletable() -> Topology {
    let builder = StreamsBuilder::new();
    let combine = |sum: i64, value: &i64| (*value != 0).then_some(sum + value);
    builder.stream(&IN).group_by_key().reduce_with(&SUMS, combine).to_stream().to(&RESULT);
    builder.build().unwrap()
}

#[tokio::test]
async fn a_store_that_missed_a_removed_tombstone_does_not_keep_the_deleted_row() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    let clock = Later::default();
    let start = async || loop {
        // Rows are written down at a close only.
        let mut settings = Settings { flush_rows: usize::MAX, log: small_segments(), ..settings() };
        settings.tasks.changelog = Changelog::EveryUpdate;
        let app = App::builder("app", deletable()).embedded(&folder).settings(settings).clock(clock.clone());
        match app.start().await {
            Err(error) if error.kind() == ErrorKind::Locked => tokio::task::yield_now().await,
            started => return started.unwrap(),
        }
    };
    let app = start().await;
    for key in 0..60 {
        app.send(&IN, format!("deleted-{key}"), 1).await.unwrap();
    }
    app.close().await.unwrap();
    let app = start().await;
    for key in 0..60 {
        app.send(&IN, format!("deleted-{key}"), 0).await.unwrap();
    }
    for _ in 0..6 {
        for _ in 0..120 {
            app.send(&IN, "stays", 1).await.unwrap();
        }
        app.settled().await.unwrap();
        clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    drop(app);
    let changelog = TopicPartition::new("app-sums-changelog", 0);
    wait_until("letting go of the folder", || {
        EmbeddedLog::open(&folder, small_segments())
            .is_ok_and(|log| log.complete_from(&changelog, Duration::ZERO).unwrap() > Offset::ZERO)
    })
    .await;
    let app = start().await;
    assert_eq!(app.table(&SUMS).all().await.unwrap(), [("stays".to_owned(), 720)]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn the_changelog_of_windows_does_not_grow_for_ever_and_loses_no_window_of_old_data() {
    const COUNTS: WindowStore<String, i64> = WindowStore::of("counts");
    let topology = || {
        let builder = StreamsBuilder::new();
        let windows = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(Duration::from_secs(3_600)));
        let counts =
            windows.count_with(Materialized::windows(&COUNTS).in_memory().retention(Duration::from_secs(7_200)));
        counts.to_stream().map(|row, n| (row.to_string(), *n)).to(&RESULT);
        builder.build().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let changelog = TopicPartition::new("app-counts-changelog", 0);
    let hour = 3_600_000;
    // The records are of 1970; the clock is today's.
    for part in 0..2 {
        let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(folder.path().join("log"), small_segments()).unwrap());
        let app = App::builder("app", topology()).log(log.clone()).settings(settings()).start().await.unwrap();
        assert!(app.restored() < 120, "{} records were restored", app.restored());
        for time in part * 100..part * 100 + 100 {
            for key in ["a", "b"] {
                let time = Timestamp::from_millis(time * hour + 5);
                app.send_with(&IN, key, 1, time, &Headers::NONE).await.unwrap();
            }
            app.settled().await.unwrap();
        }
        // One more record for the youngest window: its count is known, so its row was restored or is there.
        let time = Timestamp::from_millis((part * 100 + 99) * hour + 7);
        app.send_with(&IN, "a", 1, time, &Headers::NONE).await.unwrap();
        app.settled().await.unwrap();
        let last = app.subscribe(&RESULT).unwrap().read().unwrap().pop().unwrap();
        assert_eq!(last.value, Some(2), "part {part}");
        let started = |log: &Arc<dyn Log>| log.bounds(&changelog).unwrap().start.get();
        wait_until("old windows leave", || started(&log) > u64::try_from(part).unwrap() * 200 + 50).await;
        app.close().await.unwrap();
        drop(log);
        let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(folder.path().join("log"), small_segments()).unwrap());
        let app = App::builder("app", topology()).log(log).settings(settings()).start().await.unwrap();
        app.send_with(&IN, "a", 1, time, &Headers::NONE).await.unwrap();
        app.settled().await.unwrap();
        let last = app.subscribe(&RESULT).unwrap().read().unwrap().pop().unwrap();
        assert_eq!(last.value, Some(3), "the window was restored in part {part}");
        app.close().await.unwrap();
    }
}
