//! A catalog of books and their authors, as a service: commands with receipts, events by the id of their command, and cards that
//! join both.
//!
//! ```text
//! cargo run --release --example books_catalog -- --help
//! ```

mod author;
mod book;
mod entity;
#[path = "../web/everywhere.rs"]
mod everywhere;
mod naming;
mod routes;
mod topology;
#[path = "../web/mod.rs"]
mod web;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tidemill::{AppBuilder, Settings};

use author::Author;
use book::Book;
use entity::Entity;
use topology::CATALOG;
use web::cli::Backing;
use web::failing::{Failure, failed};
use web::serving::serve;

/// Over how many partitions authors and books are spread, where the topics are new.
const PARTITIONS: u32 = 4;

/// Books and their authors, over HTTP.
///
/// Open the address that it prints in a browser, or see `/api` for what programs can ask.
#[derive(Debug, Parser)]
#[command(name = "books_catalog", after_long_help = AFTER, max_term_width = 100)]
struct Cli {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9081")]
    listen: SocketAddr,

    #[command(flatten)]
    backing: Backing,

    /// After how many milliseconds at most what was done is committed; who waits for an answer does not wait so long
    #[arg(long, value_name = "MS", default_value_t = 100)]
    commit_every: u64,
}

const AFTER: &str = "\
Examples:
  books_catalog                                on a log in ./catalog-data
  books_catalog --kafka localhost:9092         on Apache Kafka; needs `--features kafka,http`
  curl localhost:9081/authors/commands \\
    --json '{\"_type\":\"CreateAuthor\",\"code\":\"eco\",\"firstName\":\"Umberto\",\"lastName\":\"Eco\"}'

Exit codes: 130 and 143 ended by Ctrl-C or SIGTERM; 1 an error, which says what to do next.";

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { listen, backing, commit_every } = Cli::parse();
    match app(backing, Duration::from_millis(commit_every)) {
        Ok(app) => serve(app, listen, |running| Ok(routes::routes(running))).await,
        Err(error) => failed(&error),
    }
}

/// Has the topics of a kind of entity created if they are missing.
fn with_topics<A: Entity>(app: AppBuilder) -> AppBuilder {
    app.topic(A::COMMANDS.topic(), PARTITIONS).topic(&A::EVENTS, PARTITIONS)
}

fn app(backing: Backing, commit_interval: Duration) -> Result<AppBuilder, Failure> {
    let topology = topology::topology()?;
    naming::check(CATALOG, &topology)?;
    let settings = Settings { partitions: PARTITIONS, threads: 2, commit_interval, ..Settings::default() };
    let app = backing.app(CATALOG, topology, "./catalog-data", settings)?;
    Ok(with_topics::<Book>(with_topics::<Author>(app)))
}
