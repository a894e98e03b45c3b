//! Avro: schemas of others, and bytes that they are said to describe.

use std::sync::{Arc, LazyLock};

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use tidemill::avro::{
    Avro, Codec, Confluent, EmptyAsNull, MemoryRegistry, PlainAvro, Resolution, Schema, SchemaId, SchemaRegistry,
    SingleObject, SubjectRegistry, TopicRegistry,
};
use tidemill::fuzzing::round_trip;
use tidemill::log::{Append, Log, MemoryLog, Notes};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::serde::{Data, Serde, SerdeRef};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
enum Color {
    Red,
    Green,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, Data)]
struct Shape {
    name: String,
    sides: Vec<i32>,
    color: Color,
    inner: Option<Box<Shape>>,
    size: f64,
}

/// Schemas of every kind of type; some can be read as others.
static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    let texts = [
        r#""null""#,
        r#""boolean""#,
        r#""int""#,
        r#""long""#,
        r#""double""#,
        r#""bytes""#,
        r#""string""#,
        r#"["null","string",{"type":"array","items":"int"}]"#,
        r#"{"type":"map","values":{"type":"array","items":"null"}}"#,
        r#"{"type":"enum","name":"E","symbols":["A","B","C"]}"#,
        r#"{"type":"enum","name":"E","symbols":["B"],"default":"B"}"#,
        r#"{"type":"fixed","name":"F","size":3}"#,
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","R"],"default":null}]}"#,
        r#"{"type":"record","name":"R","fields":[{"name":"c","type":"string","default":"x"},{"name":"b","type":["null","R"],
            "default":null},{"name":"a","type":"double"}]}"#,
        r#"[{"type":"record","name":"U","fields":[]},{"type":"record","name":"V","fields":[{"name":"s","type":"string"}]}]"#,
    ];
    texts.into_iter().map(|text| Schema::parse(text).expect("a schema")).collect()
});

/// Texts of schemas: over several lines it is the same schema. The canonical form need not be, where a name without a namespace lies in
/// one with: there Avro's own form loses it.
pub(crate) fn schemas(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(schema) = Schema::parse(text) else { return };
    let again = Schema::parse(&schema.pretty()).expect("a schema over several lines is one");
    assert_eq!((again.canonical(), again.id()), (schema.canonical(), schema.id()));
    let _ = Schema::parse(schema.canonical());
    check_values(&schema, bytes);
}

/// Values of known schemas, and of each schema as each other one: the first byte says which.
pub(crate) fn values(bytes: &[u8]) {
    let Some((which, body)) = bytes.split_first() else { return };
    let schema = &SCHEMAS[usize::from(*which) % SCHEMAS.len()];
    check_values(schema, body);
    for reader in SCHEMAS.iter() {
        check_versions(schema, reader, body);
    }
}

/// Two schemas, and a value of the first one: parted by bytes 0.
pub(crate) fn versions(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let mut schema = || Schema::parse(std::str::from_utf8(parts.next()?).ok()?).ok();
    let (Some(writer), Some(reader)) = (schema(), schema()) else { return };
    check_versions(&writer, &reader, parts.next().unwrap_or_default());
}

/// What passes as a value has the same bytes again from its JSON, unless a map's order or a block's length was another one.
fn check_values(schema: &Schema, body: &[u8]) {
    let same = Resolution::new(schema, schema);
    let Ok((json, taken)) = schema.to_json(body) else { return };
    let Ok(same) = same else { return };
    let (resolved, length) = same.resolve(body).expect("what JSON can say is a value");
    assert_eq!((length, resolved.len()), (taken, taken));
    let written = schema.from_json(&json).expect("the JSON of a value is one");
    assert_eq!(schema.to_json(&written).expect("what was written is a value").0.to_string(), json.to_string());
}

/// What a resolution gives is a value of the reader's schema, all of it.
fn check_versions(writer: &Schema, reader: &Schema, body: &[u8]) {
    let Ok(reading) = Resolution::new(writer, reader) else { return };
    let Ok((resolved, taken)) = reading.resolve(body) else { return };
    assert!(taken <= body.len());
    match Resolution::new(reader, reader).map(|same| same.resolve(&resolved).map(|(_, taken)| taken)) {
        Ok(Ok(length)) => assert_eq!(length, resolved.len(), "nothing is left over"),
        // Defaults may stand for more than the bytes that they are made of can pay for.
        Ok(Err(error)) => assert!(error.to_string().contains("more than a reader"), "{error}"),
        Err(_) => {}
    }
}

/// Serdes of types, with and without registries.
pub(crate) fn serdes(bytes: &[u8]) {
    let registry = Arc::new(MemoryRegistry::new());
    for schema in SCHEMAS.iter() {
        registry.put(schema).expect("memory takes it");
        registry.register("s", schema).expect("memory takes it");
    }
    let codec = || Codec::<Shape>::derived().expect("a derived schema");
    round_trip(&PlainAvro::new(codec()), bytes);
    round_trip(&Avro::<Shape>::new(), bytes);
    round_trip(&SingleObject::new(codec(), registry.clone()), bytes);
    round_trip(&Confluent::new(codec(), registry.clone(), "s"), bytes);
    let texts = Codec::<String>::derived().expect("a derived schema");
    let maybe: SerdeRef<Option<String>> = SerdeRef::new(EmptyAsNull::new(SingleObject::new(texts, registry)));
    round_trip(&maybe, bytes);
    let _ = maybe.read_nullable(Some(bytes));
}

/// Records of the registry's topic: the first byte says how long the key is.
pub(crate) fn registry(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (key, value) = rest.split_at(usize::from(*length).min(rest.len()));
    let log = Arc::new(MemoryLog::new());
    let registry = TopicRegistry::open(log.clone()).expect("a topic in memory");
    let mut batch = BatchBuilder::default();
    batch.push(Timestamp::ZERO, Some(key), Some(value), &Headers::NONE);
    batch.push(Timestamp::ZERO, Some(key), None, &Headers::NONE);
    batch.push(Timestamp::ZERO, Some(key), Some(value), &Headers::NONE);
    let append = Append { to: TopicPartition::new("schemas-v1", 0), records: batch.finish(Offset::ZERO) };
    log.append(vec![append], "", Notes::new()).expect("memory takes it");
    let known = registry.ids().expect("a topic in memory");
    if let Ok(id) = <[u8; 8]>::try_from(key) {
        assert_eq!(known, [SchemaId::from_be_bytes(id)]);
        let _ = registry.get(known[0]);
    }
}
