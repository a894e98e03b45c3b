//! Schemas on a topic of a cluster: Kaa's own records, found by every process.

use std::sync::Arc;

use tidemill::avro::{Codec, Schema, SchemaRegistry, SingleObject, TopicRegistry};
use tidemill::log::kafka::{KafkaLog, KafkaSettings};
use tidemill::serde::Serde;

use crate::support::{Input, Names, Producer, brokers, read_all, topic_config};

fn registry(topic: &str) -> TopicRegistry {
    let log = KafkaLog::open(KafkaSettings::new(brokers())).unwrap();
    TopicRegistry::on_topic(Arc::new(log), topic).unwrap()
}

#[test]
fn what_one_process_puts_another_one_finds() {
    let topic = Names::of("schemas").topic("schemas-v1");
    let (first, second) = (registry(&topic), registry(&topic));
    let account = Schema::parse(
        r#"{"type":"record","name":"Account","namespace":"bank","fields":[{"name":"balance","type":"int"}]}"#,
    )
    .unwrap();
    assert!(second.get(account.id()).unwrap().is_none());
    first.put(&account).unwrap();
    first.put(&account).unwrap();
    assert_eq!(second.get(account.id()).unwrap().unwrap().text(), account.text());
    // The record has Kaa's bytes, once, without headers.
    let records = read_all(brokers(), &topic);
    let [record] = &records[..] else { panic!("one record: {records:?}") };
    assert_eq!(record.key.as_deref(), Some(&5_954_662_915_099_642_308_i64.to_be_bytes()[..]));
    assert_eq!(record.value.as_deref(), Some(account.text().as_bytes()));
    assert!(record.headers.is_empty() && record.partition == 0);
    // A compacted topic keeps the last record of each key for ever, whatever its retention says.
    assert_eq!(topic_config(brokers(), &topic)["cleanup.policy"], "compact");
}

#[test]
fn a_value_is_read_by_whoever_has_the_topic() {
    let topic = Names::of("schemas").topic("schemas-v1");
    let writer = SingleObject::<i32>::new(Codec::derived().unwrap(), Arc::new(registry(&topic)));
    let reader = SingleObject::<i64>::new(Codec::derived().unwrap(), Arc::new(registry(&topic)));
    let mut bytes = Vec::new();
    writer.write(&-5, &mut bytes).unwrap();
    assert_eq!(bytes, b"\xc3\x01\x8f\x5c\x39\x3f\x1a\xd5\x75\x72\x09");
    assert_eq!(reader.read(&bytes).unwrap(), -5);
    let unknown = [&[0xc3, 0x01][..], &7_i64.to_le_bytes(), &[0]].concat();
    assert!(reader.read(&unknown).unwrap_err().to_string().contains("no schema has the id 7"));
}

#[test]
fn what_another_client_wrote_is_read() {
    let topic = Names::of("schemas").topic("schemas-v1");
    let registry = registry(&topic);
    let schema = Schema::parse(r#"["null","string"]"#).unwrap();
    let record = Input {
        key: Some(schema.id().to_be_bytes().to_vec()),
        value: Some(schema.text().as_bytes().to_vec()),
        ..Input::long("", 0, 1_700_000_000_000)
    };
    Producer::new(brokers()).write(&topic, &[record]);
    assert_eq!(registry.get(schema.id()).unwrap().unwrap().text(), schema.text());
}
