//! Tasks that rest for a while.
//!
//! Rule: a pause begins between two records. What was taken up before goes on: commits, and the answers of calls. Global stores
//! follow their topics all the time, as in Kafka Streams.

use super::executor::{Driven, Executor};

impl Executor {
    /// Has the tasks take no more records and fire no timers, or go on with both.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }
}

impl Driven {
    /// Whether it takes up nothing new, while its executor is `paused` or because it is about to be handed over.
    pub(super) fn rests(&self, paused: bool) -> bool {
        self.held || self.is_paused(paused)
    }

    /// Whether the pause of its executor is one for it.
    pub(super) fn is_paused(&self, paused: bool) -> bool {
        paused && !self.task.is_global()
    }
}
