//! Tests topologies.
