//! Event sourcing: what a command does, once, whatever happens in between.

mod account;
mod asks;
mod decisions;
mod instances;
mod model;
mod orders;
mod repository;
mod topologies;
mod users;
