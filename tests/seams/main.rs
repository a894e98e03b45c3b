//! The seams: each place where a test, the explorer or another driver takes hold of the engine, with a test that does.

#[path = "../common/bank.rs"]
mod bank;
#[path = "../crash/chance.rs"]
#[allow(dead_code)]
mod chance;
#[path = "../common/delete.rs"]
mod delete;
#[path = "../common/flaky_session.rs"]
mod flaky_session;
#[path = "../common/shared_memory.rs"]
mod shared_memory;
#[path = "../common/tasks.rs"]
mod tasks;

mod commit;
mod executor;
mod failures;
mod fingerprint;
mod globals;
mod house;
mod restore;
mod simulation;
mod snapshot;
