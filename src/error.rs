//! What can go wrong with an application. The kind says what the caller can do, the message what happened.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use tidemill_dsl::serde::SerdeError;
use tidemill_dsl::state::{StoreError, StoreErrorKind};
use tidemill_dsl::topology::{InstantiateError, TopologyErrors};

use crate::log::{LogError, LogErrorKind};
use crate::task::TaskError;

/// What the caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The program, its settings or the call are wrong. Correct them and start again.
    Invalid,
    /// There is no such topic or store.
    Unknown,
    /// Another process holds the folder. Stop it, or use another folder.
    Locked,
    /// Another instance of the application took over. This one has stopped.
    Fenced,
    /// What was done since the last commit is void: the process lost its share of the work, or nobody knows what became of a
    /// commit. A running application joins again by itself.
    Lost,
    /// What was asked for is not with this process: another one has it, or it is being restored. Ask again in a moment, or there.
    Elsewhere,
    /// A record cannot be read or user code failed. The application has stopped, unless [`ErrorPolicy`](crate::ErrorPolicy) has it go on; nothing behind that record was committed.
    Processing,
    /// The log or a store cannot be reached or written now. Remove the cause and start again: nothing committed is lost. A running
    /// application waits for brokers by itself.
    Unavailable,
    /// Stored bytes are wrong.
    Corrupt,
    /// The application is closed, or closing.
    Closed,
    /// It was not done within the time given.
    TimedOut,
    /// A reader was too slow, and what it had not read is gone. Begin again, with what there is now.
    Lagged,
    /// The program was run by `tidemill plan` or `tidemill describe`, which wanted to know its topology and no more. End it.
    Asked,
}

/// An application could not do what it was asked to, or stopped. Cheap to clone.
///
/// `Debug` gives the kind and the text of `Display`, because that is what a `main` that returns an error shows.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Arc::new(Inner { kind, message: message.into(), source: None }))
    }

    fn caused(kind: ErrorKind, cause: impl StdError + Send + Sync + 'static) -> Self {
        Error(Arc::new(Inner { kind, message: cause.to_string(), source: Some(Box::new(cause)) }))
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether it is the log that cannot be reached, and not a store or a thread.
    pub(crate) fn is_of_an_unavailable_log(&self) -> bool {
        let of_log = self.0.source.as_ref().is_some_and(|source| source.is::<LogError>());
        of_log && self.0.kind == ErrorKind::Unavailable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message has the cause's text already, so the chain goes on behind it.
        self.0.source.as_deref().and_then(StdError::source)
    }
}

impl From<LogError> for Error {
    fn from(cause: LogError) -> Self {
        let kind = match cause.kind() {
            LogErrorKind::Invalid => ErrorKind::Invalid,
            LogErrorKind::UnknownTopic => ErrorKind::Unknown,
            LogErrorKind::Fenced => ErrorKind::Fenced,
            LogErrorKind::Lost => ErrorKind::Lost,
            LogErrorKind::Locked => ErrorKind::Locked,
            LogErrorKind::Unavailable => ErrorKind::Unavailable,
            LogErrorKind::OutOfRange | LogErrorKind::Corrupt => ErrorKind::Corrupt,
        };
        Error::caused(kind, cause)
    }
}

impl From<StoreError> for Error {
    fn from(cause: StoreError) -> Self {
        let kind = match cause.kind() {
            StoreErrorKind::Locked => ErrorKind::Locked,
            StoreErrorKind::Unavailable => ErrorKind::Unavailable,
            StoreErrorKind::Corrupt => ErrorKind::Corrupt,
            _ => ErrorKind::Invalid,
        };
        Error::caused(kind, cause)
    }
}

impl From<TaskError> for Error {
    fn from(cause: TaskError) -> Self {
        Error::caused(ErrorKind::Processing, cause)
    }
}

impl From<TopologyErrors> for Error {
    fn from(cause: TopologyErrors) -> Self {
        Error::caused(ErrorKind::Invalid, cause)
    }
}

impl From<InstantiateError> for Error {
    fn from(cause: InstantiateError) -> Self {
        Error::caused(ErrorKind::Invalid, cause)
    }
}

impl From<SerdeError> for Error {
    fn from(cause: SerdeError) -> Self {
        Error::caused(ErrorKind::Invalid, cause)
    }
}
