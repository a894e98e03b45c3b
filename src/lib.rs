//! tidemill
pub mod log;
pub use tidemill_dsl::record;
pub use tidemill_dsl::serde;
