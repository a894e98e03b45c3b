//! The explicit layer: sources, processors, sinks and stores by name, built into an immutable [`Topology`].
//!
//! Rule: `build` reports every fault at once; what it returns is complete, checked, and shared by all tasks.

mod answering;
mod builder;
mod describe;
mod draw;
mod fault;
mod filled;
mod graph;
mod instantiate;
mod java_order;
mod java_tree;
mod need;
mod nodes;
mod partitions;
mod reset;
mod settings;
mod sink;
mod source;
mod warning;
mod wiring;

pub use answering::AnswerRoute;
pub(crate) use answering::Answering;
pub use builder::TopologyBuilder;
pub use fault::{Fault, TopologyErrors};
pub(crate) use filled::{Filled, FilledBy};
pub use graph::{NodeKind, NodeView, Subtopology, Topology};
pub use instantiate::{InstantiateError, OpenStore, SourceQueue, TaskSpec, changelog_topic};
pub use need::{ANSWERS_KEPT, TopicKind, TopicNeed};
pub use nodes::{SinkTopic, SourceTopics, TopicPattern, TopicRef};
pub use partitions::TopicPlan;
pub use reset::OffsetReset;
pub use settings::TaskSettings;
pub use sink::{RecordContext, Sink};
pub use source::{LoadError, Run, Source, SourceRunner, TimestampExtractor};
pub use warning::Warning;
pub use wiring::Wiring;
pub(crate) use wiring::{Assembled, FlushCache, Flusher, RowSlot, StoreSlot};
