//! The records of the registry's topic.

use tidemill_avro::{Schema, SchemaId};

use crate::{bytes, section, text};

#[test]
fn records_of_the_topic() {
    let elements = section("registry");
    for element in elements {
        let value = String::from_utf8(bytes(text(element, "value"))).unwrap();
        let schema = Schema::parse(&value).unwrap();
        let key = bytes(text(element, "key"));
        assert_eq!(schema.id().to_be_bytes().to_vec(), key);
        assert_eq!(SchemaId::from_be_bytes(key.try_into().unwrap()).to_string(), text(element, "fingerprint"));
        assert_eq!(schema.text(), value, "the text is kept as it is");
    }
    println!("kaa registry: {} records", elements.len());
}
