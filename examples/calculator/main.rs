//! A calculator as a service: values that are created, added to and multiplied, each operation exactly once, whatever happens.
//!
//! ```text
//! cargo run --release --example calculator -- --help
//! ```

#[path = "../web/everywhere.rs"]
mod everywhere;
mod model;
mod routes;
mod topology;
#[path = "../web/mod.rs"]
mod web;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tidemill::{AppBuilder, Settings};

use topology::{COMMANDS, EVENTS};
use web::cli::Backing;
use web::failing::{Failure, failed};
use web::serving::serve;

/// Over how many partitions values are spread, where the topics are new.
const PARTITIONS: u32 = 4;

/// Values that are created, added to and multiplied, over HTTP.
///
/// Open the address that it prints in a browser, or see `/api` for what programs can ask.
#[derive(Debug, Parser)]
#[command(name = "calculator", after_long_help = AFTER, max_term_width = 100)]
struct Cli {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3030")]
    listen: SocketAddr,

    #[command(flatten)]
    backing: Backing,

    /// After how many milliseconds at most what was done is committed; who waits for an answer does not wait so long
    #[arg(long, value_name = "MS", default_value_t = 100)]
    commit_every: u64,
}

const AFTER: &str = "\
Examples:
  calculator                                   on a log in ./calculator-data
  calculator --kafka localhost:9092            on Apache Kafka; needs `--features kafka,http`
  curl -X POST localhost:3030/values --json '{\"value\":2}'

Exit codes: 130 and 143 ended by Ctrl-C or SIGTERM; 1 an error, which says what to do next.";

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { listen, backing, commit_every } = Cli::parse();
    match app(backing, Duration::from_millis(commit_every)) {
        Ok(app) => serve(app, listen, |running| Ok(routes::routes(running))).await,
        Err(error) => failed(&error),
    }
}

fn app(backing: Backing, commit_interval: Duration) -> Result<AppBuilder, Failure> {
    let settings = Settings { partitions: PARTITIONS, threads: 2, commit_interval, ..Settings::default() };
    let app = backing.app("calculator", topology::topology()?, "./calculator-data", settings)?;
    Ok(app.topic(COMMANDS.topic(), PARTITIONS).topic(&EVENTS, PARTITIONS))
}
