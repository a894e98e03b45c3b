//! A service that writes users: a repository of aggregates in memory, made of their events at the start, saved with their versions.
//!
//! ```text
//! cargo run --release --example users -- --help
//! ```

mod model;
mod routes;
#[path = "../web/mod.rs"]
mod web;
mod writer;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use web::cli::{Backing, PARTITIONS};
use web::failing::failed;
use web::serving::{Routes, Running, serve};
use writer::Writer;

/// Users that are created and changed, over HTTP.
///
/// See `/api` for what programs can ask.
#[derive(Debug, Parser)]
#[command(name = "users", after_long_help = AFTER, max_term_width = 100)]
struct Cli {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,

    #[command(flatten)]
    backing: Backing,
}

const AFTER: &str = "\
Examples:
  users                                        on a log in ./users-data
  users --kafka localhost:9092                 on Apache Kafka; needs `--features kafka,http`
  curl localhost:4000 --json '{\"type\":\"CreateUserCommand\",\"first_name\":\"Ada\",\"last_name\":\"Byron\"}'

Exit codes: 130 and 143 ended by Ctrl-C or SIGTERM; 1 an error, which says what to do next.";

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { listen, backing } = Cli::parse();
    let topics = model::topics();
    let topology = match topics.topology() {
        Ok(topology) => topology,
        Err(error) => return failed(&error.into()),
    };
    match backing.app("users", topology, "./users-data") {
        Ok(app) => {
            let app = app.topic(topics.appends().topic(), PARTITIONS).topic(topics.events(), PARTITIONS);
            let routes = |running: Running| {
                let (writer, task) = Writer::load(running.app, &topics)?;
                Ok(Routes { router: routes::routes(writer), task: Some(task) })
            };
            serve(app, listen, routes).await
        }
        Err(error) => failed(&error),
    }
}
