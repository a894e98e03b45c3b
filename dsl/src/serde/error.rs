//! Why a value could not be written or read.

use std::error::Error;
use std::fmt;

/// A value has no bytes, or bytes are no value of the expected type.
/// As small as a pointer, so that what a serde returns fits into registers.
#[derive(Debug)]
pub struct SerdeError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SerdeError {
    /// An error that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        SerdeError(Box::new(Inner { message: message.into(), source: None }))
    }

    /// The error for a null where the type has no place for one.
    pub fn unexpected_null() -> Self {
        SerdeError::new(
            "unexpected null: declare the topic's type as `Option`; `skip_nulls()` then drops what has none",
        )
    }

    /// The error for bytes that are too few or too many for the type that `name` stands for.
    pub fn wrong_length(name: &str, expected: usize, came: usize) -> Self {
        let unit = if expected == 1 { "byte" } else { "bytes" };
        SerdeError::new(format!(
            "`{name}` expects {expected} {unit}, and {came} came: was this written with another serde?"
        ))
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for SerdeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
