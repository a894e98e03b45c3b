//! tidemill
pub mod log;
pub use tidemill_dsl::record;
