//! Ends a search early, from another thread or a signal handler.
//!
//! Rule: a search that was ended says so: what it did not refute is bounded, never held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the searches that it was [given to](super::Explorer::cancel). Copies are one handle.
///
/// ```
/// use tidemill::prelude::*;
/// use tidemill_testkit::explorer::{Cancel, Explorer, Verdict};
///
/// let cancel = Cancel::default();
/// // In a program: a handler of Ctrl-C holds a copy, and calls this.
/// cancel.clone().cancel();
///
/// let builder = StreamsBuilder::new();
/// let (from, to): (Topic<String, i64>, Topic<String, i64>) = (Topic::of("in"), Topic::of("out"));
/// builder.stream(&from).to(&to);
/// let report = Explorer::new(&builder.build()?).input(&from, [("a", 1)]).cancel(&cancel).explore();
/// assert_eq!(report.verdict("no task fails"), &Verdict::Bounded);
/// # Ok::<(), TopologyErrors>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends searches that run, before their next step, and those that begin.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
