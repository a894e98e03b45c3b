//! Waits for something to happen elsewhere, and not for ever.

use std::sync::mpsc;
use std::time::Duration;

use tidemill::{Clock, SystemClock};

/// Longer than anything here takes, on a busy machine too.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
const TICK: Duration = Duration::from_millis(20);

/// Lets time pass: what is waited for is in another process.
pub(crate) fn pause(time: Duration) {
    let (_sender, nobody) = mpsc::channel::<()>();
    // Nobody sends, so this ends with the time.
    let _ = nobody.recv_timeout(time);
}

/// When to give up.
pub(super) struct Deadline(i64);

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        let limit = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        Deadline(SystemClock.now().as_millis().saturating_add(limit))
    }

    pub(super) fn is_over(&self) -> bool {
        SystemClock.now().as_millis() >= self.0
    }
}

/// Asks until there is an answer; panics when there is none within the limit.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::after(LIMIT);
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(!deadline.is_over(), "{what}: not within {} s", LIMIT.as_secs());
        pause(TICK);
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}
