//! Values of many types: what Kaa writes is written here, and reads as the same value.

use serde_json::Value;
use tidemill_avro::{Resolution, Schema};

use crate::{body, bytes, schema, section, single_object, text};

/// Whether two texts of JSON say the same: of a number with 32 bits Java writes other digits, which are the same number.
#[expect(clippy::cast_possible_truncation, reason = "digits beyond those of 32 bits are what differs")]
fn alike(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a as f32 == b as f32)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        _ => ours == theirs,
    }
}

/// Writes and reads a value.
fn compare(schema: &Schema, id: &str, value: &Value) {
    let message = bytes(text(value, "bytes"));
    let expected = body(schema, &message);
    let (read, taken) = schema.to_json(expected).unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(taken, expected.len(), "{id}");
    assert!(alike(&read, &value["json"]), "{id}: {read} is not {}", value["json"]);
    // What is there passes a reader's own checks, and comes out as it is.
    let same = Resolution::new(schema, schema).unwrap();
    assert_eq!(same.resolve(expected).unwrap(), (expected.into(), expected.len()), "{id}");
    let written = schema.from_json(&value["json"]).unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(single_object(schema, &written), message, "{id}");
}

#[test]
fn values_of_all_types() {
    for name in ["types", "es4kafka", "generic_records"] {
        let (mut types, mut values, mut refused) = (0, 0, 0);
        for element in section(name) {
            let (schema, id) = (schema(element), text(element, "id"));
            for value in element["values"].as_array().unwrap() {
                if value.get("error").is_some() {
                    // A number with more digits than its schema has: avro4s refuses it, and Avro itself would not know of it.
                    assert_eq!((id, text(&value["error"], "at")), ("decimal-too-precise", "write"));
                    refused += 1;
                } else {
                    compare(&schema, id, value);
                    values += 1;
                }
            }
            types += 1;
        }
        println!("kaa {name}: {types} schemas, {values} values byte for byte, {refused} refused by avro4s");
    }
}

#[test]
fn schemas_of_no_scala_type() {
    let elements = section("canonical");
    for element in elements {
        let schema = schema(element);
        let given = Schema::parse(text(element, "text")).unwrap();
        assert_eq!((given.canonical(), given.id()), (schema.canonical(), schema.id()));
    }
    println!("kaa canonical: {} texts", elements.len());
}

#[test]
fn values_of_another_version() {
    let (mut pairs, mut read, mut refused, mut of_avro4s) = (0, 0, 0, 0);
    for element in section("evolution") {
        let (writer, reader) = (schema(&element["writer"]), schema(&element["reader"]));
        let id = text(element, "id");
        let reading = Resolution::new(&writer, &reader);
        for value in element["values"].as_array().unwrap() {
            let message = bytes(text(value, "bytes"));
            let written = body(&writer, &message);
            assert_eq!(writer.to_json(written).unwrap(), (value["written"].clone(), written.len()), "{id}");
            let resolved = reading.as_ref().map(|reading| reading.resolve(written));
            let Some(expected) = value.get("resolved") else {
                assert_eq!(text(&value["error"], "at"), "avro", "{id}");
                assert!(!matches!(resolved, Ok(Ok(_))), "{id}: {value} must not be read");
                refused += 1;
                continue;
            };
            let (resolved, taken) = resolved.unwrap().unwrap_or_else(|error| panic!("{id}: {value}: {error}"));
            assert_eq!(taken, written.len(), "{id}");
            assert_eq!(reader.to_json(&resolved).unwrap(), (expected.clone(), resolved.len()), "{id}");
            match value.get("rewritten") {
                Some(rewritten) => {
                    assert_eq!(single_object(&reader, &resolved), bytes(rewritten.as_str().unwrap()), "{id}");
                    read += 1;
                }
                // Avro reads it, and avro4s makes no value of it: a text that is no UUID, for instance.
                None => {
                    assert_eq!(text(&value["error"], "at"), "decode", "{id}");
                    of_avro4s += 1;
                }
            }
        }
        pairs += 1;
    }
    println!(
        "kaa evolution: {pairs} pairs of schemas, {read} values read and written again byte for byte, {refused} refused, \
         {of_avro4s} read by Avro and refused by avro4s"
    );
}
