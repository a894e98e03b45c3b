//! The test driver: partitions, commits, changelogs, capture and clock; timers and forwards; and what a failing record says.

#[path = "../common/bank.rs"]
mod bank;
#[path = "../common/delete.rs"]
mod delete;

mod alone;
mod capture;
mod commits;
mod emission;
mod errors;
mod foreign_keys;
mod forwards;
mod globals;
mod groups;
mod handlers;
mod header_stores;
mod lent_rows;
mod partitions;
mod punctuations;
mod side_outputs;
mod stream_joins;
mod tables;
mod versions;
mod window_emission;
mod windows;
mod wrappers;
