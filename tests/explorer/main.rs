//! Questions about topologies, answered by going through all runs.

#[path = "../common/bank.rs"]
mod bank;

mod counts;
mod faults;
mod globals;
mod properties;
mod question;
mod reductions;
mod simulation;
