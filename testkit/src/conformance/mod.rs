//! One suite for every implementation of a trait: what holds for one store or log holds for all.

pub mod log;
mod store;

pub use store::{StoreHome, check_store, check_store_against_a_map};
