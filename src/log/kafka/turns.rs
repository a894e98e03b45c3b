//! Lets one thread at a time take what a client fetched, while the others wait for what it brings.
//!
//! Rule: whoever takes does so for all. So nobody waits for a turn to get what another thread brought, and a thread that takes again and
//! again keeps nobody out: those who have to change what is read come before it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Turns {
    turn: Mutex<Turn>,
    changed: Condvar,
}

#[derive(Default)]
struct Turn {
    is_taken: bool,
    /// How many wait who come first.
    urgent: usize,
}

impl Turn {
    fn is_free(&self) -> bool {
        !self.is_taken && self.urgent == 0
    }
}

/// The turn of whoever holds it.
pub(super) struct InTurn<'a>(&'a Turns);

impl Drop for InTurn<'_> {
    fn drop(&mut self) {
        self.0.lock().is_taken = false;
        self.0.changed.notify_all();
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn, unless it does not come within `limit`, or what is waited for was done by somebody else.
    pub(super) fn within(&self, limit: Duration, is_done: impl Fn() -> bool) -> Option<InTurn<'_>> {
        let has_to_wait = |turn: &mut Turn| !turn.is_free() && !is_done();
        let waited = self.changed.wait_timeout_while(self.lock(), limit, has_to_wait);
        let (mut turn, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !turn.is_free() || is_done() {
            return None;
        }
        turn.is_taken = true;
        Some(InTurn(self))
    }

    /// The turn before all who wait [`within`](Self::within) a limit. `hurry` ends the wait of whoever has it.
    pub(super) fn first(&self, hurry: impl FnOnce()) -> InTurn<'_> {
        let mut turn = self.lock();
        turn.urgent += 1;
        if turn.is_taken {
            hurry();
        }
        let mut turn = self.changed.wait_while(turn, |turn| turn.is_taken).unwrap_or_else(PoisonError::into_inner);
        turn.urgent -= 1;
        turn.is_taken = true;
        InTurn(self)
    }

    /// Has those who wait see whether it is done.
    pub(super) fn stir(&self) {
        drop(self.lock());
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(2);

    #[test]
    fn whoever_waits_hears_of_what_another_thread_did() {
        let (turns, done) = (Turns::default(), AtomicBool::new(false));
        let turn = turns.within(LONG, || false).expect("nobody has it");
        assert!(turns.within(SHORT, || false).is_none(), "it is taken");
        thread::scope(|scope| {
            let waits = scope.spawn(|| turns.within(LONG, || done.load(Ordering::SeqCst)).is_none());
            done.store(true, Ordering::SeqCst);
            turns.stir();
            assert!(waits.join().unwrap());
        });
        drop(turn);
        assert!(turns.within(LONG, || false).is_some());
    }

    #[test]
    fn a_thread_that_takes_again_and_again_keeps_nobody_out() {
        let (turns, ends, taken) = (Turns::default(), AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::SeqCst) {
                    if let Some(_turn) = turns.within(LONG, || ends.load(Ordering::SeqCst)) {
                        taken.fetch_add(1, Ordering::SeqCst);
                        thread::park_timeout(SHORT);
                    }
                }
            });
            for _ in 0..50 {
                let idle = taken.load(Ordering::SeqCst);
                while taken.load(Ordering::SeqCst) == idle {
                    thread::yield_now();
                }
                let before = taken.load(Ordering::SeqCst);
                let turn = turns.first(|| {});
                let rounds = taken.load(Ordering::SeqCst) - before;
                assert!(rounds <= 1, "{rounds} turns of the other thread came before");
                drop(turn);
            }
            ends.store(true, Ordering::SeqCst);
            turns.stir();
        });
    }
}
