//! Runs an example from start to exit code: its work, or the end that the user wants, and always a close.

use std::process::ExitCode;
use std::time::Duration;

use tidemill::{App, AppBuilder};

use super::failing::{Failure, failed};
use super::signals::{Signal, told_to_end};

/// How long the last commit may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// How the work came to its end.
enum End {
    Done(Result<(), Failure>),
    Told(Signal),
}

/// Starts an application, does `work` with it and closes it.
///
/// On Ctrl-C or SIGTERM the work stops, everything done so far is committed, and the exit code is 130 or 143; a second
/// signal ends the process at once, which is as safe as a crash.
pub(crate) async fn run(builder: AppBuilder, work: impl AsyncFnOnce(&App) -> Result<(), Failure>) -> ExitCode {
    let app = match builder.start().await {
        Ok(app) => app,
        Err(error) => return failed(&error.into()),
    };
    let end = tokio::select! {
        done = work(&app) => End::Done(done),
        ended = app.ended() => End::Done(ended.map_err(Failure::from)),
        signal = told_to_end() => End::Told(signal),
    };
    let closed = tokio::select! {
        closed = app.close_within(CLOSE_LIMIT) => closed,
        signal = told_to_end() => return ExitCode::from(signal.0),
    };
    match (end, closed) {
        (End::Done(Err(error)), _) => failed(&error),
        (_, Err(error)) => failed(&error.into()),
        (End::Told(signal), Ok(())) => {
            eprintln!("ended early: everything up to here is kept, the same command goes on from here");
            ExitCode::from(signal.0)
        }
        (End::Done(Ok(())), Ok(())) => ExitCode::SUCCESS,
    }
}
