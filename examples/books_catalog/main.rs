//! A catalog of books and their authors, as a service: commands with receipts, events by the id of their command, and cards that
//! join both.
//!
//! ```text
//! cargo run --release --example books_catalog -- --help
//! ```

mod author;
mod book;
#[cfg(test)]
#[path = "../support/crashes.rs"]
mod crashes;

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

use clap::Parser;
use tidemill::AppBuilder;

use author::Author;
use book::Book;
use entity::Entity;
use topology::CATALOG;
use web::cli::{Backing, PARTITIONS};
use web::failing::{Failure, failed};
use web::serving::serve;

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
    let Cli { listen, backing } = Cli::parse();
    match app(backing) {
        Ok(app) => serve(app, listen, |running| Ok(routes::routes(running).into())).await,
        Err(error) => failed(&error),
    }
}

/// Has the topics of a kind of entity created if they are missing.
fn with_topics<A: Entity>(app: AppBuilder) -> AppBuilder {
    app.topic(A::COMMANDS.topic(), PARTITIONS).topic(&A::EVENTS, PARTITIONS)
}

fn app(backing: Backing) -> Result<AppBuilder, Failure> {
    let topology = topology::topology()?;
    naming::check(CATALOG, &topology)?;
    let app = backing.app(CATALOG, topology, "./catalog-data")?;
    Ok(with_topics::<Book>(with_topics::<Author>(app)))
}
