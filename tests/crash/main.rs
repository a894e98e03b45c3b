//! The examples as processes, from outside: killed, ended, misused and run again, they apply every line exactly once.

mod chance;
mod faults;
mod inputs;
mod kills;
mod model;
mod process;
mod shop;
mod word_count;
