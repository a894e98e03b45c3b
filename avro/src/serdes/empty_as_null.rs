//! Reads no bytes as an absent value.

use tidemill_dsl::serde::{Data, Serde, SerdeError};

/// Lifts a serde to values that may be absent, for topics of which Kaa wrote some records: there an absent value is no bytes, and so
/// deletes nothing in a compacted topic. It is read as absent here, and written as a null, which does delete.
///
/// ```
/// use tidemill_avro::{Avro, EmptyAsNull};
/// use tidemill_dsl::serde::{Serde, SerdeRef};
///
/// let names: SerdeRef<Option<String>> = SerdeRef::new(EmptyAsNull::new(Avro::<String>::new()));
/// assert_eq!(names.read(b"")?, None);
/// assert!(names.is_null(&None));
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EmptyAsNull<S>(S);

impl<S> EmptyAsNull<S> {
    /// Lifts `plain`.
    pub const fn new(plain: S) -> Self {
        EmptyAsNull(plain)
    }
}

impl<V: Data, S: Serde<V::Plain>> Serde<V> for EmptyAsNull<S> {
    fn write(&self, value: &V, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        value.plain().map_or(Ok(()), |plain| self.0.write(plain, out))
    }

    fn read(&self, bytes: &[u8]) -> Result<V, SerdeError> {
        if bytes.is_empty() {
            return Serde::<V>::null(self);
        }
        self.0.read(bytes).map(V::from_plain)
    }

    fn is_null(&self, value: &V) -> bool {
        value.plain().is_none_or(|plain| self.0.is_null(plain))
    }

    fn null(&self) -> Result<V, SerdeError> {
        V::absent().map_or_else(|| self.0.null().map(V::from_plain), Ok)
    }

    fn name(&self) -> String {
        self.0.name()
    }
}
