//! Event sourcing: what a command does, once, whatever happens in between.

mod account;
mod asks;
mod decisions;
mod model;
mod orders;
mod topologies;
