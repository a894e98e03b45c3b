//! Why a command did not do what it was asked to, and the exit code that goes with it.

use std::fmt;
use std::io;
use std::process::ExitCode;

use tidemill::log::{LogError, LogErrorKind};
use tidemill::{Error, ErrorKind};

/// What ends a command early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads what is printed any more; that is no error.
    ClosedPipe,
    /// Another process has the folder.
    Locked(String),
    /// Anything else; the text says what to do.
    Failed(String),
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure::Failed(message.into())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::ClosedPipe => ExitCode::SUCCESS,
            Failure::Failed(_) => ExitCode::from(1),
            Failure::Locked(_) => ExitCode::from(3),
        }
    }

    /// What went wrong when something was written to standard output.
    pub(crate) fn printing(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Failed(format!("cannot write to standard output: {cause}")),
        }
    }
}

impl From<LogError> for Failure {
    fn from(cause: LogError) -> Self {
        match cause.kind() {
            LogErrorKind::Locked => Failure::Locked(cause.to_string()),
            _ => Failure::Failed(cause.to_string()),
        }
    }
}

impl From<Error> for Failure {
    fn from(cause: Error) -> Self {
        match cause.kind() {
            ErrorKind::Locked => Failure::Locked(cause.to_string()),
            _ => Failure::Failed(cause.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::ClosedPipe => f.write_str("nobody reads what is printed"),
            Failure::Failed(message) => f.write_str(message),
            Failure::Locked(message) => write!(
                f,
                "{message}; commands that only read (topics, describe, offsets, lag, dump, export, reset without `--yes`) work while an application \
                 runs, this one writes"
            ),
        }
    }
}
