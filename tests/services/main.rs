//! The services among the examples, as processes: asked over HTTP, killed, asked again.

mod browser;
mod calculator;
mod catalog;
#[path = "../common/examples.rs"]
mod examples;
mod pages;
mod service;
mod users;
mod walk;
