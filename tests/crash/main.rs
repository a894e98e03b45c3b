//! Processes from outside: killed, ended, misused, out of room and run again, they apply every record exactly once.

mod chain;
mod chance;
mod disk;
#[path = "../common/examples.rs"]
mod examples;
mod faults;
mod inputs;
mod kills;
mod market;
mod model;
mod process;
mod rounds;
mod shop;
mod soak;
mod word_count;
