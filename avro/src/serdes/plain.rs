//! A body and nothing else.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_dsl::serde::{Serde, SerdeError};

use crate::codec::Codec;
use crate::error::AvroError;
use crate::resolution::Resolution;
use crate::schema::Schema;

/// Avro without a header: both sides have agreed on the schema. Bytes that are left over are an error, since only another schema would
/// explain them.
///
/// ```
/// use tidemill_avro::{Codec, PlainAvro};
/// use tidemill_dsl::serde::Serde as _;
///
/// let names = PlainAvro::<String>::new(Codec::derived()?);
/// assert_eq!(names.read(b"\x06foo")?, "foo");
/// assert!(names.read(b"\x06foobar").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PlainAvro<T> {
    codec: Codec<T>,
    /// Of values in another schema than the type's.
    other: Option<Resolution>,
}

impl<T> PlainAvro<T> {
    /// Of values in the schema of `codec`.
    pub fn new(codec: Codec<T>) -> Self {
        PlainAvro { codec, other: None }
    }

    /// Reads values that were written with another schema. Written are those of the type's own.
    ///
    /// # Errors
    ///
    /// As [`Resolution::new`].
    pub fn written_with(self, writer: &Schema) -> Result<Self, AvroError> {
        Ok(PlainAvro { other: Some(self.codec.reading(writer)?), ..self })
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for PlainAvro<T> {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        Ok(self.codec.write(value, out)?)
    }

    fn read(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        let reading = self.other.as_ref().unwrap_or_else(|| self.codec.own_reading());
        let (value, taken) = self.codec.read(reading, bytes)?;
        if taken < bytes.len() {
            let left = bytes.len() - taken;
            let message = format!("{left} bytes are left over behind a value: was it written with another schema?");
            return Err(AvroError::malformed(message).into());
        }
        Ok(value)
    }

    fn name(&self) -> String {
        "avro".into()
    }
}
