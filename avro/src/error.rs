//! Why a schema or bytes were refused; the kind says what the caller can do.

use std::error::Error;
use std::fmt;

use tidemill_dsl::serde::SerdeError;

/// What can be done about an [`AvroError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AvroErrorKind {
    /// A text is no schema, or a type has none. Correct it.
    Schema,
    /// Bytes are no value of the schema that they were written with. They are damaged, or of another schema.
    Malformed,
    /// The value has no counterpart in the reader's schema. Give the reader a default, an alias or another type.
    Mismatch,
    /// Nobody knows the schema with this id. Give the reader the registry of whoever wrote the bytes.
    UnknownSchema,
    /// The registry did not answer, or refused. The same call may be repeated.
    Registry,
}

/// Why a schema or bytes were refused.
#[derive(Debug)]
pub struct AvroError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: AvroErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl AvroError {
    /// An error of this kind that says `message`.
    pub fn new(kind: AvroErrorKind, message: impl Into<String>) -> Self {
        AvroError(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What can be done about it.
    pub fn kind(&self) -> AvroErrorKind {
        self.0.kind
    }

    pub(crate) fn schema(message: impl Into<String>) -> Self {
        AvroError::new(AvroErrorKind::Schema, message)
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        AvroError::new(AvroErrorKind::Malformed, message)
    }

    pub(crate) fn mismatch(message: impl Into<String>) -> Self {
        AvroError::new(AvroErrorKind::Mismatch, message)
    }
}

impl fmt::Display for AvroError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for AvroError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<AvroError> for SerdeError {
    fn from(error: AvroError) -> Self {
        SerdeError::new(error.to_string()).with_source(error)
    }
}
