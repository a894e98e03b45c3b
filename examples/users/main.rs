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
use std::time::Duration;

use clap::Parser;
use tidemill::Settings;

use web::cli::Backing;
use web::failing::failed;
use web::serving::serve;

/// Over how many partitions users are spread, where the topics are new.
const PARTITIONS: u32 = 4;

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

    /// After how many milliseconds at most what was done is committed; who waits for an answer does not wait so long
    #[arg(long, value_name = "MS", default_value_t = 100)]
    commit_every: u64,
}

const AFTER: &str = "\
Examples:
  users                                        on a log in ./users-data
  users --kafka localhost:9092                 on Apache Kafka; needs `--features kafka,http`
  curl localhost:4000 --json '{\"type\":\"CreateUserCommand\",\"first_name\":\"Ada\",\"last_name\":\"Byron\"}'

Exit codes: 130 and 143 ended by Ctrl-C or SIGTERM; 1 an error, which says what to do next.";

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { listen, backing, commit_every } = Cli::parse();
    let topics = model::topics();
    let settings = Settings {
        partitions: 4,
        threads: 2,
        commit_interval: Duration::from_millis(commit_every),
        ..Settings::default()
    };
    let topology = match topics.topology() {
        Ok(topology) => topology,
        Err(error) => return failed(&error.into()),
    };
    match backing.app("users", topology, "./users-data", settings) {
        Ok(app) => {
            let app = app.topic(topics.appends().topic(), PARTITIONS).topic(topics.events(), PARTITIONS);
            serve(app, listen, |running| Ok(routes::routes(writer::Writer::load(running.app, &topics)?))).await
        }
        Err(error) => failed(&error),
    }
}
