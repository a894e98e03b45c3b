//! Whole applications on fixed workloads, measured beside Kafka Streams on the same data: see `--help`.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and waits")]

#[cfg(feature = "kafka")]
mod broker;
mod data;
mod driver;
mod embedded;
mod goal;
mod line;
mod machine;
mod options;
mod topologies;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use options::{Driver, Options};

/// The output is not what it must be.
const WRONG: u8 = 4;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(right) => ExitCode::from(if right { 0 } else { WRONG }),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool> {
    if let Some(data) = &options.engine_in {
        return embedded::run_engine(options, data).map(|()| true);
    }
    if let Some(application) = &options.app_id {
        return run_broker(options, application).map(|()| true);
    }
    let line = match options.driver {
        Driver::Embedded => embedded::run(options)?,
        Driver::Driver => driver::run(options)?,
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(line.outcome.is_none_or(|outcome| !outcome.wrong))
}

#[cfg(feature = "kafka")]
fn run_broker(options: &Options, application: &str) -> Result<()> {
    broker::run(options, application)
}

#[cfg(not(feature = "kafka"))]
fn run_broker(_options: &Options, _application: &str) -> Result<()> {
    anyhow::bail!("this build cannot speak to a broker: build it with `--features kafka`")
}
