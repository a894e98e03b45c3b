//! Held back changes come out exactly once, however often the application is dropped in between.

use std::collections::BTreeMap;

use tidemill::Settings;
use tidemill::state::Emit;
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::{TaskSettings, Topology};

use crate::restarts::start_on;
use crate::support::{IN, OUT, SUMS, never, soon};

/// Sums the values of each key, and lets them out as `emit` says.
fn sums(emit: Emit) -> Topology {
    let builder = StreamsBuilder::new();
    let kept = Materialized::store(&SUMS).emit(emit);
    builder.stream(&IN).group_by_key().reduce_with(kept, |sum, value| sum + value).to_stream().to(&OUT);
    builder.build().unwrap()
}

fn with_cache(cache_bytes: u64, settings: Settings) -> Settings {
    Settings { tasks: TaskSettings { cache_bytes, ..TaskSettings::default() }, ..settings }
}

/// Keys come three times in a row, so that there is something to hold back for a small cache too.
const fn key(number: u32) -> u32 {
    number / 3 % 7
}

/// Feeds ones to seven keys, with an end after each 50 records that is a drop without a commit every other time. Gives how
/// many records came out; their values are checked.
async fn fed_over_restarts(emit: Emit, cache_bytes: u64) -> usize {
    const ROUNDS: u32 = 8;
    let folder = tempfile::tempdir().unwrap();
    let (folder, topology) = (folder.path().join("data"), sums(emit));
    for round in 0..ROUNDS {
        let commits = round % 2 == 0;
        let app = start_on(&folder, &topology, &with_cache(cache_bytes, if commits { soon() } else { never() })).await;
        let feed = app.feed("ones");
        let mut batch = feed.batch();
        for number in round * 50..(round + 1) * 50 {
            batch.add(&IN, format!("key-{}", key(number)), 1).unwrap();
        }
        batch.send(round.to_be_bytes().to_vec()).await.unwrap();
        if commits {
            app.settled().await.unwrap();
        }
        drop(app);
    }
    let app = start_on(&folder, &topology, &with_cache(cache_bytes, soon())).await;
    app.settled().await.unwrap();
    let expected =
        |wanted: u32| i64::try_from((0..ROUNDS * 50).filter(|number| key(*number) == wanted).count()).unwrap();
    let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let records = app.subscribe(&OUT).unwrap().read().unwrap();
    let count = records.len();
    records.into_iter().for_each(|record| seen.entry(record.key).or_default().push(record.value.unwrap()));
    for number in 0..7 {
        let name = format!("key-{number}");
        let sums = &seen[&name];
        assert!(sums.is_sorted_by(|a, b| a < b), "{emit:?}: each sum of {name} once, in order: {sums:?}");
        assert_eq!(sums.last(), Some(&expected(number)), "{emit:?}: nothing of {name} is lost or doubled");
        assert_eq!(app.table(&SUMS).get(name.as_str()).await.unwrap(), Some(expected(number)));
    }
    app.close().await.unwrap();
    count
}

#[tokio::test]
async fn changes_of_a_commit_come_out_once_over_restarts() {
    let (at_once, held_back) =
        (fed_over_restarts(Emit::EveryUpdate, 0).await, fed_over_restarts(Emit::OnCommit, 0).await);
    assert_eq!(at_once, 400);
    assert!(held_back < at_once, "{held_back} records");
}

#[tokio::test]
async fn changes_in_a_cache_come_out_once_over_restarts() {
    let (small, large) = (fed_over_restarts(Emit::Cached, 200).await, fed_over_restarts(Emit::Cached, 1 << 20).await);
    assert!(large < small && small < 400, "{large} and {small} records");
}
