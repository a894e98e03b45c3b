//! What the services have in common: how they begin and end, how they say no, and a page of what they offer.

pub(crate) mod api;
pub(crate) mod cli;
#[path = "../support/failing.rs"]
pub(crate) mod failing;
pub(crate) mod modules;
pub(crate) mod problem;
pub(crate) mod serving;
#[path = "../support/signals.rs"]
mod signals;
