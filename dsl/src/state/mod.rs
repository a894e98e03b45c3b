//! State of operators: what stores are, and the typed rows over them.
//!
//! Rule: hot rows live typed and are updated in place; the changelog is the write-ahead log; the bytes below are a
//! checkpoint of it, written now and then together with the changelog offset that they reflect.

mod access;
mod buffer;
mod buffered;
mod byte_store;
mod cache;
mod cached_rows;
mod cell;
mod cells;
mod checkpoint;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod history;
mod key_value;
mod keyed_rows;
mod leaving;
mod ordered_key;
mod positions;
mod published;
mod publishing;
mod row_format;
mod row_headers;
mod row_memory;
mod rows_snapshot;
mod run_walk;
mod runs;
mod scan;
mod segmented_rows;
mod segments;
mod session;
mod session_access;
mod spec;
mod state_store;
mod store;
mod typed_rows;
mod undo;
mod versioned;
mod versioned_store;
mod walk;
mod window;
mod window_access;
mod window_key;
mod window_store;

pub use access::{Descriptor, Readable, StoreAccess, StoreName, StoreReader};
pub(crate) use buffer::BufferState;
pub(crate) use buffered::Buffered;
pub use byte_store::{
    ByteSnapshot, ByteStore, Direction, KeyRange, Rows, StoreError, StoreErrorKind, StoreWrite, TakeSnapshot,
};
pub(crate) use cache::{Before, CacheBudget, Held, Reader};
pub use cache::{CacheLimit, CacheSpec, Release};
pub use checkpoint::Checkpoint;
pub use history::Version;
pub use key_value::KeyValueState;
pub(crate) use keyed_rows::KeyedRows;
pub(crate) use positions::PositionedStore;
pub use positions::{Position, Positions};
pub use published::{
    Changes, CommittedRows, CommittedStore, CommittedWalk, Lagged, PublishedRows, RowBytes, RowChange, Superseded,
    Watcher,
};
pub use row_format::RowFormat;
pub use row_headers::KeptHeaders;
pub use row_memory::RowMemory;
pub use scan::Scan;
pub(crate) use scan::key_range;
pub(crate) use session::SessionKeeping;
pub use session::SessionState;
pub use session_access::SessionAccess;
pub use spec::{Changelog, Emit, Persistence, StoreSpec};
pub use state_store::{Cause, ChangelogOut, StateStore, VisitBytes};
pub use store::Store;
pub use typed_rows::{CellId, Kept, VisitRow};
pub use undo::{UndoMark, Undoable};
pub use versioned::{Put, VersionedState};
pub use versioned_store::{VersionedAccess, VersionedStore};
pub use window::WindowState;
pub(crate) use window::{Duplicates, WindowKeeping};
pub use window_access::WindowAccess;
pub use window_store::{SessionStore, WindowStore};
