//! `event_sourced`: a command is decided, and what comes of it is handed on, each kind to the nodes that want it.
//!
//! Rule: `Decide` only reads the state. Its first child, `KeepState`, stores it, before anything else comes of the command: so
//! the table of states is a table like any other, and is never behind the events.

mod answers;
mod decide;
mod decided;
mod outcomes;
mod states;

pub(crate) use answers::{AnswerKey, AnswerKeySerde, Answers, to_their_partition};
pub(crate) use decide::{Decide, ExpectedOf, IdOf};
pub(crate) use decided::Decided;
pub(crate) use outcomes::{Events, Refusals, Replies};
pub(crate) use states::KeepState;
