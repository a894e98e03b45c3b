//! The services among the examples, as processes: asked over HTTP, killed, asked again.

#[allow(clippy::disallowed_methods, reason = "another process is waited for, which tells nobody")]
mod browser;
mod calculator;
mod catalog;
#[path = "../common/examples.rs"]
mod examples;
#[path = "../../examples/support/failing.rs"]
#[allow(dead_code, reason = "the services' own; only its type of errors is needed here")]
mod failing;
#[path = "../common/listening.rs"]
mod listening;
mod modules;
mod pages;
#[path = "../../examples/web/modules.rs"]
mod parts;
mod service;
mod users;
mod walk;
