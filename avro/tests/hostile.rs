//! Bytes and schemas that were made to harm: each is an error, soon, without memory or stack to match what it claims.

use std::sync::Arc;

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use tidemill_avro::{
    Avro, AvroErrorKind, Codec, Confluent, MemoryRegistry, PlainAvro, Resolution, Schema, SchemaRegistry, SingleObject,
};
use tidemill_dsl::serde::Serde;

const LIST: &str = r#"{"type":"record","name":"Node","fields":[
    {"name":"value","type":"int"},{"name":"next","type":["null","Node"],"default":null}]}"#;

#[derive(Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
struct Node {
    value: i32,
    next: Option<Box<Node>>,
}

fn schema(text: &str) -> Schema {
    Schema::parse(text).unwrap()
}

/// Why a schema's own bytes are refused, in the kind that says so; as JSON they are refused too.
#[track_caller]
fn refused(text: &str, bytes: &[u8], because: &str) {
    let schema = schema(text);
    let error = Resolution::new(&schema, &schema).unwrap().resolve(bytes).expect_err("these are no value");
    assert_eq!(error.kind(), AvroErrorKind::Malformed);
    assert!(error.to_string().contains(because), "{error}");
    schema.to_json(bytes).expect_err("these are no value");
}

/// A number as Avro writes it.
fn long(number: i64) -> Vec<u8> {
    schema("\"long\"").from_json(&number.into()).unwrap()
}

#[test]
fn lengths_that_nothing_follows() {
    for length in [i64::MAX, 1 << 40, 5] {
        let bytes = [long(length), vec![2, 2]].concat();
        for text in ["\"bytes\"", "\"string\"", r#"{"type":"map","values":"int"}"#, r#"{"type":"array","items":"int"}"#]
        {
            refused(text, &bytes, "more were to come");
        }
    }
    for length in [-1, i64::MIN] {
        refused("\"bytes\"", &long(length), "is none");
    }
    refused(r#"{"type":"fixed","name":"f","size":4294967296}"#, &[1, 2], "more were to come");
    refused(r#"{"type":"array","items":"int"}"#, &[long(i64::MIN), long(3)].concat(), "items");
}

#[test]
fn items_that_have_no_bytes() {
    let many = [long(1 << 40), long(0)].concat();
    refused(r#"{"type":"array","items":"null"}"#, &many, "more than a reader");
    let empty = r#"{"type":"array","items":{"type":"record","name":"r","fields":[]}}"#;
    refused(empty, &many, "more than a reader");
    let nothing = r#"{"type":"array","items":{"type":"fixed","name":"f","size":0}}"#;
    refused(nothing, &many, "more than a reader");
    // Few of them are fine.
    let few = [long(1_000), long(0)].concat();
    assert_eq!(schema(empty).to_json(&few).unwrap().0.as_array().unwrap().len(), 1_000);
}

#[test]
fn defaults_for_very_many_records() {
    let old = schema(r#"{"type":"array","items":{"type":"record","name":"r","fields":[]}}"#);
    let text = "x".repeat(100_000);
    let new = schema(&format!(
        r#"{{"type":"array","items":{{"type":"record","name":"r","fields":[{{"name":"a","type":"string","default":"{text}"}}]}}}}"#
    ));
    let error = Resolution::new(&old, &new).unwrap().resolve(&[long(50_000), long(0)].concat()).unwrap_err();
    assert!(error.to_string().contains("becomes more than"), "{error}");
}

#[test]
fn nesting_without_end() {
    let deep = [1_u8, 2].repeat(1_000_000);
    refused(LIST, &deep, "nests deeper than 128");
    let codec = Codec::<Node>::derived().unwrap();
    PlainAvro::new(codec).read(&deep).unwrap_err();
    // As deep as may be comes through, serde included.
    let most = [[2_u8, 2].repeat(127), vec![2, 0]].concat();
    let node = PlainAvro::new(codec).read(&most).unwrap();
    let mut depth = 1;
    let mut at = &node;
    while let Some(next) = &at.next {
        (depth, at) = (depth + 1, next);
    }
    assert_eq!((depth, node.value), (128, 1));
    let lists = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(60), "}".repeat(60));
    refused(&lists, &[2].repeat(59), "more were to come");
}

#[test]
fn truncated_anywhere() {
    let text = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","double"]},
        {"name":"c","type":{"type":"map","values":{"type":"array","items":"long"}}},{"name":"d","type":"boolean"}]}"#;
    let value = serde_json::json!({"a": "text", "b": {"double": 1.5}, "c": {"k": [1, 300]}, "d": true});
    let bytes = schema(text).from_json(&value).unwrap();
    let same = Resolution::new(&schema(text), &schema(text)).unwrap();
    for end in 0..bytes.len() {
        assert_eq!(same.resolve(&bytes[..end]).unwrap_err().kind(), AvroErrorKind::Malformed, "{end}");
    }
    assert_eq!(same.resolve(&bytes).unwrap().1, bytes.len());
}

#[test]
fn numbers_of_nothing() {
    refused(r#"["null","int"]"#, &long(2), "no number 2");
    refused(r#"["null","int"]"#, &long(-1), "no number -1");
    refused("[]", &long(0), "no number 0");
    refused(r#"{"type":"enum","name":"e","symbols":["A"]}"#, &long(1), "no number 1");
    refused("\"boolean\"", &[2], "0 or 1");
    refused("\"int\"", &long(1 << 33), "32 bits");
    refused("\"long\"", &[0xff; 11], "64 bits");
    refused("\"string\"", &[4, 0xc3, 0x28], "UTF-8");
}

#[test]
fn schemas_that_nobody_knows() {
    let registry = Arc::new(MemoryRegistry::new());
    let single = SingleObject::<i64>::new(Codec::derived().unwrap(), registry.clone());
    let bytes = [&[0xc3, 0x01][..], &7_i64.to_le_bytes(), &[2]].concat();
    assert!(single.read(&bytes).unwrap_err().to_string().contains("no schema has the id 7"));
    assert!(Avro::<i64>::new().read(&bytes).unwrap_err().to_string().contains("was written with schema 7"));
    let confluent = Confluent::<i64>::of_values(Codec::derived().unwrap(), registry.clone(), "t");
    assert!(confluent.read(&[0, 0, 0, 0, 9, 2]).unwrap_err().to_string().contains("no schema 9"));
    // Once it is known, it is found.
    let int = schema("\"int\"");
    registry.put(&int).unwrap();
    assert_eq!(single.read(&[&[0xc3, 0x01][..], &int.id().to_le_bytes(), &[2]].concat()).unwrap(), 1);
    for bytes in [&[][..], &[0xc3], &[0xc3, 0x01, 1], &[0, 0, 0], b"{}"] {
        single.read(bytes).unwrap_err();
        confluent.read(bytes).unwrap_err();
    }
}

#[test]
fn schemas_that_meet_in_very_many_ways() {
    // A chain of records, each of which mentions the one before it: as deep as the text is long.
    let mut members = vec![r#"{"type":"record","name":"r0","fields":[]}"#.to_owned()];
    members.extend((1..9_000).map(|n| {
        format!(r#"{{"type":"record","name":"r{n}","fields":[{{"name":"a","type":["null","r{}"]}}]}}"#, n - 1)
    }));
    let chain = schema(&format!("[{}]", members.join(",")));
    let node = schema(r#"{"type":"record","name":"n","fields":[{"name":"a","type":["null","n"],"default":null}]}"#);
    let reading = Resolution::new(&chain, &node).unwrap();
    assert_eq!(&reading.resolve(&[0]).unwrap().0[..], [0], "r0 has no `a`, which is null by default");
    let twice = Resolution::new(&chain, &chain).unwrap();
    assert_eq!(&twice.resolve(&[0]).unwrap().0[..], [0]);
}

#[test]
fn a_default_that_contains_itself() {
    let old = schema(r#"{"type":"record","name":"o","fields":[]}"#);
    let own = r#"{"type":"record","name":"n","fields":[{"name":"a","type":"n","default":{}}]}"#;
    let error = Resolution::new(&old, &schema(own)).unwrap_err();
    assert_eq!(error.kind(), AvroErrorKind::Schema);
    assert!(error.to_string().contains("contains itself"), "{error}");
    let unfit = r#"{"type":"record","name":"n","fields":[{"name":"a","type":"int","default":"x"}]}"#;
    let error = Resolution::new(&old, &schema(unfit)).unwrap_err().to_string();
    assert_eq!(error, "the default of `a` does not fit its type: `\"x\"` is no `int`");
}
