//! Faults that come in through the front door: files that fail, fill up, and lose what was not synced.

mod files;
mod image;

pub use files::{Fault, SimulatedFiles};
