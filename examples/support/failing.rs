//! An end that nobody wished for.

use std::process::ExitCode;

/// An example's errors are shown to the user and nothing else, so any error will do.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Says what went wrong.
pub(crate) fn failed(error: &Failure) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
