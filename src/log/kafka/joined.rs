//! The consumer that is a process's member of a group.
//!
//! Rule: it ends within a time. Closing it waits for answers of the group, and the client waits for them for ever: where none
//! comes, its thread is left behind and the process goes on.

use std::ops::Deref;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;

use super::client::Quiet;

/// A consumer, until it is dropped.
pub(super) struct Joined {
    /// There until the drop.
    consumer: Option<BaseConsumer<Quiet>>,
    ends_within: Duration,
}

impl Joined {
    /// A consumer whose end may take this long.
    pub(super) fn new(consumer: BaseConsumer<Quiet>, ends_within: Duration) -> Self {
        Joined { consumer: Some(consumer), ends_within }
    }
}

impl Deref for Joined {
    type Target = BaseConsumer<Quiet>;

    fn deref(&self) -> &Self::Target {
        self.consumer.as_ref().expect("a consumer is there until it is dropped")
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        if !ends(move || drop(consumer), self.ends_within) {
            tracing::warn!(
                target: "tidemill::kafka",
                limit = ?self.ends_within,
                "the member of the group did not end in time, and its thread is left behind: the group forgets it when its \
                 session is over"
            );
        }
    }
}

/// Whether `end` is over within `limit`, on a thread of its own; where there is none, it is done here.
fn ends(end: impl FnOnce() + Send + 'static, limit: Duration) -> bool {
    let (ended, wait) = mpsc::channel::<()>();
    let started = thread::Builder::new().name("tidemill-kafka-end".to_owned()).spawn(move || {
        end();
        drop(ended);
    });
    started.is_err() || wait.recv_timeout(limit) != Err(mpsc::RecvTimeoutError::Timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_waited_for_but_not_for_ever() {
        assert!(ends(|| (), Duration::from_secs(60)));
        let (stuck, wait) = mpsc::channel::<()>();
        assert!(!ends(move || assert!(wait.recv().is_err()), Duration::from_millis(10)));
        drop(stuck);
    }
}
