//! The services among the examples, as processes: asked over HTTP, killed, asked again.

mod calculator;
mod catalog;
#[path = "../common/examples.rs"]
mod examples;
mod service;
mod users;
mod walk;
