//! The typed builder: streams and tables with verbs, lowered to the explicit [`topology`](crate::topology) layer.
//!
//! Rule: a verb only writes down what it means. Names get their numbers at once, in the order of the calls, as in Kafka
//! Streams; what later calls can still change (a name, whether a table needs a store) is decided when `build` lowers the
//! plan.

mod aggregation;
mod async_calls;
mod builder;
mod cogroup;
mod deduplicate;
mod event_sourced;
mod fits;
mod global;
mod grouped;
mod join;
mod join_later;
mod join_streams;
mod list_change;
mod lowering;
mod map_async;
mod merge_topics;
mod names;
mod optimization;
mod options;
mod plan;
mod process;
mod repartition;
mod shape;
mod sides;
mod sink;
mod split;
mod stateless;
mod stream_type;
mod table;
mod top_n;
mod ungrouped;
mod windowed;

pub use async_calls::AsyncCalls;
pub use builder::{Naming, StoreFormat, StreamsBuilder};
pub use cogroup::Cogrouped;
pub use deduplicate::Deduplicated;
pub use event_sourced::{Decisions, EventSourced};
pub use fits::Fits;
pub use global::GlobalTable;
pub use grouped::GroupedStream;
pub use join_streams::StreamJoined;
pub use list_change::ListChange;
pub use optimization::Optimization;
pub use options::{
    Consumed, Grouped, IntoMaterialized, Joined, KeyValue, Materialized, Produced, Repartitioned, Sessions, Windows,
};
pub use sink::Sunk;
pub use split::Split;
pub use stream_type::Stream;
pub use table::{Buffer, BufferLimit, Eager, GroupedTable, Strict, Suppressed, Table};
pub use windowed::{CogroupWindows, WindowKind, WindowedCogroup, WindowedStream};
