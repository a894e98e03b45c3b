//! The commands on a log: one file each.

mod create;
mod delete;
mod describe;
mod dump;
mod export;
mod import;
mod json_lines;
mod lag;
mod offsets;
mod topics;
mod visit;

use clap::Subcommand;

use crate::failure::Failure;

pub(crate) const AFTER: &str = "\
FOLDER is what the application was given as its folder. Commands that read work while it runs, and see what was written when \
they began.

Examples:
  tidemill log topics ./bank-data
  tidemill log describe ./bank-data bank-join-operations
  tidemill log lag ./bank-data --json
  tidemill log dump ./bank-data movements --value json --from -10
  tidemill log dump ./bank-data app-counts-changelog --key window-store:utf8 --value i64
  tidemill log export ./bank-data movements > movements.jsonl
  tidemill log create ./bank-data orders --partitions 4 --retention 7d";

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// All topics, with their sizes
    Topics(topics::Topics),
    /// A topic's settings and its partitions
    Describe(describe::Describe),
    /// Where a topic's partitions begin and end, and where a time begins in them
    Offsets(offsets::Offsets),
    /// How far applications have read their topics
    Lag(lag::Lag),
    /// The records of a topic
    Dump(dump::Dump),
    /// Make a topic
    Create(create::Create),
    /// Remove a topic with its records
    Delete(delete::Delete),
    /// Write a topic as lines of JSON, without loss
    Export(export::Export),
    /// Append what `export` wrote
    Import(import::Import),
}

impl LogCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            LogCommand::Topics(command) => command.run(),
            LogCommand::Describe(command) => command.run(),
            LogCommand::Offsets(command) => command.run(),
            LogCommand::Lag(command) => command.run(),
            LogCommand::Dump(command) => command.run(),
            LogCommand::Create(command) => command.run(),
            LogCommand::Delete(command) => command.run(),
            LogCommand::Export(command) => command.run(),
            LogCommand::Import(command) => command.run(),
        }
    }
}
