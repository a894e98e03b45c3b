//! A join with a table that is made of the join's own results: what it sees depends on the records' times.

use std::sync::atomic::{AtomicBool, Ordering};

use tidemill::record::{Headers, Timestamp};
use tidemill::state::Store;
use tidemill::stream::{Stream, StreamsBuilder};
use tidemill::topology::Topology;
use tidemill::{App, Topic};

use crate::support::{IN, OUT, append, out, shared_log, soon, start};

const BALANCES: Store<String, i64> = Store::of("balances");
const DECIDED: Topic<String, i64> = Topic::of("decided");

fn balances() -> Topology {
    looped(|results| {
        results.to(&OUT);
    })
}

/// Sums up what comes out, by way of `close`, and writes beside each input the sum that it met.
fn looped(close: impl FnOnce(Stream<'_, String, i64>)) -> Topology {
    let builder = StreamsBuilder::new();
    let balances = builder.stream(&OUT).group_by_key().aggregate(&BALANCES, || 0, |sum: i64, _key, value| sum + value);
    let operations = builder.stream(&IN);
    operations.left_join(&balances, |_operation, balance| *balance.unwrap_or(&0)).to(&DECIDED);
    close(operations.left_join(&balances, |operation, _balance| *operation));
    builder.build().unwrap()
}

/// The sums that operations met which were sent together, at these times; in the end it is `sum`.
async fn met(topology: Topology, times: [i64; 3], sum: i64) -> Vec<i64> {
    let app = App::builder("loop", topology).memory().settings(soon()).start().await.unwrap();
    let feed = app.feed("operations");
    let mut batch = feed.batch();
    for time in times {
        batch.add_with(&IN, "alice", 10, Timestamp::from_millis(time), &Headers::NONE).unwrap();
    }
    batch.send(vec![]).await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(app.table(&BALANCES).get("alice").await.unwrap(), Some(sum));
    let decided = app.subscribe(&DECIDED).unwrap().read().unwrap();
    app.close().await.unwrap();
    decided.into_iter().map(|record| record.value.unwrap()).collect()
}

#[tokio::test]
async fn each_record_meets_what_the_one_before_it_did_if_it_is_later() {
    assert_eq!(met(balances(), [1, 2, 3], 30).await, [0, 10, 20]);
}

#[tokio::test]
async fn records_of_equal_times_can_go_before_what_they_should_meet() {
    // The second goes before the movement of the first: the order of Kafka Streams' heap among equal times.
    assert_eq!(met(balances(), [1, 1, 1], 30).await, [0, 0, 10]);
}

#[tokio::test]
async fn a_loop_through_a_chosen_topic_is_as_quick_as_one_through_a_fixed_one() {
    let topology = looped(|results| {
        results.to_chosen(|_, _, _| OUT.name().to_owned(), OUT.key_serde(), OUT.value_serde());
    });
    assert_eq!(met(topology, [1, 2, 3], 30).await, [0, 10, 20]);
}

#[tokio::test]
async fn the_first_record_that_writes_to_an_own_input_ends_a_run() {
    // The first operation writes nothing back, so it does not end the run that the later ones are in.
    let from_the_second = |results: Stream<'_, String, i64>| {
        let first = AtomicBool::new(true);
        results.filter(move |_, _| !first.swap(false, Ordering::SeqCst)).to(&OUT);
    };
    assert_eq!(met(looped(from_the_second), [1, 2, 3], 20).await, [0, 0, 10]);
}

#[tokio::test]
async fn a_record_that_comes_meanwhile_and_is_earlier_goes_first() {
    const OTHER: Topic<String, i64> = Topic::of("other");
    let log = shared_log();
    let (builder, outside) = (StreamsBuilder::new(), log.clone());
    // While the first or the second record of a batch is processed, somebody writes to the empty topic beside it.
    let write = move |_: &String, value: &i64| {
        if *value == 1 || *value == 2 {
            append(&*outside, &OTHER, value * 10, *value);
        }
    };
    builder.stream(&IN).peek(write).merge(&builder.stream(&OTHER)).to(&OUT);
    let app = start(builder.build().unwrap(), &log, soon()).await;
    let feed = app.feed("operations");
    let mut batch = feed.batch();
    for value in 1..=4 {
        batch.add_with(&IN, "a", value, Timestamp::from_millis(value), &Headers::NONE).unwrap();
    }
    batch.send(vec![]).await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(out(&app), [1, 10, 2, 20, 3, 4]);
    app.close().await.unwrap();
}
