//! Names that no other test, and no other run on the same broker, has.

use std::sync::atomic::{AtomicU32, Ordering};

use tidemill::{Clock, SystemClock};

/// The names of one test.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    /// Names that begin with this word.
    pub(crate) fn of(word: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (time, process) = (SystemClock.now().as_millis(), std::process::id());
        Names { prefix: format!("{word}-{time:x}-{process:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed)) }
    }

    /// Those of another process's test.
    pub(crate) fn again(prefix: &str) -> Self {
        Names { prefix: prefix.to_owned() }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The id of the test's application. No topic of [`Names::topic`] looks like one of the application's own.
    pub(crate) fn application(&self) -> String {
        format!("{}-app", self.prefix)
    }

    /// The full name of a topic.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }
}
