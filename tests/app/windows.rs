//! Windows survive a restart: their rows, what is late, and what has come out already.

use std::time::Duration;

use tidemill::record::Headers;
use tidemill::state::WindowStore;
use tidemill::stream::{Buffer, Materialized, StreamsBuilder, Suppressed};
use tidemill::topology::Topology;
use tidemill::window::{EmitStrategy, Tumbling};
use tidemill::{App, Settings, Topic};

use crate::restarts::start_on;
use crate::support::{IN, soon};

const COUNTS: WindowStore<String, i64> = WindowStore::of("counts");
const FINAL: WindowStore<String, i64> = WindowStore::of("final");
const UPDATES: Topic<String, i64> = Topic::of("updates");
const FINALS: Topic<String, i64> = Topic::of("finals");
const SUPPRESSED: Topic<String, i64> = Topic::of("suppressed");
const LATE: Topic<String, i64> = Topic::of("late");

fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let windows = Tumbling::of(Duration::from_millis(100)).with_grace(Duration::from_millis(50));
    let windowed = builder.stream(&IN).group_by_key().windowed_by(windows).late_to(&LATE);
    let counts = windowed.count_with(&COUNTS);
    counts.to_stream().map(|row, n| (row.to_string(), *n)).to(&UPDATES);
    let last = counts.suppress(Suppressed::until_window_closes(Buffer::unbounded()));
    last.to_stream().map(|row, n| (row.to_string(), *n)).to(&SUPPRESSED);
    let kept = Materialized::windows(&FINAL).retention(Duration::from_secs(10));
    let closing = builder.stream(&IN).group_by_key().windowed_by(windows);
    let closing = closing.emit_strategy(EmitStrategy::OnWindowClose).count_with(kept);
    closing.to_stream().map(|row, n| (row.to_string(), *n)).to(&FINALS);
    builder.build().unwrap()
}

fn read(app: &App, topic: &Topic<String, i64>) -> Vec<(String, i64)> {
    let records = app.subscribe(topic).unwrap().read().unwrap();
    records.into_iter().map(|record| (record.key, record.value.unwrap())).collect()
}

async fn send(app: &App, times: &[i64]) {
    for time in times {
        app.send_with(&IN, "a", 1, (*time).into(), &Headers::NONE).await.unwrap();
    }
    app.settled().await.unwrap();
}

/// Runs the same records with and without a restart in the middle of a window.
async fn run(stop_after: Option<usize>, settings: Settings) -> [Vec<(String, i64)>; 4] {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    let times = [10, 20, 110, 160, 30, 130, 400, 5];
    let mut app = start_on(&folder, &topology(), &settings).await;
    if let Some(number) = stop_after {
        send(&app, &times[..number]).await;
        drop(app);
        app = start_on(&folder, &topology(), &settings).await;
        send(&app, &times[number..]).await;
    } else {
        send(&app, &times).await;
    }
    let [updates, finals, suppressed] = [&UPDATES, &FINALS, &SUPPRESSED].map(|topic| read(&app, topic));
    let late = app.subscribe(&LATE).unwrap().read().unwrap();
    let late = late.into_iter().map(|record| (record.key, record.timestamp.as_millis())).collect();
    app.close().await.unwrap();
    [updates, finals, suppressed, late]
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_window_changes_nothing() {
    let settings = || {
        let mut settings = soon();
        settings.tasks.emit_interval = Duration::ZERO;
        settings
    };
    let [updates, finals, suppressed, late] = run(None, settings()).await;
    let row = |row: &str, n| (row.to_owned(), n);
    assert_eq!(finals, [row("a@0-100", 2), row("a@100-200", 3)]);
    assert_eq!(late, [row("a", 30), row("a", 5)]);
    assert_eq!(suppressed, finals);
    assert_eq!(updates.len(), 6);
    for stop_after in 1..8 {
        for flush_rows in [1, 1_000] {
            let settings = Settings { flush_rows, ..settings() };
            let again = run(Some(stop_after), settings).await;
            assert_eq!(
                again,
                [updates.clone(), finals.clone(), suppressed.clone(), late.clone()],
                "stopped after {stop_after}"
            );
        }
    }
}
