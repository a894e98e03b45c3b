//! Tests tidemill topologies: a deterministic driver, simulated files with faults and crashes, and conformance suites for
//! stores and logs.
//!
//! [`TestDriver`] runs a topology in the calling thread, on a clock that moves when told. It runs the very task that an
//! application runs.
//!
//! ```
//! use tidemill::prelude::*;
//! use tidemill_testkit::TestDriver;
//!
//! const WORDS: Topic<String, String> = Topic::of("words");
//! const COUNTS: Store<String, i64> = Store::of("counts");
//!
//! let builder = StreamsBuilder::new();
//! builder.stream(&WORDS).group_by(|_line, word| word.clone()).named("by-word").count_with(&COUNTS);
//!
//! let mut driver = TestDriver::new(&builder.build()?);
//! driver.input(&WORDS).send("1", "tide").send("1", "mill").send("2", "tide");
//! assert_eq!(driver.store(&COUNTS).all(), [("mill".to_string(), 1), ("tide".to_string(), 2)]);
//! # Ok::<(), TopologyErrors>(())
//! ```
//!
//! Settings come first, in a chain: several [`partitions`](TestDriver::partitions), when to [commit](TestDriver::commits),
//! what to [capture](TestDriver::capture). Test a topology that reads what it writes with [`Commit::OnDemand`] too: with a
//! commit after every record it looks tighter than it is.
//!
//! [`given`] tests an aggregate without a topology: given these events, when this command comes, then those follow.
//!
//! [`explorer`] runs a topology in every order that a backend permits, and says whether what you assume holds in all of them.
//!
//! [`conformance`] has the suites that the engine's own parts pass, for parts of your own.
//!
//! It uses public items of `tidemill` only: what it does, your tests can do.
#![forbid(unsafe_code)]

pub mod conformance;
mod driver;
pub mod explorer;
pub mod fault;
mod given;
mod mock;

pub use driver::{Calls, Capture, Commit, DriverError, Input, Output, OutputRecord, RawRecord, StoreView, TestDriver};
pub use given::{Given, When, given};
pub use mock::{Forwarded, MockContext};
