//! Event sourcing: commands are decided against a state, and what was decided are events, which make the state.
//!
//! Rule: an aggregate is plain code without a clock, a store or a topic. The same command against the same state gives the same
//! events, so a replay decides as the first run did.
//!
//! [`Stream::event_sourced`](crate::stream::Stream::event_sourced) runs an [`Aggregate`] in a topology. What one command does
//! (the state, its events, its refusal, its reply, what is remembered of it) is one step of one task, committed as a whole:
//! no command ever meets a state that misses something that was decided before it.

mod aggregate;
mod commands;
pub mod headers;
mod reply;
mod reply_serde;
mod tagged;

pub use aggregate::{Aggregate, CommandContext, evolved};
pub use commands::Commands;
pub(crate) use headers::CommandHeaders;
pub use reply::{Refusal, Reply};
pub use reply_serde::ReplySerde;
pub use tagged::Tagged;
