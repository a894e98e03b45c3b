//! Describes computations.
pub mod processor;
pub mod record;
pub mod serde;
pub mod state;
pub mod topology;
pub mod stream;
mod operator;
mod topic;
pub use topic::Topic;
