//! One suite for all implementations of a trait: what every one of them does.

pub mod log;
