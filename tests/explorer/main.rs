//! Questions about topologies, answered by going through all runs.

#[path = "../common/bank.rs"]
mod bank;
// The topologies and records of the recordings; what only their replay needs is not used here.
#[path = "../golden/base64.rs"]
#[allow(dead_code)]
mod base64;
#[path = "../golden/given.rs"]
#[allow(dead_code)]
mod given;
// What runs applications on a log, step by step; some of it only other tests need.
#[path = "../crash/chance.rs"]
#[allow(dead_code)]
mod chance;
#[path = "../seams/house.rs"]
#[allow(dead_code)]
mod house;
#[path = "../golden/scenarios/mod.rs"]
#[allow(dead_code)]
mod scenarios;
#[path = "../common/shared_memory.rs"]
mod shared_memory;
#[path = "../golden/stores.rs"]
#[allow(dead_code)]
mod stores;
#[path = "../golden/value.rs"]
#[allow(dead_code)]
mod value;
#[path = "../golden/vector.rs"]
#[allow(dead_code)]
mod vector;

mod counts;
mod faults;
mod globals;
mod golden;
#[cfg(tidemill_mutants)]
mod mutants;
mod properties;
mod question;
mod real_runs;
mod reductions;
mod simulation;
mod stories;
