//! The registry's topic has Kaa's own bytes, and whoever reads it finds what was put before.

use std::sync::Arc;

use serde_json::Value;
use tidemill::avro::{AvroErrorKind, Schema, SchemaId, SchemaRegistry, TopicRegistry};
use tidemill::log::{Append, Cleanup, EmbeddedLog, Log, LogSettings, MemoryLog, Notes, TopicSpec};
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

/// The records of the registry's topic, as Kaa wrote them: key and value.
fn kaa() -> Vec<(Vec<u8>, Vec<u8>)> {
    let vectors: Value = serde_json::from_str(include_str!("../../avro/tests/kaa/vectors.json")).unwrap();
    let bytes = |text: &Value| {
        let digits: Vec<u8> = text.as_str().unwrap().chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    vectors["registry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| (bytes(&record["key"]), bytes(&record["value"])))
        .collect()
}

fn partition() -> TopicPartition {
    TopicPartition::new("schemas-v1", 0)
}

fn write(log: &dyn Log, records: &[(Vec<u8>, Vec<u8>)]) {
    let mut batch = BatchBuilder::default();
    for (key, value) in records {
        batch.push(Timestamp::ZERO, Some(key), Some(value), &Headers::NONE);
    }
    let append = Append { to: partition(), records: batch.finish(Offset::ZERO) };
    log.append(vec![append], "", Notes::new()).unwrap();
}

/// Keys and values of the whole topic.
fn read(log: &dyn Log) -> Vec<(Vec<u8>, Vec<u8>)> {
    let batches: Vec<Arc<Batch>> = log.read(&partition(), Offset::ZERO, 1 << 24).unwrap();
    let mut records = Vec::new();
    for batch in batches {
        let each = batch.for_each(|_, record| {
            assert_eq!(record.headers().unwrap(), Headers::NONE);
            records.push((record.key.unwrap().to_vec(), record.value.unwrap().to_vec()));
            Ok::<_, std::convert::Infallible>(())
        });
        each.unwrap();
    }
    records
}

#[test]
fn what_kaa_wrote_is_read() {
    let log = Arc::new(MemoryLog::new());
    let registry = TopicRegistry::open(log.clone()).unwrap();
    let records = kaa();
    write(&*log, &records);
    let mut found = 0;
    for (key, _) in &records {
        let id = SchemaId::from_be_bytes(key.as_slice().try_into().unwrap());
        let last = records.iter().rfind(|(other, _)| other == key).unwrap();
        let schema = registry.get(id).unwrap().unwrap();
        assert_eq!((schema.text().as_bytes(), schema.id()), (last.1.as_slice(), id), "the last text of an id counts");
        found += 1;
    }
    assert_eq!(found, 162);
    let mut ids: Vec<SchemaId> =
        records.iter().map(|(key, _)| SchemaId::from_be_bytes(key.as_slice().try_into().unwrap())).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(registry.ids().unwrap(), ids);
}

#[test]
fn what_is_put_has_kaas_bytes_once_for_each_id() {
    let log = Arc::new(MemoryLog::new());
    let registry = TopicRegistry::open(log.clone()).unwrap();
    let mut expected: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (key, value) in kaa() {
        registry.put(&Schema::parse(std::str::from_utf8(&value).unwrap()).unwrap()).unwrap();
        // Of several texts the first one stays: there is a schema of this id already.
        if expected.iter().all(|(known, _)| *known != key) {
            expected.push((key, value));
        }
    }
    assert_eq!(read(&*log), expected);
    let spec = log.topic("schemas-v1").unwrap().unwrap();
    assert_eq!((spec.partitions, spec.config.cleanup, spec.config.retention), (1, Cleanup::Compact, None));
}

#[test]
fn schemas_are_there_after_a_restart_and_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let schema =
        Schema::parse(r#"{"type":"record","name":"bank.Account","fields":[{"name":"balance","type":"int"}]}"#).unwrap();
    {
        let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(folder.path(), LogSettings::default()).unwrap());
        let (first, second) = (TopicRegistry::open(log.clone()).unwrap(), TopicRegistry::open(log).unwrap());
        assert!(second.get(schema.id()).unwrap().is_none());
        first.put(&schema).unwrap();
        assert_eq!(second.get(schema.id()).unwrap().unwrap().text(), schema.text());
    }
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(folder.path(), LogSettings::default()).unwrap());
    let registry = TopicRegistry::open(log.clone()).unwrap();
    assert_eq!(registry.get(SchemaId::new(5_954_662_915_099_642_308)).unwrap().unwrap().text(), schema.text());
    registry.put(&schema).unwrap();
    assert_eq!(log.bounds(&partition()).unwrap().end, Offset::new(1), "it is not written again");
}

#[test]
fn strange_records_harm_nobody() {
    let log = Arc::new(MemoryLog::new());
    let registry = TopicRegistry::open(log.clone()).unwrap();
    let int = Schema::parse("\"int\"").unwrap();
    let id = int.id().to_be_bytes().to_vec();
    write(
        &*log,
        &[
            (b"short".to_vec(), b"\"int\"".to_vec()),
            (id.clone(), vec![0xff]),
            (7_i64.to_be_bytes().to_vec(), b"{".to_vec()),
        ],
    );
    let error = registry.get(int.id()).unwrap_err();
    assert_eq!(error.kind(), AvroErrorKind::Schema);
    assert!(error.to_string().contains("under 8247732601305521295"), "{error}");
    assert!(registry.get(SchemaId::new(7)).is_err() && registry.get(SchemaId::new(8)).unwrap().is_none());
    registry.put(&int).unwrap();
    assert_eq!(registry.get(int.id()).unwrap().unwrap(), int, "a good text replaces the bad one");
    let mut batch = BatchBuilder::default();
    batch.push(Timestamp::ZERO, Some(&id), None, &Headers::NONE);
    log.append(vec![Append { to: partition(), records: batch.finish(Offset::ZERO) }], "", Notes::new()).unwrap();
    registry.ids().unwrap();
    assert!(registry.get(int.id()).unwrap().is_none(), "a tombstone takes it away");
}

#[test]
fn a_topic_of_several_partitions_is_refused() {
    let log = Arc::new(MemoryLog::new());
    log.create_topic(&TopicSpec::new("schemas-v1", 3)).unwrap();
    let error = TopicRegistry::open(log).unwrap_err();
    assert_eq!(error.kind(), AvroErrorKind::Registry);
    assert!(error.to_string().contains("`schemas-v1`"), "{error}");
}
