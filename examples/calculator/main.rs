//! A calculator as a service: values that are created, added to and multiplied, each operation exactly once, whatever happens.
//!
//! ```text
//! cargo run --release --example calculator -- --help
//! ```

#[cfg(test)]
#[path = "../support/crashes.rs"]
mod crashes;
#[path = "../web/everywhere.rs"]
mod everywhere;
mod model;
mod routes;
mod topology;
#[path = "../web/mod.rs"]
mod web;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use tidemill::AppBuilder;

use topology::{COMMANDS, EVENTS};
use web::cli::{Backing, PARTITIONS};
use web::failing::{Failure, failed};
use web::serving::serve;

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
}

const AFTER: &str = "\
Examples:
  calculator                                   on a log in ./calculator-data
  calculator --kafka localhost:9092            on Apache Kafka; needs `--features kafka,http`
  curl -X POST localhost:3030/values --json '{\"value\":2}'

Exit codes: 130 and 143 ended by Ctrl-C or SIGTERM; 1 an error, which says what to do next.";

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { listen, backing } = Cli::parse();
    match app(backing) {
        Ok(app) => serve(app, listen, |running| Ok(routes::routes(running).into())).await,
        Err(error) => failed(&error),
    }
}

fn app(backing: Backing) -> Result<AppBuilder, Failure> {
    let app = backing.app("calculator", topology::topology()?, "./calculator-data")?;
    Ok(app.topic(COMMANDS.topic(), PARTITIONS).topic(&EVENTS, PARTITIONS))
}
