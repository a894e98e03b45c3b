//! Asks a service over HTTP as fast as it answers, and counts what became of it.
//!
//! Rule: every connection waits for its last answer, so that what was accepted can be counted to the last request.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod client;
mod process;
mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use client::Client;
use process::Process;
use serde::Serialize;
use service::{Service, Tally};

/// Measures a service among the examples: requests per second that change its state, and how long each waits for its answer, which
/// comes after the commit.
///
/// It starts the service on a folder of its own, fills it, asks over some connections, each of which has one request under way, and
/// compares the service's state with what it accepted. Prints one JSON line. Build the examples first:
/// `cargo build --release --examples`.
#[derive(Debug, Parser)]
#[command(name = "http-load", max_term_width = 110)]
struct Options {
    /// Which one: `calculator` adds to values, `books-catalog` creates authors, `users` changes users
    #[arg(value_enum)]
    service: Service,
    /// Connections, each with one request under way
    #[arg(long, value_name = "N", default_value_t = 128)]
    connections: usize,
    /// For how long it asks, after two seconds that do not count
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    seconds: u64,
    /// How many values or users there are
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    entities: usize,
    /// After how many milliseconds the service commits at most
    #[arg(long, value_name = "MS", default_value_t = 5)]
    commit_every: u64,
    /// After how many milliseconds the service has synced what was sent, which answers wait for
    #[arg(long, value_name = "MS", default_value_t = 5)]
    sync_every: u64,
}

const WARMUP: Duration = Duration::from_secs(2);

/// A line of the output.
#[derive(Debug, Serialize)]
struct Measured {
    service: Service,
    connections: usize,
    commit_every_ms: u64,
    sync_every_ms: u64,
    /// In the seconds that count.
    answers: u64,
    answers_per_s: u64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
    /// All that were accepted, and what the service's state says of them.
    accepted: u64,
    found: u64,
    service_cpu_s: f64,
    service_rss_mb: f64,
    client_cpu_s: f64,
    load_before: String,
}

fn main() -> Result<()> {
    let options = Options::parse();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(&options))
}

async fn measure(options: &Options) -> Result<()> {
    let load_before = process::load();
    let process = Process::start(options.service, options.commit_every, options.sync_every)?;
    let mut client = Client::connect(process.address()).await?;
    let entities: Arc<[String]> = options.service.fill(&mut client, options.entities).await?.into();
    let started = Instant::now();
    let (from, to) = (started + WARMUP, started + WARMUP + Duration::from_secs(options.seconds));
    let number = Arc::new(AtomicU64::new(0));
    let connections: Vec<_> = (0..options.connections)
        .map(|_| {
            tokio::spawn(ask(
                options.service,
                process.address().to_owned(),
                entities.clone(),
                number.clone(),
                (from, to),
            ))
        })
        .collect();
    let (mut tally, mut waits) = (Tally::default(), Vec::new());
    for connection in connections {
        let (more, mut waited) = connection.await??;
        tally.add(more);
        waits.append(&mut waited);
    }
    let found = options.service.found(&mut client, &tally).await?;
    waits.sort_unstable();
    ensure!(!waits.is_empty(), "nothing was answered in time");
    let at = |share: f64| millis(waits[((waits.len() - 1) as f64 * share) as usize]);
    let measured = Measured {
        service: options.service,
        connections: options.connections,
        commit_every_ms: options.commit_every,
        sync_every_ms: options.sync_every,
        answers: waits.len() as u64,
        answers_per_s: waits.len() as u64 / options.seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        max_ms: at(1.0),
        accepted: tally.accepted,
        found,
        service_cpu_s: process.cpu_seconds(),
        service_rss_mb: process.rss_peak_mb(),
        client_cpu_s: process::own_cpu_seconds(),
        load_before,
    };
    println!("{}", serde_json::to_string(&measured)?);
    ensure!(measured.accepted == measured.found, "the service's state is not the sum of what it accepted");
    Ok(())
}

/// One connection: asks until the time is over. Gives what became of the requests, and how many microseconds each waited that counts.
async fn ask(
    service: Service,
    address: String,
    entities: Arc<[String]>,
    number: Arc<AtomicU64>,
    (from, to): (Instant, Instant),
) -> Result<(Tally, Vec<u32>)> {
    let mut client = Client::connect(&address).await?;
    let (mut tally, mut waits) = (Tally::default(), Vec::new());
    loop {
        let asked = Instant::now();
        if asked >= to {
            return Ok((tally, waits));
        }
        let number = number.fetch_add(1, Ordering::Relaxed);
        service.ask(&mut client, &entities, number, &mut tally).await?;
        if asked >= from {
            waits.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }
}

fn millis(micros: u32) -> f64 {
    f64::from(micros) / 1_000.0
}
