//! The stages of an application's life.

use std::fmt;

use crate::error::Error;

/// Starting -> Running -> Closing -> Closed; from every stage but the last to Failed. Where processes share the work, Running
/// and Rebalancing take turns. Running and Paused take turns as the program says; a rebalance of a paused application ends in Paused.
#[derive(Clone, Debug)]
pub enum AppState {
    /// Stores are restored from their changelogs.
    Starting,
    /// Records are processed.
    Running,
    /// As Running, but that no record is taken up until [`App::resume`](crate::App::resume).
    Paused,
    /// Tasks are on their way from or to other processes of the application, or the process joins them again, or new workers
    /// [replace](crate::OnError::ReplaceWorkers) those that failed. Those that are
    /// here run on.
    Rebalancing,
    /// The last commit is made.
    Closing,
    /// Everything is committed and closed.
    Closed,
    /// It stopped because of this error. What was committed is kept, the rest is rolled back.
    Failed(Error),
}

impl AppState {
    /// Whether nothing happens any more.
    pub fn is_over(&self) -> bool {
        matches!(self, AppState::Closed | AppState::Failed(_))
    }
}

impl fmt::Display for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppState::Starting => f.write_str("starting"),
            AppState::Running => f.write_str("running"),
            AppState::Paused => f.write_str("paused"),
            AppState::Rebalancing => f.write_str("rebalancing"),
            AppState::Closing => f.write_str("closing"),
            AppState::Closed => f.write_str("closed"),
            AppState::Failed(error) => write!(f, "failed: {error}"),
        }
    }
}
