//! Event sourcing: aggregates in a topology, and repositories of them.
//!
//! Rule: whoever changes an aggregate says which version it means, so nothing is decided against a state that others have changed
//! meanwhile.
//!
//! - In a topology: [`Stream::event_sourced`](crate::stream::Stream::event_sourced) decides commands, and
//!   [`App::ask`](crate::App::ask) asks one.
//! - As a repository: [`Repository`] has aggregates in memory, made of all events of a [`Provider`]; what is added to them is saved
//!   with the version that it was added to. [`MemoryEvents`] is a provider for tests, [`TopicEvents`] has the events in a topic, where a
//!   task decides by `event_sourced` whose version counts.

mod entity;
mod memory_events;
mod provider;
mod repository;
mod topic_events;

pub use memory_events::MemoryEvents;
pub use provider::{Batches, EventBatch, Loaded, Provider, Recorded, SaveError};
pub use repository::Repository;
pub use tidemill_dsl::event_sourcing::*;
pub use topic_events::{Appended, EventTopics, TopicEvents};
