//! Describes computations.
pub mod record;
pub mod serde;
pub mod state;
