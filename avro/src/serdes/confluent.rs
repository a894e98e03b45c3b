//! Values with a registry's number before them: Confluent's wire format.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_dsl::serde::{Data, Nullable, Serde, SerdeError, SerdeRef};

use super::readings::Readings;
use crate::codec::Codec;
use crate::error::{AvroError, AvroErrorKind};
use crate::header;
use crate::registry::SubjectRegistry;

/// Confluent's wire format for Avro.
///
/// The type's schema is registered under its subject when the first value is written, unless its number was given.
///
/// ```
/// use std::sync::Arc;
/// use tidemill_avro::{Codec, Confluent, MemoryRegistry};
/// use tidemill_dsl::serde::Serde as _;
///
/// let registry = Arc::new(MemoryRegistry::new());
/// let names = Confluent::<String>::of_values(Codec::derived()?, registry, "names");
/// let mut bytes = Vec::new();
/// names.write(&"foo".to_owned(), &mut bytes)?;
/// assert_eq!(bytes, b"\x00\x00\x00\x00\x01\x06foo");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Confluent<T> {
    codec: Codec<T>,
    registry: Arc<dyn SubjectRegistry>,
    subject: String,
    id: OnceLock<u32>,
    readings: Readings<u32>,
}

impl<T> Confluent<T> {
    /// Under a subject of any name.
    pub fn new(codec: Codec<T>, registry: Arc<dyn SubjectRegistry>, subject: impl Into<String>) -> Self {
        Confluent { codec, registry, subject: subject.into(), id: OnceLock::new(), readings: Readings::default() }
    }

    /// Of a topic's values: under `<topic>-value`, Confluent's default.
    pub fn of_values(codec: Codec<T>, registry: Arc<dyn SubjectRegistry>, topic: &str) -> Self {
        Confluent::new(codec, registry, format!("{topic}-value"))
    }

    /// Of a topic's keys: under `<topic>-key`, Confluent's default.
    pub fn of_keys(codec: Codec<T>, registry: Arc<dyn SubjectRegistry>, topic: &str) -> Self {
        Confluent::new(codec, registry, format!("{topic}-key"))
    }

    /// Writes this number and registers nothing, where schemas are registered by hand.
    #[must_use]
    pub fn with_id(self, id: u32) -> Self {
        Confluent { id: OnceLock::from(id), ..self }
    }

    /// The number of the type's schema, which is registered now if it was not.
    ///
    /// # Errors
    ///
    /// As [`SubjectRegistry::register`].
    pub fn register(&self) -> Result<u32, AvroError> {
        if let Some(id) = self.id.get() {
            return Ok(*id);
        }
        let id = self.registry.register(&self.subject, self.codec.schema())?;
        Ok(*self.id.get_or_init(|| id))
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Confluent<T> {
    /// As a topic or a store takes it, for values that may be absent too: those are nulls.
    pub fn shared<V: Data<Plain = T>>(self) -> SerdeRef<V> {
        SerdeRef::new(Nullable::new(self))
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for Confluent<T> {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let id = self.register()?;
        let start = out.len();
        header::put_confluent(id, out);
        self.codec.write(value, out).inspect_err(|_| out.truncate(start))?;
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        let (id, body) = header::confluent(bytes)?;
        let reading = self.readings.get(id, || {
            let schema = self.registry.schema(id)?.ok_or_else(|| {
                let message = format!("the registry has no schema {id}: is it the one of whoever wrote the value?");
                AvroError::new(AvroErrorKind::UnknownSchema, message)
            })?;
            Ok(self.codec.reading(&schema))
        })?;
        Ok(self.codec.read(&reading, body)?.0)
    }

    fn name(&self) -> String {
        "avro-confluent".into()
    }
}
