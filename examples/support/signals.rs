//! Waits for the user's wish to end: Ctrl-C, or SIGTERM.

/// The exit code of a process that a signal ended: 128 and the signal's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal(pub(crate) u8);

const INTERRUPT: Signal = Signal(130);

/// Returns when the process is told to end.
#[cfg(unix)]
pub(crate) async fn told_to_end() -> Signal {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return interrupted().await };
    tokio::select! {
        signal = interrupted() => signal,
        _ = terminate.recv() => Signal(143),
    }
}

/// Returns when the process is told to end.
#[cfg(not(unix))]
pub(crate) async fn told_to_end() -> Signal {
    interrupted().await
}

async fn interrupted() -> Signal {
    // Where signals cannot be caught, they end the process by themselves: safe, as after a crash.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    INTERRUPT
}
