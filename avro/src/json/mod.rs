//! Values as JSON, in Avro's own encoding: for people, for views, and for defaults.
//!
//! Rule: a union's value is an object with the member's name as its only key, or null; bytes and fixed are text with a character for each
//! byte; numbers that JSON does not have are the texts `NaN`, `Infinity` and `-Infinity`. In defaults a union's value stands alone, and is
//! of the first member.

mod read;
mod write;

use serde_json::Value;

use crate::error::AvroError;
use crate::input::Input;
use crate::schema::Schema;

pub(crate) use write::write_default;

impl Schema {
    /// The value at the start of `body`, in Avro's JSON encoding, and how many bytes it took.
    ///
    /// ```
    /// use tidemill_avro::Schema;
    ///
    /// let maybe: Schema = r#"["null", "int"]"#.parse()?;
    /// assert_eq!(maybe.to_json(&[2, 10])?, (serde_json::json!({"int": 5}), 2));
    /// assert_eq!(maybe.from_json(&serde_json::json!({"int": 5}))?, [2, 10]);
    /// # Ok::<(), tidemill_avro::AvroError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Resolution::resolve`](crate::Resolution::resolve), for bytes that are no value of this schema.
    pub fn to_json(&self, body: &[u8]) -> Result<(Value, usize), AvroError> {
        let mut input = Input::new(body);
        let value = read::read(self, self.root(), &mut input)?;
        Ok((value, input.taken()))
    }

    /// The bytes of a value in Avro's JSON encoding. Every field has to be there: defaults are for readers.
    ///
    /// # Errors
    ///
    /// [`Mismatch`](crate::AvroErrorKind::Mismatch) for what is no value of this schema.
    pub fn from_json(&self, value: &Value) -> Result<Vec<u8>, AvroError> {
        let mut out = Vec::new();
        write::write_value(self, self.root(), value, &mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &str, value: &Value, bytes: &[u8]) {
        let schema = Schema::parse(schema).unwrap();
        assert_eq!(schema.from_json(value).unwrap(), bytes);
        assert_eq!(schema.to_json(bytes).unwrap(), (value.clone(), bytes.len()));
    }

    #[test]
    fn values_are_those_of_the_specification() {
        check("\"long\"", &json!(64), &[0x80, 1]);
        check("\"string\"", &json!("foo"), b"\x06foo");
        check("\"bytes\"", &json!("\u{0}\u{ff}"), &[4, 0, 0xff]);
        check(r#"{"type":"array","items":"long"}"#, &json!([3, 27]), &[4, 6, 54, 0]);
        check(r#"["null","string"]"#, &json!({"string": "a"}), &[2, 2, b'a']);
        check(r#"["null","string"]"#, &Value::Null, &[0]);
        check(r#"{"type":"fixed","name":"f","size":2}"#, &json!("ab"), b"ab");
        check("\"double\"", &json!("NaN"), &f64::NAN.to_le_bytes());
    }

    #[test]
    fn what_is_no_value_of_the_schema_says_why() {
        let refused = |schema: &str, value: Value| {
            let schema = Schema::parse(schema).unwrap();
            schema.from_json(&value).expect_err("no such value").to_string()
        };
        assert_eq!(refused("\"int\"", json!(1_u64 << 40)), "`1099511627776` is no `int`");
        assert!(refused("\"bytes\"", json!("\u{100}")).contains("is no `bytes`"));
        assert!(refused(r#"["null","int"]"#, json!(5)).contains("write an object"));
        let record = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"int","default":1}]}"#;
        assert_eq!(refused(record, json!({})), "`r` lacks its `a`");
    }
}
