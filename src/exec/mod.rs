//! Drives tasks against a log, one step at a time, in the calling thread.
//!
//! Rule: what is free to choose (which partition is fetched, which task runs, when a commit happens) is a [`Step`] that a
//! [`Chooser`] picks; what a step does is decided here, once, for the runtime as for every test.

mod activity;
mod calls;
mod chooser;
mod executor;
mod held;
mod observed;
mod origin;
mod pause;
mod purge;
mod ready;
mod refill;
mod reset;
mod restore;
mod restoring;
mod standby;
mod trace;

pub use activity::{Activity, Durations, TaskTimes};
pub use calls::{Answers, Caller};
pub use chooser::{Chooser, EagerChooser, Step};
pub use executor::{Committer, Executor, Settings};
pub use held::Held;
pub use observed::{Observed, ObservedInput, ObservedStore, ObservedTask, Waiting};
pub use ready::{ReadyTask, Restorer};
pub use restoring::Restoring;
pub use standby::{Standby, StandbyOrigin};
pub use trace::{Trace, TraceEvent};
