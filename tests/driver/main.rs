//! The test driver: partitions, commits, changelogs, capture and clock; and what a failing record says.

#[path = "../common/bank.rs"]
mod bank;

mod capture;
mod commits;
mod errors;
mod globals;
mod lent_rows;
mod partitions;
