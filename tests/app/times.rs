//! Times of records that come as one batch, and so run one after another without a choice among queues.

use tidemill::record::{Headers, Timestamp};
use tidemill::stream::{Consumed, StreamsBuilder};
use tidemill::topology::TimestampExtractor;
use tidemill::{App, ManualClock};

use crate::support::{IN, OUT, out, shared_log, soon, start};

#[tokio::test]
async fn on_a_clock_that_stands_still_it_settles_all_the_same() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).to(&OUT);
    let app = App::builder("app", builder.build().unwrap()).memory().clock(ManualClock::default());
    let app = app.start().await.unwrap();
    app.send(&IN, "a", 7).await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(out(&app), [7]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_record_without_time_gets_the_greatest_of_those_before_it_in_the_same_batch() {
    let builder = StreamsBuilder::new();
    builder.stream_with(&IN, Consumed::timestamps(TimestampExtractor::PartitionTimeOnInvalid)).to(&OUT);
    let app = start(builder.build().unwrap(), &shared_log(), soon()).await;
    let feed = app.feed("times");
    let mut batch = feed.batch();
    for time in [5, 9, 7, -1] {
        batch.add_with(&IN, "a", 1, Timestamp::from_millis(time), &Headers::NONE).unwrap();
    }
    batch.send(vec![]).await.unwrap();
    app.settled().await.unwrap();
    let times: Vec<i64> =
        app.subscribe(&OUT).unwrap().read().unwrap().iter().map(|record| record.timestamp.as_millis()).collect();
    assert_eq!(times, [5, 9, 7, 9]);
    app.close().await.unwrap();
}
