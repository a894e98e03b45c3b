//! Moves applications from one log to another, which is how one that has outgrown its folder comes to Kafka.
//!
//! Rule: every record keeps its place among the others of its partition, its time, headers, key and value, and every application goes on with the
//! record that it would have processed next. Nothing on the new log is touched that was not made for this, and what did not come
//! to its end is begun again.

mod claims;
mod mover;
mod plan;

pub use mover::Moved;
pub use plan::{Graduation, TopicMove};
