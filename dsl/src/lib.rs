//! Describes tidemill topologies: records, serdes, stores, operators, the typed builder. Pure values that the `tidemill` crate runs.
//!
//! Programs depend on `tidemill`, which has all of this under the same names. This crate is for those who build another way
//! to run a topology.
//!
//! ```
//! use tidemill_dsl::{Topic, stream::StreamsBuilder};
//!
//! const WORDS: Topic<String, String> = Topic::of("words");
//! const LENGTHS: Topic<String, u64> = Topic::of("lengths");
//!
//! let builder = StreamsBuilder::new();
//! builder.stream(&WORDS).map_values(|word| word.len() as u64).to(&LENGTHS);
//! let topology = builder.build()?;
//! assert_eq!(topology.subtopologies().len(), 1);
//! # Ok::<(), tidemill_dsl::topology::TopologyErrors>(())
//! ```
//!
//! - [`stream`]: the builder and its verbs. They write down a plan; `build` lowers it to the explicit graph.
//! - [`topology`]: that graph. Checks, describes, draws, plans topics, and makes the state of tasks.
//! - [`processor`]: what nodes are and may do while they run.
//! - [`state`]: stores, and the typed rows over their bytes.
//! - [`serde`]: values to bytes and back.
//! - [`record`]: what travels.
//! - [`window`]: stretches of record time that aggregations are cut into.
//! - [`event_sourcing`]: commands that are decided against a state, and the events that make it.
//!
//! No file, socket, clock, thread or async runtime is in here.
#![forbid(unsafe_code)]

pub mod event_sourcing;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[doc(hidden)]
pub mod mutants;
mod operator;
pub mod processor;
pub mod record;
pub mod serde;
pub mod state;
pub mod stream;
mod topic;
pub mod topology;
pub mod window;

pub use topic::Topic;
