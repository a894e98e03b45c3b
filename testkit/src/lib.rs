//! Tests topologies.

pub mod conformance;
pub mod fault;
