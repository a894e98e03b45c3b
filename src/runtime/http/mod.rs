//! Queries between the processes of an application, by HTTP.
//!
//! Rule: a thread of its own does it, so the program need not have a runtime that can; it answers what the process has, changes
//! nothing, and listens at this machine alone unless told otherwise.
//!
//! ```text
//! GET /v1/stores/<store>/<partition>?from=<hex>&to=<hex>&limit=10     rows: a line of key, value and time each, the bytes in hex
//! GET /v1/instances                                                   the processes, as the topic of instances has them
//! ```

mod client;
mod net;
mod question;
mod server;

pub(super) use net::Net;
pub(super) use question::{PAGE_ROWS, Question, Read};
pub use server::QueryServer;
