//! Sources by pattern, and topics that come after the start.

use std::sync::Arc;
use std::time::Duration;

use tidemill::log::{Append, Log, MemoryLog, Notes, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::serde::SerdeRef;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Settings};

use crate::support::{SUMS, soon, wait_until};

/// Sums by key, of all topics that begin with `orders-`.
fn sums_of_orders() -> Topology {
    let builder = StreamsBuilder::new();
    let all = builder.stream_matching("orders-.*", &SerdeRef::<String>::of(), &SerdeRef::<i64>::of());
    all.group_by_key().aggregate(&SUMS, || 0, |sum: i64, _key, value| sum + value);
    builder.build().unwrap()
}

fn put(log: &dyn Log, topic: &str, value: i64) {
    let mut records = BatchBuilder::default();
    records.push(Timestamp::ZERO, Some(b"all"), Some(&value.to_be_bytes()), &Headers::NONE);
    let to = TopicPartition::new(topic, 0);
    log.append(vec![Append { to, records: records.finish(Offset::ZERO) }], "", Notes::new()).unwrap();
}

fn create(log: &dyn Log, topic: &str, partitions: u32) {
    log.create_topic(&TopicSpec::new(topic, partitions)).unwrap();
}

async fn start(log: &Arc<dyn Log>) -> App {
    let settings = Settings { topics_interval: Duration::from_millis(20), ..soon() };
    App::builder("app", sums_of_orders()).log(log.clone()).settings(settings).start().await.unwrap()
}

/// Waits until the sum is so.
async fn wait_for(app: &App, sum: i64) {
    for _ in 0..3_000 {
        if let Ok(Some(found)) = app.table(&SUMS).get("all").await
            && found == sum
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the sum is not {sum} but {:?}", app.table(&SUMS).get("all").await);
}

#[tokio::test]
async fn topics_that_come_later_are_read_from_their_start_and_nothing_is_read_twice() {
    let log: Arc<dyn Log> = Arc::new(MemoryLog::default());
    create(&*log, "orders-0", 1);
    let app = start(&log).await;
    let mut sum = 0;
    for round in 1..=5_i64 {
        let topic = format!("orders-{round}");
        create(&*log, &topic, 1);
        for known in 0..=round {
            put(&*log, &format!("orders-{known}"), round);
            sum += round;
        }
        wait_for(&app, sum).await;
    }
    create(&*log, "other", 1);
    put(&*log, "orders-2", 1_000);
    app.settled().await.unwrap();
    assert_eq!(app.table(&SUMS).get("all").await.unwrap(), Some(sum + 1_000));
    app.close().await.unwrap();
    let app = start(&log).await;
    assert_eq!(app.table(&SUMS).get("all").await.unwrap(), Some(sum + 1_000), "also after a restart");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_topic_that_does_not_fit_is_left_out_and_the_others_go_on() {
    let log: Arc<dyn Log> = Arc::new(MemoryLog::default());
    create(&*log, "orders-0", 1);
    let app = start(&log).await;
    // The changelog has one partition, and another task would need one more.
    create(&*log, "orders-1", 3);
    put(&*log, "orders-1", 5);
    put(&*log, "orders-0", 7);
    wait_for(&app, 7).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    wait_for(&app, 7).await;
    assert!(!app.state().is_over());
    wait_until("it goes on", || {
        put(&*log, "orders-0", 0);
        log.progress("app").unwrap().inputs[&TopicPartition::new("orders-0", 0)].next > Offset::new(1)
    })
    .await;
    app.close().await.unwrap();
}
