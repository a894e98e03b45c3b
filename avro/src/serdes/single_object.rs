//! Values with the fingerprint of their schema before them: what Kaa writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_dsl::serde::{Data, Nullable, Serde, SerdeError, SerdeRef};

use super::readings::Readings;
use crate::codec::Codec;
use crate::error::{AvroError, AvroErrorKind};
use crate::header;
use crate::registry::SchemaRegistry;

/// Avro's single-object encoding, with the schemas of writers in a registry.
///
/// The type's schema is made known when the first value is written. What stands behind a value's bytes is ignored, as Kaa and Avro's Java
/// library do.
///
/// ```
/// use std::sync::Arc;
/// use tidemill_avro::{Codec, MemoryRegistry, SingleObject};
/// use tidemill_dsl::serde::Serde as _;
///
/// let registry = Arc::new(MemoryRegistry::new());
/// let old = SingleObject::<i32>::new(Codec::derived()?, registry.clone());
/// let new = SingleObject::<i64>::new(Codec::derived()?, registry);
///
/// let mut bytes = Vec::new();
/// old.write(&-5, &mut bytes)?;
/// assert_eq!(new.read(&bytes)?, -5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SingleObject<T> {
    codec: Codec<T>,
    registry: Arc<dyn SchemaRegistry>,
    is_known: AtomicBool,
    readings: Readings<crate::SchemaId>,
}

impl<T> SingleObject<T> {
    /// With the schemas of `registry`.
    pub fn new(codec: Codec<T>, registry: Arc<dyn SchemaRegistry>) -> Self {
        SingleObject { codec, registry, is_known: AtomicBool::new(false), readings: Readings::default() }
    }

    /// Makes the type's schema known now rather than with the first value that is written.
    ///
    /// # Errors
    ///
    /// As [`SchemaRegistry::put`].
    pub fn register(&self) -> Result<(), AvroError> {
        if !self.is_known.load(Ordering::Acquire) {
            self.registry.put(self.codec.schema())?;
            self.is_known.store(true, Ordering::Release);
        }
        Ok(())
    }
}

impl<T: Serialize + DeserializeOwned + 'static> SingleObject<T> {
    /// As a topic or a store takes it, for values that may be absent too: those are nulls.
    pub fn shared<V: Data<Plain = T>>(self) -> SerdeRef<V> {
        SerdeRef::new(Nullable::new(self))
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for SingleObject<T> {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        self.register()?;
        let start = out.len();
        header::put_single_object(self.codec.schema().id(), out);
        self.codec.write(value, out).inspect_err(|_| out.truncate(start))?;
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        let (id, body) = header::single_object(bytes)?;
        if id == self.codec.schema().id() {
            return Ok(self.codec.read(self.codec.own_reading(), body)?.0);
        }
        let reading = self.readings.get(id, || {
            let schema = self.registry.get(id)?.ok_or_else(|| {
                let message = format!("no schema has the id {id}: is this the registry of whoever wrote the value?");
                AvroError::new(AvroErrorKind::UnknownSchema, message)
            })?;
            Ok(self.codec.reading(&schema))
        })?;
        Ok(self.codec.read(&reading, body)?.0)
    }

    fn name(&self) -> String {
        "avro-single-object".into()
    }
}
