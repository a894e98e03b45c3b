//! Views as axum routers, for the program to mount. Needs the feature `http`.
//!
//! Rule: a router opens no socket. Whoever mounts it decides where it listens, and who may come; `127.0.0.1` unless there is a
//! reason. Only [`LiveView::serve`] listens, and there alone unless there is a token.

mod live;
mod operations;
#[cfg(feature = "avro")]
mod schemas;

pub use live::{LiveView, LiveViewAddress, ServedView, live_view};
pub use operations::operations;
#[cfg(feature = "avro")]
pub use schemas::schemas;
