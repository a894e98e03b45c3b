//! tidemill
pub mod log;
pub mod store;
pub use tidemill_dsl::record;
pub use tidemill_dsl::serde;
