//! Applications as their users see them: sends, queries, states, failures and restarts, on the memory and the embedded log.

mod failures;
mod housekeeping;
mod loops;
mod queries;
mod restarts;
mod starts;
mod states;
mod support;
mod threads;
mod times;
