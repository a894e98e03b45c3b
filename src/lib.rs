//! tidemill
mod clock;
pub mod log;
pub mod store;
pub mod task;

pub use clock::{Clock, ManualClock, SystemClock};
pub use tidemill_dsl::{Topic, processor, record, serde, state, stream, topology};
