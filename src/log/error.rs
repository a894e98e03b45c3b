//! What can go wrong with a log. The kind says what the caller can do, the message what happened.

use std::error::Error as StdError;
use std::fmt;

/// What the caller can do about a [`LogError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogErrorKind {
    /// The call or the settings are wrong. Correct them and start again.
    Invalid,
    /// There is no such topic or partition.
    UnknownTopic,
    /// The offset is not, or no longer, in the log.
    OutOfRange,
    /// Another session of the application began. Drop this one.
    Fenced,
    /// The member's share is gone, or nobody knows what became of a commit. Drop the session and its membership, and join again:
    /// what was committed is what the log says then.
    Lost,
    /// Another process holds the log's folder.
    Locked,
    /// The log cannot be reached or written now. Remove the cause and open the log again: nothing acknowledged is lost.
    Unavailable,
    /// Stored bytes are wrong.
    Corrupt,
}

/// A log could not do what it was asked to.
#[derive(Debug)]
pub struct LogError {
    kind: LogErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl LogError {
    /// An error of this kind.
    pub fn new(kind: LogErrorKind, message: impl Into<String>) -> Self {
        LogError { kind, message: message.into(), source: None }
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        LogError { source: Some(source.into()), ..self }
    }

    /// What the caller can do.
    pub fn kind(&self) -> LogErrorKind {
        self.kind
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for LogError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
