//! Whole applications on fixed workloads, measured beside Kafka Streams on the same data: see `--help`.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and waits")]

#[cfg(feature = "kafka")]
mod broker;
mod data;
mod driver;
mod embedded;
mod goal;
#[cfg(feature = "kafka")]
mod judge;
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
        return be_measured(options, application).map(|()| true);
    }
    if let Some(other) = &options.against {
        return compare(options, other);
    }
    let line = match options.driver {
        Driver::Embedded => embedded::run(options)?,
        Driver::Test => driver::run(options)?,
        Driver::Broker => judge(options)?,
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(line.outcome.is_none_or(|outcome| !outcome.wrong))
}

#[cfg(feature = "kafka")]
fn be_measured(options: &Options, application: &str) -> Result<()> {
    broker::run(options, application)
}

#[cfg(feature = "kafka")]
fn judge(options: &Options) -> Result<line::Line> {
    judge::run(options, options.engine.as_deref())
}

#[cfg(feature = "kafka")]
fn compare(options: &Options, other: &str) -> Result<bool> {
    judge::compare(options, other)
}

#[cfg(not(feature = "kafka"))]
use without_kafka::{be_measured, compare, judge};

/// What needs a broker, in a build that cannot speak to one.
#[cfg(not(feature = "kafka"))]
mod without_kafka {
    use anyhow::{Result, bail};

    use crate::line::Line;
    use crate::options::Options;

    const NEXT: &str = "this build cannot speak to a broker: build it with `--features kafka`";

    pub(super) fn be_measured(_options: &Options, _application: &str) -> Result<()> {
        bail!(NEXT)
    }

    pub(super) fn judge(_options: &Options) -> Result<Line> {
        bail!(NEXT)
    }

    pub(super) fn compare(_options: &Options, _other: &str) -> Result<bool> {
        bail!(NEXT)
    }
}
