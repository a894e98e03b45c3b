//! Runs an application: threads around executors, and an async edge for its users.
//!
//! Rule: threads of our own do the work and never wait for a user; users wait on channels. Only this module names tokio.

mod app;
mod builder;
mod feed;
mod gate;
mod housekeeping;
mod message;
mod posted;
mod reader;
mod sender;
mod settings;
mod shared;
mod start;
mod state;
mod table;
mod worker;

pub use app::App;
pub use builder::AppBuilder;
pub use feed::{Feed, FeedBatch};
pub use posted::Posted;
pub use reader::{ReadRecord, Reader};
pub use settings::Settings;
pub use state::AppState;
pub use table::TableQuery;
