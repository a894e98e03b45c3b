//! Everything that was recorded from Kaa's own serdes on the JVM (see the README beside this file) holds here too, byte for byte.
//!
//! Each section ends with a line that counts what was compared.

mod registry;
mod types;
mod wire;

use std::sync::LazyLock;

use serde_json::Value;
use tidemill_avro::Schema;

static ALL: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("vectors.json")).expect("the file is JSON"));

/// A section of the file.
fn section(name: &str) -> &'static [Value] {
    let list = ALL[name].as_array().expect("a section is a list");
    assert!(!list.is_empty(), "`{name}` has elements");
    list
}

fn text<'a>(element: &'a Value, member: &str) -> &'a str {
    element[member].as_str().unwrap_or_else(|| panic!("`{member}` of {element} is a text"))
}

/// The bytes of a text in hex.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| u8::try_from(digit.to_digit(16).expect("a hex digit")).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A schema, once its canonical form and its id were compared.
fn schema(element: &Value) -> Schema {
    let schema = Schema::parse(text(element, "schema")).unwrap_or_else(|error| panic!("{element}: {error}"));
    assert_eq!(schema.canonical(), text(element, "canonical"));
    assert_eq!(schema.id().to_string(), text(element, "fingerprint"));
    assert_eq!(schema.id().to_le_bytes().to_vec(), bytes(text(element, "fingerprint_le")));
    schema
}

/// The header of Kaa's messages, then the body.
fn single_object(schema: &Schema, body: &[u8]) -> Vec<u8> {
    [&[0xc3, 0x01][..], &schema.id().to_le_bytes(), body].concat()
}

/// The body behind the header, which has to be this schema's.
fn body<'a>(schema: &Schema, message: &'a [u8]) -> &'a [u8] {
    let (header, body) = message.split_at(10);
    assert_eq!(header, single_object(schema, &[]));
    body
}
