//! Runs an application: threads around executors, and an async edge for its users.
//!
//! Rule: threads of our own do the work and never wait for a user; users wait on channels. Only this module names tokio.

mod answers;
mod app;
mod ask;
mod asked;
mod builder;
mod calls;
mod checkpoints;
mod committed;
mod crew;
mod feed;
mod gate;
mod home;
mod housekeeping;
#[cfg(feature = "http")]
mod http;
mod instances;
mod keeper;
mod lag;
mod memory;
mod message;
mod metrics;
mod on_error;
mod pause;
mod position;
mod posted;
mod program;
mod query;
mod reads;
mod restorers;
mod restores;
mod sender;
mod settings;
mod shape;
mod shared;
mod standbys;
mod start;
mod state;
mod status;
mod subscription;
mod task_maker;
mod term;
mod timer;
mod topic_watch;
mod view;
mod waiting;
mod worker;

pub use app::App;
pub use ask::{Answer, Ask, AskError};
pub use builder::AppBuilder;
pub(crate) use feed::feed_scope;
pub use feed::{Feed, FeedBatch};
#[cfg(feature = "http")]
pub use http::QueryServer;
pub use instances::{ActiveTask, Instance, StandbyStore, StandbyTask};
pub use lag::PartitionLag;
pub use memory::MemoryUse;
pub use metrics::{Metrics, PastError, TaskMetrics, TaskNow, WorkerMetrics};
pub use on_error::{ErrorPolicy, OnError};
pub use position::{NoPosition, Position, Sent};
pub use posted::Posted;
pub(crate) use program::{forget, scope as program_scope};
pub use query::{
    DirtyTable, KeyOwner, Queryable, Row, RowsQuery, RowsWithTimes, SessionQuery, SnapshotRows, StoreQuery,
    StoreSnapshot, TableChange, TableChanges, TableQuery, TableSnapshot, VersionedQuery, WatchQuery, WindowQuery,
    WindowedRows,
};
pub use restores::{Restores, TaskRestore};
pub use settings::{SettingInUse, SettingOrigin, SettingSources, Settings, SettingsInUse};
pub use state::AppState;
pub use status::{Status, TaskDoing, TaskStatus};
pub use subscription::{ReadRecord, Subscription};
pub use view::AppView;
