//! What a session has fetched ahead.

use std::time::Duration;

use tidemill::log::kafka::{KafkaLog, KafkaSettings};
use tidemill::log::{Append, Log, Notes, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

use crate::support::{Names, brokers, pause};

const RECORDS: u64 = 500;

/// Once it lost what had come of the others in the meantime, and they went on behind it.
#[test]
fn who_stops_reading_one_partition_keeps_what_was_fetched_of_the_others() {
    let names = Names::of("reading");
    let log = KafkaLog::open(KafkaSettings::new(brokers())).unwrap();
    let topic = names.topic("in");
    log.create_topic(&TopicSpec::new(topic.as_str(), 2)).unwrap();
    let partitions = [TopicPartition::new(topic.as_str(), 0), TopicPartition::new(topic.as_str(), 1)];
    let session = log.session(&names.application()).unwrap();
    for partition in &partitions {
        session.follow(partition, Offset::ZERO).unwrap();
    }
    let mut batch = BatchBuilder::default();
    for number in 0..RECORDS {
        batch.push(Timestamp::from_millis(1), None, Some(&number.to_be_bytes()), &Headers::NONE);
    }
    let records = batch.finish(Offset::ZERO);
    let appends = partitions.iter().map(|to| Append { to: to.clone(), records: records.clone() });
    log.append(appends.collect(), "", Notes::new()).unwrap();
    // The client has fetched it by then, and nobody has asked for it.
    pause(Duration::from_secs(1));
    session.unfollow(&partitions[1]);
    let (mut next, mut read) = (Offset::ZERO, 0);
    while read < RECORDS {
        for batch in session.read(&partitions[0], next, usize::MAX).unwrap() {
            next = batch.end();
            read += u64::from(batch.count());
        }
        assert!(next.get() <= RECORDS || read == RECORDS, "{read} of {RECORDS} records came, and {next} is next");
    }
}
