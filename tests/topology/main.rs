//! What the builders make of a program: what they refuse, how they name, draw and plan it.

#[path = "../common/bank.rs"]
mod bank;

mod draw;
mod faults;
mod globals;
mod names;
mod needs;
mod optimization;
mod plan;
mod source_topics;
mod typed_faults;
mod warnings;
