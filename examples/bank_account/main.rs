//! A bank on the embedded log: every operation in the input is applied exactly once, whatever happens in between.
//!
//! ```text
//! cargo run --release --example bank_account -- --help
//! ```

mod cli;
#[cfg(test)]
#[path = "../support/crashes.rs"]
mod crashes;
mod event_sourced;
mod join;
mod model;
mod print;
#[path = "../support/mod.rs"]
mod support;
mod topology;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde::Deserialize;
use tidemill::{App, Settings};

use cli::Cli;
use model::Operation;
use support::feeding::feed;
use support::input::Input;
use support::progress::Progress;
use support::{Failure, aside, running};
use topology::Bank;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/operations.jsonl");
/// Accounts are spread over so many partitions; operations of one account keep their order.
const PARTITIONS: u32 = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { files, data, topology, json, threads, commit_every } = Cli::parse();
    let bank = match topology.bank() {
        Ok(bank) => bank,
        Err(error) => return support::failing::failed(&error.into()),
    };
    let settings = Settings {
        partitions: PARTITIONS,
        threads: threads.into(),
        commit_interval: Duration::from_millis(commit_every),
        ..Settings::default()
    };
    let app = App::builder(bank.application, bank.topology.clone()).embedded(data).settings(settings);
    let inputs = Input::given_or(files, SAMPLE);
    running::run(app, async |app| {
        apply(app, &bank, &inputs).await?;
        let (movements, balances) = (app.subscribe(&bank.movements)?, app.table(&bank.accounts).all().await?);
        aside(move || print::results(movements, balances, json)).await
    })
    .await
}

/// Sends the operations of all inputs, and waits until they are decided.
async fn apply(app: &App, bank: &Bank, inputs: &[Input]) -> Result<(), Failure> {
    let progress = Progress::over(inputs);
    for input in inputs {
        let add = |batch: &mut tidemill::FeedBatch<'_>, Line { account, amount }| {
            batch.add(&bank.operations, account, Operation { amount })
        };
        feed(app, input, parse, add, &progress).await?;
    }
    progress.until_settled(app).await
}

/// A line of input.
#[derive(Deserialize)]
struct Line {
    account: String,
    amount: i64,
}

fn parse(line: &[u8]) -> Result<Option<Line>, String> {
    if line.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(line).map(Some).map_err(|error| {
        // The line's number is said by whoever counts lines.
        let (reason, column) = (error.to_string(), error.column());
        let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason);
        format!(r#"{reason} (column {column}); a line is one JSON object such as {{"account":"alice","amount":10}}"#)
    })
}
