//! Wakes those who wait for new records of what they read.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use super::Core;

/// How long the thread looks before it asks whether its log is still there.
const TURN: Duration = Duration::from_millis(100);

/// Readers to be woken once each, and whether a thread looks for them.
#[derive(Default)]
pub(super) struct Watcher {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    wakers: Vec<Waker>,
    is_watched: bool,
}

impl Watcher {
    /// Wakes `waker` after the next change.
    pub(super) fn add(&self, waker: &Waker, core: &Arc<Core>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.wakers.iter().any(|known| known.will_wake(waker)) {
            waiting.wakers.push(waker.clone());
        }
        if !std::mem::replace(&mut waiting.is_watched, true) {
            waiting.is_watched = watch(core);
        }
    }

    fn wake(&self) {
        let wakers = std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner).wakers);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Starts the thread, which ends with the log. Says whether it could be.
fn watch(core: &Arc<Core>) -> bool {
    let core = Arc::downgrade(core);
    let look = move || {
        let mut seen = 0;
        while let Some(core) = core.upgrade() {
            let now = core.reader.wait(seen, TURN);
            if now != seen {
                core.watcher.wake();
            }
            seen = now;
        }
    };
    let started = thread::Builder::new().name("tidemill-kafka-watch".to_owned()).spawn(look);
    if let Err(error) = &started {
        tracing::warn!(target: "tidemill::kafka", %error, "nobody is woken by new records: no thread can be started");
    }
    started.is_ok()
}
