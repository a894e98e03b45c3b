//! The Kafka log on a real broker, found by the variable `KAFKA_BROKERS` (`host:port`).

mod asks;
#[path = "../common/changed_program.rs"]
mod changed_program;
mod changed_programs;
mod conformance;
#[cfg(feature = "http")]
#[path = "../common/examples.rs"]
mod examples;
mod explored;
mod faults;
mod graduations;
mod instances;
mod interop;
mod ledger;
#[cfg(feature = "http")]
#[path = "../common/listening.rs"]
mod listening;
mod membership;
mod mock_errors;
mod own_topics;
mod patterns;
mod prefixed;
mod reading;
mod resets;
#[cfg(feature = "avro")]
mod schemas;
#[cfg(feature = "http")]
mod services;
mod settings;
mod soaks;
mod standbys;
mod support;
mod support_tests;
mod tombstones;

/// The brokers to test with.
fn brokers() -> String {
    std::env::var("KAFKA_BROKERS")
        .expect("set `KAFKA_BROKERS` to a broker of Kafka 4.0 or later, such as 127.0.0.1:9092")
}

/// A beginning of names that no other test has, of this run or of others.
fn prefix() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let run = std::time::UNIX_EPOCH.elapsed().expect("the clock is set").as_millis();
    format!("t{run}-{}-{}.", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
