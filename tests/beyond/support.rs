//! Runs the same records in one go, with the task copied in between, and over restarts on the embedded log.

use std::path::Path;
use std::time::Duration;

use tidemill::record::{Batch, Headers, TopicPartition};
use tidemill::state::Changelog;
use tidemill::task::{Fingerprint, Task};
use tidemill::topology::Topology;
use tidemill::{App, ErrorKind, Settings, Topic};

use crate::tasks::{batch, queue, task};

pub(crate) const IN: Topic<String, i64> = Topic::of("in");
pub(crate) const OUT: Topic<String, i64> = Topic::of("out");

/// Time, key and value.
pub(crate) type Sent = (i64, &'static str, i64);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn feed(task: &mut Task, records: &[Sent]) {
    let input = queue(task, IN.name());
    let base = task.fetch_position(input).get();
    task.enqueue(input, &batch(base, records)).unwrap();
    while task.process().unwrap().is_some() {}
}

fn commit(task: &mut Task) -> Vec<(TopicPartition, Batch)> {
    task.prepare_commit().unwrap();
    task.take_progress();
    task.state().outputs().take_all()
}

/// Asserts that a copy of the task, taken after any number of the records, goes on as the task itself does.
pub(crate) fn assert_copies_go_on(topology: &Topology, records: &[Sent]) {
    let begun = || task(topology, Changelog::EveryUpdate);
    for (place, _) in records.iter().enumerate() {
        let (before, after) = records.split_at(place);
        let mut original = begun();
        feed(&mut original, before);
        let mut bytes = Vec::new();
        original.snapshot(&mut bytes).unwrap();
        let mut copy = begun();
        copy.restore(&bytes).unwrap();
        assert_eq!(copy.fingerprint().unwrap(), Fingerprint::of(&bytes), "copied after {place}");
        feed(&mut original, after);
        feed(&mut copy, after);
        assert_eq!(copy.fingerprint().unwrap(), original.fingerprint().unwrap(), "copied after {place}");
        assert_eq!(commit(&mut copy), commit(&mut original), "copied after {place}");
    }
}

/// Commits soon, and keeps little in memory, so that stores on disk are read too.
pub(crate) fn soon() -> Settings {
    Settings {
        commit_interval: ms(5),
        flush_rows: 1,
        log: tidemill::log::LogSettings {
            durability: tidemill::log::Durability::Never,
            segment_bytes: 1 << 20,
            recent_bytes: 1 << 20,
            clean_bytes: 1 << 20,
        },
        stores: tidemill::store::StoreSettings { cache_bytes: 1 << 20, write_buffer_bytes: 1 << 20 },
        ..Settings::default()
    }
}

/// Starts on a folder, once the application that was dropped has let go of it.
pub(crate) async fn start(folder: &Path, topology: &Topology, settings: &Settings) -> App {
    loop {
        match App::builder("app", topology.clone()).embedded(folder).settings(settings.clone()).start().await {
            Err(error) if error.kind() == ErrorKind::Locked => tokio::task::yield_now().await,
            started => return started.unwrap(),
        }
    }
}

pub(crate) async fn send(app: &App, records: &[Sent]) {
    for (time, key, value) in records {
        app.send_with(&IN, *key, *value, (*time).into(), &Headers::NONE).await.unwrap();
    }
    app.settled().await.unwrap();
}

/// What an application has written to `OUT`.
pub(crate) fn read(app: &App) -> Vec<(String, i64)> {
    let records = app.subscribe(&OUT).unwrap().read().unwrap();
    records.into_iter().map(|record| (record.key, record.value.unwrap())).collect()
}

/// Asserts that a crash after any number of the records, whatever was flushed by then, does not show in `OUT`.
pub(crate) async fn assert_restarts_do_not_show(topology: &Topology, records: &[Sent], expected: &[(&str, i64)]) {
    let expected: Vec<(String, i64)> = expected.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
    for stop_after in 0..=records.len() {
        for flush_rows in [1, 1_000] {
            let settings = Settings { flush_rows, ..soon() };
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().join("data");
            let app = start(&folder, topology, &settings).await;
            send(&app, &records[..stop_after]).await;
            drop(app);
            let app = start(&folder, topology, &settings).await;
            send(&app, &records[stop_after..]).await;
            assert_eq!(read(&app), expected, "stopped after {stop_after}, flushed at {flush_rows} rows");
            app.close().await.unwrap();
        }
    }
}
