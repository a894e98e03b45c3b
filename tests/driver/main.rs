//! The test driver: partitions, commits, changelogs, capture and clock; and what a failing record says.

#[path = "../common/bank.rs"]
mod bank;
#[path = "../common/delete.rs"]
mod delete;

mod capture;
mod commits;
mod emission;
mod errors;
mod lent_rows;
mod partitions;
