//! Describes computations.
mod operator;
pub mod processor;
pub mod record;
pub mod serde;
pub mod state;
pub mod stream;
mod topic;
pub mod topology;
pub use topic::Topic;
