//! Tests tidemill topologies: a deterministic driver, simulated files with faults and crashes, and conformance suites for
//! stores and logs.
//!
//! [`TestDriver`] runs a topology in the calling thread, on a clock that moves when told. It runs the very task that an
//! application runs.

pub mod conformance;
mod driver;
pub mod fault;

pub use driver::{Capture, Commit, DriverError, Input, Output, OutputRecord, RawRecord, StoreView, TestDriver};
