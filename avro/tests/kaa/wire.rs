//! What lies around bodies: headers, nulls, broken bytes, and where keys go.

use std::sync::Arc;

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_avro::{
    AvroError, Codec, Confluent, EmptyAsNull, MemoryRegistry, Schema, SchemaRegistry, SingleObject, SubjectRegistry,
};
use tidemill_dsl::record::{murmur2, partition_of};
use tidemill_dsl::serde::{Data, DefaultSerde, Serde, SerdeError, SerdeRef};
use uuid::Uuid;

use crate::{body, bytes, schema, section, text};

#[derive(Debug, PartialEq, Serialize, Deserialize, AvroSchema, Data)]
#[data(crate = tidemill_dsl)]
#[avro(namespace = "shapes")]
struct Person {
    name: String,
    age: i32,
}

/// As Kaa has it: the schemas of all sections are known, and no bytes are an absent value.
fn kaa<T>(codec: Codec<T>) -> SerdeRef<Option<T>>
where
    T: Data<Plain = T> + Serialize + for<'de> Deserialize<'de>,
{
    let registry = MemoryRegistry::new();
    for element in section("registry") {
        let text = String::from_utf8(bytes(text(element, "value"))).unwrap();
        registry.put(&Schema::parse(&text).unwrap()).unwrap();
    }
    SerdeRef::new(EmptyAsNull::new(SingleObject::new(codec, Arc::new(registry))))
}

/// What a type reads, as Scala prints it.
fn read<T>(codec: Codec<T>, print: impl Fn(Option<T>) -> String, bytes: Option<&[u8]>) -> Result<String, SerdeError>
where
    T: Data<Plain = T> + Serialize + for<'de> Deserialize<'de>,
{
    Ok(print(kaa(codec).read_nullable(bytes)?))
}

fn or_null<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

/// Reads as the type that an element's name ends with: "empty as long".
fn read_as(id: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
    match id.split_once(" as ").map_or("record", |(_, kind)| kind) {
        "string" | "UUID" | "option" => read(Codec::<String>::derived()?, or_null, bytes),
        // In Scala an absent number is 0.
        "long" => read(Codec::<i64>::derived()?, |long| long.unwrap_or_default().to_string(), bytes),
        "generic record" => read(
            Codec::<Person>::derived()?,
            |person| {
                or_null(person.map(|person| format!("{{\"name\": \"{}\", \"age\": {}}}", person.name, person.age)))
            },
            bytes,
        ),
        _ => read(
            Codec::<Person>::derived()?,
            |person| or_null(person.map(|person| format!("Person({},{})", person.name, person.age))),
            bytes,
        ),
    }
}

#[test]
fn nulls_and_broken_bytes() {
    let (mut written, mut read, mut refused, mut never) = (0, 0, 0, 0);
    for element in section("null_and_malformed") {
        let id = text(element, "id");
        let bytes = element["bytes"].as_str().map(bytes);
        match (text(element, "do"), element.get("error"), element.get("result")) {
            ("read", Some(_), _) => {
                read_as(id, bytes.as_deref()).expect_err(id);
                refused += 1;
            }
            ("read", None, Some(result)) => {
                assert_eq!(
                    &read_as(id, bytes.as_deref()).unwrap_or_else(|error| panic!("{id}: {error}")),
                    result,
                    "{id}"
                );
                read += 1;
            }
            // `None` is a value of an option's own schema.
            ("write", None, _) if id == "None" => {
                let mut out = Vec::new();
                let of = section("types").iter().find(|known| known["id"] == "option-record").unwrap();
                let codec = Codec::with_schema(text(of, "schema")).unwrap();
                let option = SingleObject::<Option<Person>>::new(codec, Arc::new(MemoryRegistry::new()));
                Serde::write(&option, &None, &mut out).unwrap();
                assert_eq!(Some(out), bytes, "a header and the number of a member");
                written += 1;
            }
            // Kaa writes no bytes, which deletes nothing; here it is a null, and reads as the same.
            ("write", None, _) => {
                assert_eq!(bytes.as_deref(), Some(&[][..]), "{id}");
                let names = kaa(Codec::<String>::derived().unwrap());
                let mut out = Vec::new();
                assert!(!names.write_nullable(&None, &mut out).unwrap());
                assert_eq!((names.read(&[]).unwrap(), names.read_nullable(None).unwrap(), out.len()), (None, None, 0));
                written += 1;
            }
            // A record's field cannot be null in Rust.
            _ => never += 1,
        }
    }
    println!(
        "kaa null_and_malformed: {written} written, {read} read, {refused} refused, {never} that no Rust type can say"
    );
}

#[test]
fn keys_and_values_without_avro() {
    let elements = section("plain");
    for element in elements {
        let (value, expected) = (text(element, "value"), bytes(text(element, "bytes")));
        let mut out = Vec::new();
        match text(element, "id") {
            "long" => i64::SERDE.write(&value.parse().unwrap(), &mut out).unwrap(),
            "string" => String::SERDE.write(&value.to_owned(), &mut out).unwrap(),
            _ => Uuid::SERDE.write(&value.parse().unwrap(), &mut out).unwrap(),
        }
        assert_eq!(out, expected);
    }
    println!("kaa plain: {} values", elements.len());
}

/// A registry of one schema.
struct Numbered(u32, Schema);

impl SubjectRegistry for Numbered {
    fn register(&self, subject: &str, schema: &Schema) -> Result<u32, AvroError> {
        assert_eq!((subject, schema), ("names-value", &self.1));
        Ok(self.0)
    }

    fn schema(&self, id: u32) -> Result<Option<Schema>, AvroError> {
        Ok((id == self.0).then(|| self.1.clone()))
    }
}

#[test]
fn messages_in_confluents_frame() {
    let elements = section("confluent");
    for element in elements {
        let of = section(text(element, "section")).iter().find(|known| known["id"] == element["of"]).unwrap();
        let schema = Schema::parse(text(of, "schema")).unwrap();
        let expected = bytes(text(element, "bytes"));
        let (header, written) = expected.split_at(5);
        let id = u32::try_from(element["schema_id"].as_u64().unwrap()).unwrap();
        assert_eq!(header, [&[0][..], &id.to_be_bytes()].concat());
        assert_eq!(schema.from_json(&element["json"]).unwrap(), written, "{of}");
    }
    // The frame itself is the serde's.
    let string = elements.iter().find(|element| element["of"] == "string").unwrap();
    let id = u32::try_from(string["schema_id"].as_u64().unwrap()).unwrap();
    let registry = Arc::new(Numbered(id, Schema::parse("\"string\"").unwrap()));
    let serde = Confluent::<String>::of_values(Codec::derived().unwrap(), registry, "names");
    let mut out = Vec::new();
    serde.write(&text(string, "json").to_owned(), &mut out).unwrap();
    assert_eq!(out, bytes(text(string, "bytes")));
    assert_eq!(serde.read(&out).unwrap(), text(string, "json"));
    println!("kaa confluent: {} messages", elements.len());
}

#[test]
fn logical_types_are_their_base_types() {
    let (mut values, mut refused) = (0, 0);
    for element in section("logical") {
        let schema = schema(element);
        for value in element["values"].as_array().unwrap() {
            if value.get("error").is_some() {
                // Java's conversions refuse what the base type would hold: digits beyond the scale, for instance.
                assert!(text(element, "id").starts_with("decimal"), "{element}");
                refused += 1;
                continue;
            }
            let (single, confluent) = (bytes(text(value, "single_object")), bytes(text(value, "confluent")));
            let expected = bytes(text(value, "body"));
            assert_eq!((body(&schema, &single), &confluent[..5]), (&expected[..], &[0, 0, 0, 0, 7][..]));
            assert_eq!(confluent[5..], expected[..]);
            let (read, taken) = schema.to_json(&expected).unwrap();
            assert_eq!(taken, expected.len());
            assert_eq!(schema.from_json(&read).unwrap(), expected, "{element}");
            check_logical(text(element, "id"), text(value, "value"), &read);
            values += 1;
        }
    }
    println!("kaa logical: {values} values, {refused} refused by Java's conversions");
}

/// The value that the base type has, where a person can see it in the text.
fn check_logical(id: &str, value: &str, read: &Value) {
    match id {
        "uuid" => assert_eq!(read, value),
        "date" if value == "1970-01-01" => assert_eq!(read, 0),
        "date" if value == "2024-02-29" => assert_eq!(read, 19_782),
        "time-millis" if value == "12:30:01.123" => assert_eq!(read, 45_001_123),
        "decimal bytes 9.2" if value == "1.00" => assert_eq!(read, "d"),
        "decimal fixed8 18.4" if value == "0.0000" => assert_eq!(read, &"\0".repeat(8)),
        _ => {}
    }
}

#[test]
fn partitions_of_keys() {
    let elements = section("partitions");
    for element in elements {
        let key = bytes(text(element, "bytes"));
        assert_eq!(i64::from(murmur2(&key).cast_signed()), element["murmur2"].as_i64().unwrap(), "{element}");
        for (partitions, partition) in element["partition"].as_object().unwrap() {
            assert_eq!(
                u64::from(partition_of(&key, partitions.parse().unwrap())),
                partition.as_u64().unwrap(),
                "{element}"
            );
        }
    }
    println!("kaa partitions: {} keys", elements.len());
}
