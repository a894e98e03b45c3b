//! Cleans the log in the background as long as the application runs.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::log::{Cleaned, Log};

/// A thread that cleans; dropping it ends the thread, after the cleaning that it is at.
pub(super) struct Housekeeping {
    /// Nothing is ever sent: the thread ends when this is gone.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Housekeeping {
    pub(super) fn start(log: Arc<dyn Log>, clock: Arc<dyn Clock>, every: Duration) -> Result<Housekeeping, Error> {
        let (alive, ended) = channel();
        let run = move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                clean(&*log, &*clock);
            }
        };
        let thread = std::thread::Builder::new().name("tidemill-clean".into()).spawn(run);
        let thread =
            thread.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        Ok(Housekeeping { alive: Some(alive), thread: Some(thread) })
    }
}

fn clean(log: &dyn Log, clock: &dyn Clock) {
    match log.clean(clock.now()) {
        Ok(nothing) if nothing == Cleaned::default() => {}
        Ok(Cleaned { segments, rewritten, bytes }) => tracing::info!(segments, rewritten, bytes, "the log was cleaned"),
        // Nothing is lost by it, and whoever writes hears of a broken log by themselves.
        Err(error) => tracing::warn!(%error, "the log could not be cleaned; it is tried again"),
    }
}

impl Drop for Housekeeping {
    fn drop(&mut self) {
        self.alive.take();
        if let Some(thread) = self.thread.take() {
            // It catches its errors, and cannot panic.
            let _ = thread.join();
        }
    }
}
