//! Views as axum routers, for the program to mount. Needs the feature `http`.
//!
//! Rule: nothing here opens a socket. Whoever mounts a router decides where it listens, and who may come; `127.0.0.1` unless there is a
//! reason.

mod operations;
#[cfg(feature = "avro")]
mod schemas;

pub use operations::operations;
#[cfg(feature = "avro")]
pub use schemas::schemas;
