//! tidemill
mod clock;
mod error;
pub mod exec;
pub mod log;
mod runtime;
pub mod store;
pub mod task;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, ErrorKind};
pub use runtime::{App, AppBuilder, AppState, Feed, FeedBatch, Posted, ReadRecord, Reader, Settings, TableQuery};
pub use tidemill_dsl::{Topic, processor, record, serde, state, stream, topology};
