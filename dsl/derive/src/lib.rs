//! `#[derive(Data)]`: says how a type travels through a topology.
