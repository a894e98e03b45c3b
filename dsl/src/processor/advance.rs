//! Record time that moves on without a record, because a task's inputs are quiet.
//!
//! Rule: it never moves back; operators further up are told before those further down, so that what comes out of them is there
//! when those below look for what is over.

use super::{Origin, ProcessError, TaskState};
use crate::record::Timestamp;

/// A node that wants to know when record time moves on without a record, as its task sees it.
pub(crate) trait FollowsTime: Send + Sync {
    /// Hands on what waits for `time`; gives whether there was anything.
    fn advance(&self, time: Timestamp, task: &mut TaskState) -> Result<bool, ProcessError>;
}

impl TaskState {
    /// After how long without records their time moves on, in milliseconds of the wall clock; `None`: it never does.
    #[inline]
    pub fn idle_advance(&self) -> Option<i64> {
        self.parts.idle_advance
    }

    /// Moves the stream time on without a record, and lets the operators that follow it hand on what waits for it, those further
    /// up first. Timers are not fired. Gives whether anything was forwarded or stored.
    pub fn advance_to(&mut self, time: Timestamp) -> Result<bool, ProcessError> {
        self.advance_stream_time(time);
        let (following, mut changed) = (self.parts.following.clone(), false);
        for node in following.iter() {
            let origin = Origin { record: None, timestamp: time };
            self.attempt(origin, |task| {
                changed |= node.advance(time, task)?;
                Ok(())
            })?;
        }
        Ok(changed)
    }
}
