//! Windows, sessions and versions of a working application can be asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill::record::{Headers, Timestamp};
use tidemill::state::{SessionStore, VersionedStore, WindowStore};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::Topology;
use tidemill::window::{Session, Tumbling, Window, Windowed};
use tidemill::{App, AppBuilder, ErrorKind, Settings, Topic};

use crate::support::{IN, LIMIT, never, shared_log, soon, start};

const COUNTS: WindowStore<String, i64> = WindowStore::of("counts");
const VISITS: SessionStore<String, i64> = SessionStore::of("visits");
const PRICES: Topic<String, Option<i64>> = Topic::of("prices");
const PRICE_TABLE: Topic<String, i64> = Topic::of("prices");
const PRICED: VersionedStore<String, i64> = VersionedStore::of("priced", Duration::from_millis(1_000));

/// Windows of 100 ms, kept for 500 ms; sessions that a pause of 100 ms ends.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let records = builder.stream(&IN).group_by_key();
    let windows = Tumbling::of(Duration::from_millis(100)).with_grace(Duration::from_millis(400));
    let kept = Materialized::windows(&COUNTS).retention(Duration::from_millis(500));
    records.windowed_by(windows).count_with(kept);
    let sessions = Session::gap(Duration::from_millis(100)).with_grace(Duration::from_millis(400));
    records.windowed_by(sessions).count_with(&VISITS);
    builder.build().unwrap()
}

fn times(from: i64, to: i64) -> std::ops::RangeInclusive<Timestamp> {
    Timestamp::from_millis(from)..=Timestamp::from_millis(to)
}

/// Rows as text: key, start, end, value.
fn shown(rows: Result<Vec<(Windowed<String>, i64)>, tidemill::Error>) -> Vec<String> {
    let row = |(Windowed { key, window }, value)| {
        let Window { start, end } = window;
        format!("{key}@{}..{}={value}", start.as_millis(), end.as_millis())
    };
    rows.unwrap().into_iter().map(row).collect()
}

async fn send(app: &App, records: &[(&str, i64)]) {
    for (key, time) in records {
        app.send_with(&IN, *key, 1, (*time).into(), &Headers::NONE).await.unwrap();
    }
    app.settled().await.unwrap();
}

const RECORDS: [(&str, i64); 8] =
    [("b", 10), ("a", 20), ("a", 130), ("c", 50), ("a", 20), ("ab", 170), ("b", 250), ("a", 299)];

async fn windows_are_found(builder: AppBuilder) {
    let settings = Settings { flush_rows: 2, ..soon() };
    let app = builder.settings(settings).topic(&IN, 3).start().await.unwrap();
    send(&app, &RECORDS[..5]).await;
    let counts = app.table(&COUNTS);
    assert_eq!(counts.get("a", 0).await.unwrap(), Some(2));
    send(&app, &RECORDS[5..]).await;
    for counts in [counts.dirty(), counts] {
        assert_eq!(counts.get("a", 0).await.unwrap(), Some(2));
        assert_eq!(counts.get_with_time("a", 100).await.unwrap(), Some((1, Timestamp::from_millis(130))));
        assert_eq!((counts.get("a", 50).await.unwrap(), counts.get("z", 0).await.unwrap()), (None, None));
        let own = ["a@0..100=2", "a@100..200=1", "a@200..300=1"];
        assert_eq!(shown(counts.fetch("a", times(0, 200)).await), own);
        assert_eq!(shown(counts.fetch("a", times(1, 199)).await), own[1..2]);
        assert_eq!(shown(counts.fetch("a", times(0, 900)).backward().limit(2).await), [own[2], own[1]]);
        let all = [own[0], "b@0..100=1", "c@0..100=1", own[1], "ab@100..200=1", own[2], "b@200..300=1"];
        assert_eq!(shown(counts.all().await), all);
        assert_eq!(shown(counts.all().limit(2).await), all[..2]);
        assert_eq!(shown(counts.all().limit(0).await), [""; 0]);
        assert_eq!(shown(counts.all().backward().limit(3).await), [all[6], all[5], all[4]]);
        assert_eq!(shown(counts.fetch_all(times(100, 199)).await), all[3..5]);
        let (from, to) = (Some("ab".to_owned()), Some("b".to_owned()));
        assert_eq!(shown(counts.fetch_range(from.clone(), to, times(0, 200)).await), [all[1], all[4], all[6]]);
        assert_eq!(shown(counts.fetch_range(from, None, times(0, 0)).await), [all[1], all[2]]);
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn windows_in_memory_are_found_by_key_and_time_over_all_partitions() {
    windows_are_found(App::builder("app", topology()).memory()).await;
}

#[tokio::test]
async fn windows_on_disk_are_found_by_key_and_time_over_all_partitions() {
    let folder = tempfile::tempdir().unwrap();
    windows_are_found(App::builder("app", topology()).embedded(folder.path().join("data"))).await;
}

#[tokio::test]
async fn sessions_are_found_by_key_and_time() {
    let app = App::builder("app", topology()).memory().settings(soon()).topic(&IN, 3).start().await.unwrap();
    send(&app, &RECORDS).await;
    let visits = app.table(&VISITS);
    for visits in [visits.dirty(), visits] {
        assert_eq!(visits.get("a", Window::of_millis(20, 20)).await.unwrap(), Some(2));
        assert_eq!(visits.get("a", Window::of_millis(20, 21)).await.unwrap(), None);
        assert_eq!(visits.get("b", Window::of_millis(250, 250)).await.unwrap(), Some(1));
        let own = ["a@20..20=2", "a@130..130=1", "a@299..299=1"];
        assert_eq!(shown(visits.fetch("a").await), own);
        assert_eq!(shown(visits.find("a", times(100, 200)).await), own[1..2]);
        assert_eq!(shown(visits.fetch("a").backward().await), [own[2], own[1], own[0]]);
        let all = ["b@10..10=1", own[0], "c@50..50=1", own[1], "ab@170..170=1", "b@250..250=1", own[2]];
        assert_eq!(shown(visits.all().await), all);
        let range = visits.fetch_range(Some("ab".into()), None, times(0, 200));
        assert_eq!(shown(range.await), [all[0], all[2], all[4]]);
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn windows_that_were_let_go_are_not_found() {
    for flush_rows in [1, 1_000_000] {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { flush_rows, ..soon() };
        let builder = App::builder("app", topology()).embedded(folder.path().join("data")).settings(settings);
        let app = builder.start().await.unwrap();
        let counts = app.table(&COUNTS);
        send(&app, &[("a", 10), ("a", 450)]).await;
        assert_eq!(shown(counts.all().await), ["a@0..100=1", "a@400..500=1"]);
        // The first window is the retention behind now, though its segment is still there.
        send(&app, &[("a", 500)]).await;
        assert_eq!(shown(counts.all().await), ["a@400..500=1", "a@500..600=1"]);
        assert_eq!(counts.get("a", 0).await.unwrap(), None);
        send(&app, &[("a", 1_000_000)]).await;
        assert_eq!(shown(counts.all().await), ["a@1000000..1000100=1"]);
        assert_eq!(shown(counts.dirty().all().await), ["a@1000000..1000100=1"]);
        app.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_window_is_seen_once_it_is_committed_and_before_that_by_a_dirty_question() {
    let app = start(topology(), &shared_log(), never()).await;
    let counts = app.table(&COUNTS);
    assert_eq!(counts.get("a", 0).await.unwrap(), None);
    let sent = app.send_with(&IN, "a", 1, 10.into(), &Headers::NONE).await.unwrap();
    while counts.dirty().get("a", 0).await.unwrap().is_none() {}
    assert_eq!((counts.get("a", 0).await.unwrap(), shown(counts.all().await)), (None, Vec::new()));
    let counts = counts.at_least(sent.clone(), LIMIT);
    assert_eq!(shown(counts.all().await), ["a@0..100=1"]);
    assert_eq!(shown(app.table(&VISITS).at_least(sent, LIMIT).fetch("a").await), ["a@10..10=1"]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn many_random_windows_are_found_as_a_model_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { flush_rows: 50, partitions: 2, ..soon() };
    let builder = App::builder("app", topology()).embedded(folder.path().join("data")).settings(settings);
    let app = builder.start().await.unwrap();
    let feed = app.feed("random");
    let mut random = 7_u64;
    let mut model: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for round in 0..30_i64 {
        let mut batch = feed.batch();
        for _ in 0..100 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (key, time) =
                (format!("key-{}", (random >> 33) % 50), 40 * round + i64::from((random >> 40) as u8 % 100));
            batch.add_with(&IN, key.clone(), 1, time.into(), &Headers::NONE).unwrap();
            *model.entry((time / 100 * 100, key)).or_default() += 1;
        }
        let position = batch.send(vec![]).await.unwrap();
        let counts = app.table(&COUNTS).at_least(position, LIMIT);
        // Both partitions have seen windows as late as that.
        let latest = model.last_key_value().unwrap().0.0;
        let first = latest - 300;
        let expected = model.range((first, String::new())..);
        let expected: Vec<_> =
            expected.map(|((start, key), count)| format!("{key}@{start}..{}={count}", start + 100)).collect();
        assert_eq!(shown(counts.fetch_all(times(first, i64::MAX)).await), expected, "round {round}");
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn versions_are_found_as_of_a_time() {
    let folder = tempfile::tempdir().unwrap();
    for (flush_rows, on_disk) in [(1, true), (1_000, true), (1_000, false)] {
        let builder = StreamsBuilder::new();
        builder.table_with(&PRICE_TABLE, &PRICED);
        let builder = App::builder("app", builder.build().unwrap());
        let folder = folder.path().join(format!("{flush_rows}-{on_disk}"));
        let builder = if on_disk { builder.embedded(folder) } else { builder.memory() };
        let app = builder.settings(Settings { flush_rows, ..soon() }).start().await.unwrap();
        for (time, price) in [(100, Some(1)), (200, Some(2)), (300, None), (400, Some(4))] {
            app.send_with(&PRICES, "tea", price, time.into(), &Headers::NONE).await.unwrap();
        }
        app.settled().await.unwrap();
        let prices = app.table(&PRICED);
        for prices in [prices.dirty(), app.table(&PRICED)] {
            assert_eq!(prices.get("tea").await.unwrap().map(|now| (now.value, now.to)), Some((4, None)));
            assert_eq!(prices.get("milk").await.unwrap(), None);
            for (time, expected) in [(99, None), (100, Some(1)), (299, Some(2)), (300, None), (1_000, Some(4))] {
                let found = prices.get_as_of("tea", time).await.unwrap();
                assert_eq!(found.map(|version| version.value), expected, "as of {time}");
            }
            let versions = async |from, to| {
                let found = prices.versions("tea", times(from, to)).await.unwrap();
                found.into_iter().map(|version| version.value).collect::<Vec<_>>()
            };
            assert_eq!(versions(0, 99).await, [0; 0]);
            assert_eq!(versions(0, 1_000).await, [1, 2, 4]);
            assert_eq!(versions(150, 200).await, [1, 2]);
            assert_eq!(versions(300, 399).await, [0; 0]);
            assert_eq!(versions(350, 400).await, [4]);
        }
        // From now on the first two are forgotten: all of the time asked for lies before what is kept.
        app.send_with(&PRICES, "tea", Some(5), 1_350.into(), &Headers::NONE).await.unwrap();
        app.settled().await.unwrap();
        assert_eq!(prices.versions("tea", times(0, 340)).await.unwrap(), []);
        assert_eq!(prices.versions("tea", times(0, 400)).await.unwrap().len(), 1);
        app.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_descriptor_of_another_kind_is_refused() {
    let app = App::builder("app", topology()).memory().start().await.unwrap();
    const WRONG: SessionStore<String, i64> = SessionStore::of("counts");
    let error = app.table(&WRONG).fetch("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("timestamped window of 100 ms"), "{error}");
    const NONE: WindowStore<String, i64> = WindowStore::of("none");
    assert_eq!(app.table(&NONE).all().await.unwrap_err().kind(), ErrorKind::Unknown);
    app.close().await.unwrap();
}
