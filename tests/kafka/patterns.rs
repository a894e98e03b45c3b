//! A source by pattern on a real broker, and topics that come after the start, while two processes share the work.

use std::path::Path;
use std::time::Duration;

use tidemill::log::kafka::{KafkaLog, KafkaSettings};
use tidemill::log::{Append, Log, Notes, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::serde::SerdeRef;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Settings};

use crate::support::wait_until;

const SUMS: Store<String, i64> = Store::of("sums");
const PARTITIONS: u32 = 2;

fn kafka() -> KafkaSettings {
    KafkaSettings { session_timeout: Duration::from_secs(6), ..KafkaSettings::new(crate::brokers()) }
}

fn topology(prefix: &str) -> Topology {
    let builder = StreamsBuilder::new();
    let pattern = format!("{}orders-.*", prefix.replace('.', "\\."));
    let all = builder.stream_matching(&pattern, &SerdeRef::<String>::of(), &SerdeRef::<i64>::of());
    all.group_by_key().aggregate(&SUMS, || 0, |sum: i64, _key, value| sum + value);
    builder.build().unwrap()
}

async fn start(prefix: &str, folder: &Path) -> App {
    let settings = Settings {
        topics_interval: Duration::from_millis(500),
        commit_interval: Duration::from_millis(50),
        ..Settings::default()
    };
    let app = App::builder(&format!("{prefix}app"), topology(prefix)).kafka(kafka()).settings(settings);
    app.state_folder(folder).start().await.unwrap()
}

/// One record in each partition, whose key says which.
fn put(log: &dyn Log, topic: &str) {
    for partition in 0..PARTITIONS {
        let (mut records, key) = (BatchBuilder::default(), format!("key-{partition}"));
        records.push(Timestamp::from_millis(1), Some(key.as_bytes()), Some(&1_i64.to_be_bytes()), &Headers::NONE);
        let to = TopicPartition::new(topic, partition);
        log.append(vec![Append { to, records: records.finish(Offset::ZERO) }], "", Notes::new()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_read_topics_that_come_later() {
    let (prefix, log) = (crate::prefix(), KafkaLog::open(kafka()).unwrap());
    log.create_topic(&TopicSpec::new(format!("{prefix}orders-0"), PARTITIONS)).unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (one, two) = (start(&prefix, folders[0].path()).await, start(&prefix, folders[1].path()).await);
    for round in 1..=3_u64 {
        let topic = format!("{prefix}orders-{round}");
        log.create_topic(&TopicSpec::new(topic.clone(), PARTITIONS)).unwrap();
        put(&log, &topic);
        put(&log, &format!("{prefix}orders-0"));
        let read = || {
            let progress = log.progress(&format!("{prefix}app")).unwrap();
            progress.inputs.values().map(|at| at.next.get()).sum::<u64>()
        };
        // Offsets of transactions' marks count too, so there may be more of them.
        let expected = round * 2 * u64::from(PARTITIONS);
        tokio::task::block_in_place(|| wait_until("the new topic is read", || read() >= expected));
        let running = || {
            let of =
                |app: &App| app.instances().iter().filter(|one| one.is_here).map(|one| one.active.len()).sum::<usize>();
            (of(&one), of(&two))
        };
        tokio::task::block_in_place(|| wait_until("both have a share", || running() == (1, 1)));
        let mut sums = Vec::new();
        for app in [&one, &two] {
            for partition in 0..PARTITIONS {
                let rows = app.table(&SUMS).dirty().get(format!("key-{partition}")).await;
                sums.extend(rows.ok().flatten());
            }
        }
        assert!(sums.iter().all(|sum| *sum == 2 * round as i64), "round {round}: {sums:?}");
    }
    one.close().await.unwrap();
    two.close().await.unwrap();
}
