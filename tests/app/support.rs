//! Topics, topologies and settings that the tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tidemill::log::{Append, Log, MemoryLog, Notes};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Settings, Topic};

pub(crate) const IN: Topic<String, i64> = Topic::of("in");
pub(crate) const OUT: Topic<String, i64> = Topic::of("out");
pub(crate) const SUMS: Store<String, i64> = Store::of("sums");

/// Long enough for anything that happens at all.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Nothing is committed before something asks for it.
pub(crate) fn never() -> Settings {
    Settings { commit_interval: Duration::from_secs(3_600), ..soon() }
}

pub(crate) fn soon() -> Settings {
    Settings {
        commit_interval: Duration::from_millis(5),
        flush_rows: 1_000,
        log: LOG,
        stores: tidemill::store::StoreSettings { cache_bytes: 1 << 20, write_buffer_bytes: 1 << 20 },
        ..Settings::default()
    }
}

const LOG: tidemill::log::LogSettings = tidemill::log::LogSettings {
    durability: tidemill::log::Durability::Never,
    segment_bytes: 1 << 20,
    recent_bytes: 1 << 20,
    clean_bytes: 1 << 20,
};

/// Sums the values of each key; every sum goes out.
pub(crate) fn sums() -> Topology {
    let builder = StreamsBuilder::new();
    let sums = builder.stream(&IN).group_by_key().aggregate(&SUMS, || 0, |sum: i64, _key, value| sum + value);
    sums.to_stream().to(&OUT);
    builder.build().unwrap()
}

/// Passes values on, and adds each to `seen` while it does.
pub(crate) fn watched(seen: &Arc<AtomicI64>) -> Topology {
    let (builder, seen) = (StreamsBuilder::new(), seen.clone());
    let look = move |_: &String, value: &i64| {
        seen.fetch_add(*value, Ordering::SeqCst);
    };
    builder.stream(&IN).peek(look).to(&OUT);
    builder.build().unwrap()
}

/// A log that several runs share.
pub(crate) fn shared_log() -> Arc<dyn Log> {
    Arc::new(MemoryLog::default())
}

/// Starts `topology` on a log that outlives the application.
pub(crate) async fn start(topology: Topology, log: &Arc<dyn Log>, settings: Settings) -> App {
    App::builder("app", topology).log(log.clone()).settings(settings).start().await.unwrap()
}

/// The committed values of `OUT`.
pub(crate) fn out(app: &App) -> Vec<i64> {
    app.subscribe(&OUT).unwrap().read().unwrap().into_iter().map(|record| record.value.unwrap()).collect()
}

/// Waits until something has happened in another thread.
pub(crate) async fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if happened() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}

/// Appends a record past the application's own sender.
pub(crate) fn append(log: &dyn Log, topic: &Topic<String, i64>, value: i64, time: i64) {
    let mut records = BatchBuilder::default();
    records.push(Timestamp::from_millis(time), Some(b"a"), Some(&value.to_be_bytes()), &Headers::NONE);
    let append = Append { to: TopicPartition::new(topic.name(), 0), records: records.finish(Offset::ZERO) };
    log.append(vec![append], "", Notes::new()).unwrap();
}
