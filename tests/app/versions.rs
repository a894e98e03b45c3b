//! Versions of rows, and records that wait for them, are there after a restart.

use std::time::Duration;

use tidemill::record::{Headers, Timestamp};
use tidemill::state::VersionedStore;
use tidemill::stream::{Joined, StreamsBuilder};
use tidemill::topology::Topology;
use tidemill::{App, Settings, Topic};

use crate::restarts::start_on;
use crate::support::{IN, OUT, out, soon};

const RATES: Topic<String, i64> = Topic::of("rates");
const VERSIONS: VersionedStore<String, i64> = VersionedStore::of("versions", Duration::from_secs(48));

/// Sales by the rate of their time, which may come a second late.
fn sales() -> Topology {
    let builder = StreamsBuilder::new();
    let rates = builder.table_with(&RATES, &VERSIONS);
    let patient = Joined::grace(Duration::from_secs(1));
    let priced = builder.stream(&IN).left_join_with(&rates, patient, |sale, rate| sale * rate.unwrap_or(&-1));
    priced.named("priced").to(&OUT);
    builder.build().unwrap()
}

async fn send(app: &App, topic: &Topic<String, i64>, value: i64, at: i64) {
    app.send_with(topic, "usd", value, Timestamp::from_millis(at), &Headers::NONE).await.unwrap();
    app.settled().await.unwrap();
}

#[tokio::test]
async fn a_restart_knows_the_past_and_who_waits_for_it() {
    // Everything is written down at once, or nothing is, and the changelogs have it all.
    for flush_rows in [1, 1_000] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("data");
        let settings = Settings { flush_rows, ..soon() };
        let app = start_on(&folder, &sales(), &settings).await;
        send(&app, &RATES, 2, 1_000).await;
        send(&app, &RATES, 3, 5_000).await;
        send(&app, &RATES, 9, 50_000).await;
        send(&app, &IN, 10, 2_000).await;
        send(&app, &IN, 20, 2_500).await;
        drop(app);
        let app = start_on(&folder, &sales(), &settings).await;
        assert_eq!(out(&app), Vec::<i64>::new());
        // Too old by half a second: the store remembers the greatest time that it has seen.
        send(&app, &RATES, 8, 1_500).await;
        send(&app, &RATES, 7, 2_400).await;
        send(&app, &IN, 30, 6_000).await;
        assert_eq!(out(&app), [20, 140]);
        app.close().await.unwrap();
        let app = start_on(&folder, &sales(), &settings).await;
        send(&app, &IN, 40, 7_000).await;
        assert_eq!(out(&app), [20, 140, 90]);
        app.close().await.unwrap();
    }
}
