//! Brings written frames to the disk, one sync for all who wait for it.
//!
//! Rule: after a failed write or sync nothing is written any more. Nobody knows what reached the disk; opening the log
//! again finds out, a second try would not: a system may drop what it could not write and then report success.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::files::LogFile;
use crate::log::{LogError, LogErrorKind};

/// How often the log waits for the disk.
///
/// | | after `kill -9` | after a loss of power | `append` returns | a commit returns |
/// |---|---|---|---|---|
/// | `Never` | nothing is lost | the last seconds may be lost | when written | when written |
/// | `Interval` | nothing is lost | no append that returned is lost; commits of the last interval may be | at the end of the interval | when written |
/// | `EveryCommit` | nothing is lost | nothing that returned is lost | when durable | when durable |
///
/// What is lost is always the end of the log: what is left is what was written up to some commit, without a hole. Records
/// can be read when they are written; under `Never` and `Interval` a reader may see some that a loss of power takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The operating system decides.
    Never,
    /// At the end of every interval in which something was written. One wait for the disk answers all.
    Interval(Duration),
    /// Before each append and commit returns. Calls that come while the disk is busy share the next wait.
    EveryCommit,
}

/// Why a log cannot be written any more.
#[derive(Debug, Default)]
pub(super) struct Breakage(OnceLock<String>);

impl Breakage {
    /// Notes the first failure and gives the error to return for it.
    pub(super) fn failed(&self, what: String, cause: io::Error) -> LogError {
        let text = format!("{what}: {cause}");
        self.0.get_or_init(|| text.clone());
        unavailable(&text).with_source(cause)
    }

    pub(super) fn check(&self) -> Result<(), LogError> {
        self.0.get().map_or(Ok(()), |text| Err(unavailable(text)))
    }

    fn is_there(&self) -> bool {
        self.0.get().is_some()
    }
}

fn unavailable(text: &str) -> LogError {
    let message = format!(
        "{text}; the log takes no writes until it is opened again: remove the cause and open it; nothing acknowledged \
         is lost"
    );
    LogError::new(LogErrorKind::Unavailable, message)
}

struct Progress {
    file: Arc<dyn LogFile>,
    name: String,
    /// Frames with lower numbers are written.
    written: u64,
    /// Frames with lower numbers are durable.
    synced: u64,
    syncing: bool,
    closing: bool,
}

/// Knows what is written and what is durable.
pub(super) struct Syncer {
    progress: Mutex<Progress>,
    changed: Condvar,
    breakage: Arc<Breakage>,
}

impl Syncer {
    /// A syncer for the file that is written now, whose frames before `number` are durable.
    pub(super) fn new(file: Arc<dyn LogFile>, name: String, number: u64, breakage: Arc<Breakage>) -> Self {
        let progress = Progress { file, name, written: number, synced: number, syncing: false, closing: false };
        Syncer { progress: Mutex::new(progress), changed: Condvar::new(), breakage }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, progress: MutexGuard<'a, Progress>) -> MutexGuard<'a, Progress> {
        self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner)
    }

    /// Frames with lower numbers are durable.
    pub(super) fn synced(&self) -> u64 {
        self.lock().synced
    }

    /// The frames before `number` are written.
    pub(super) fn written(&self, number: u64) {
        let mut progress = self.lock();
        let first = progress.written == progress.synced;
        progress.written = number;
        if first {
            self.changed.notify_all();
        }
    }

    /// The writer went on to another file; all frames before `number` are durable.
    pub(super) fn rolled(&self, file: Arc<dyn LogFile>, name: String, number: u64) {
        let mut progress = self.lock();
        (progress.file, progress.name) = (file, name);
        (progress.written, progress.synced) = (number, number);
        self.changed.notify_all();
    }

    /// Waits until the frames before `number` are durable, and does the work unless somebody else is at it.
    pub(super) fn sync(&self, number: u64) -> Result<(), LogError> {
        let mut progress = self.lock();
        loop {
            if progress.synced >= number {
                return Ok(());
            }
            self.breakage.check()?;
            progress = if progress.syncing { self.wait(progress) } else { self.sync_once(progress)? };
        }
    }

    /// Everything that was written.
    pub(super) fn sync_all(&self) -> Result<(), LogError> {
        let written = self.lock().written;
        self.sync(written)
    }

    /// Waits until somebody else made the frames before `number` durable.
    pub(super) fn await_sync(&self, number: u64) -> Result<(), LogError> {
        let mut progress = self.lock();
        while progress.synced < number {
            self.breakage.check()?;
            progress = self.wait(progress);
        }
        Ok(())
    }

    fn sync_once<'a>(&'a self, mut progress: MutexGuard<'a, Progress>) -> Result<MutexGuard<'a, Progress>, LogError> {
        progress.syncing = true;
        let (file, name, number) = (progress.file.clone(), progress.name.clone(), progress.written);
        drop(progress);
        let outcome = file.sync();
        // Before the lock is given up, so that nobody tries again.
        let outcome = outcome.map_err(|cause| self.breakage.failed(format!("cannot sync `{name}`"), cause));
        let mut progress = self.lock();
        progress.syncing = false;
        if outcome.is_ok() {
            progress.synced = progress.synced.max(number);
        }
        self.changed.notify_all();
        outcome.map(|()| progress)
    }

    /// Wakes all who wait, after a breakage elsewhere.
    pub(super) fn broke(&self) {
        let _progress = self.lock();
        self.changed.notify_all();
    }

    /// Ends [`Syncer::every`].
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Syncs at the end of every interval in which something was written, until the log is closed or breaks.
    pub(super) fn every(&self, interval: Duration) {
        let mut progress = self.lock();
        while !self.breakage.is_there() {
            if progress.written == progress.synced {
                if progress.closing {
                    return;
                }
                progress = self.wait(progress);
                continue;
            }
            let open = |progress: &mut Progress| !progress.closing;
            let waited = self.changed.wait_timeout_while(progress, interval, open);
            drop(waited.unwrap_or_else(PoisonError::into_inner).0);
            // A failure is noted where every later call finds it.
            let _ = self.sync_all();
            progress = self.lock();
        }
    }
}
