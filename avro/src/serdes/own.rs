//! Values with a header, in the type's own schema.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use tidemill_dsl::serde::{Serde, SerdeError};

use crate::codec::{AvroType, Codec};
use crate::error::{AvroError, AvroErrorKind};
use crate::header;

/// Avro's single-object encoding of a type's own schema, and of no other: a constant, without a registry. For state that one version of
/// one program writes and reads; what evolves needs a [`SingleObject`](crate::SingleObject), which reads these bytes too.
///
/// ```
/// use tidemill_avro::Avro;
/// use tidemill_dsl::serde::Serde as _;
///
/// const NAMES: Avro<String> = Avro::new();
/// let mut bytes = Vec::new();
/// NAMES.write(&"alice".to_owned(), &mut bytes)?;
/// assert_eq!(bytes[..10], [0xc3, 0x01, 0xc7, 0x03, 0x45, 0x63, 0x72, 0x48, 0x01, 0x8f]);
/// assert_eq!(NAMES.read(&bytes)?, "alice");
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
pub struct Avro<T>(PhantomData<fn(T) -> T>);

impl<T> Avro<T> {
    /// The serde; it has no settings.
    pub const fn new() -> Self {
        Avro(PhantomData)
    }
}

impl<T> Clone for Avro<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Avro<T> {}

impl<T> Default for Avro<T> {
    fn default() -> Self {
        Avro::new()
    }
}

impl<T> fmt::Debug for Avro<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Avro<{}>", type_name::<T>())
    }
}

impl<T: AvroType> Serde<T> for Avro<T> {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let codec = Codec::<T>::derived()?;
        let start = out.len();
        header::put_single_object(codec.schema().id(), out);
        codec.write(value, out).inspect_err(|_| out.truncate(start))?;
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        let codec = Codec::<T>::derived()?;
        let (id, body) = header::single_object(bytes)?;
        if id != codec.schema().id() {
            let message = format!(
                "a value was written with schema {id}, and `{}` has {}: read it with a registry",
                type_name::<T>(),
                codec.schema().id()
            );
            return Err(AvroError::new(AvroErrorKind::UnknownSchema, message).into());
        }
        Ok(codec.read(codec.own_reading(), body)?.0)
    }

    fn name(&self) -> String {
        "avro-single-object".into()
    }
}
