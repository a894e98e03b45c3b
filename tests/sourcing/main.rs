//! Event sourcing: what a command does, once, whatever happens in between.

mod account;
mod asks;
mod decisions;
#[path = "../common/done_by_log.rs"]
mod done_by_log;
mod instances;
mod model;
mod orders;
mod repository;
mod resting;
mod topologies;
mod users;
