//! Tests topologies.

pub mod conformance;
