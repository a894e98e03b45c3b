//! The typed store tells the same story as a map, whatever lies below it; so do its changelog and its snapshots.

#[path = "../common/shared_memory.rs"]
mod shared_memory;

mod home;
mod model;
mod published;
mod rows;
mod scans;
mod versions;
mod windows;
