//! `tidemill`: looks into the folder of an application, and mends it.
//!
//! Rule: what only looks takes no lock and changes nothing, so it works while the application runs; what writes takes the
//! folder as an application does.

mod backup;
mod bytes;
mod failure;
mod folder;
#[cfg(feature = "kafka")]
mod graduate;
#[cfg(feature = "kafka")]
mod kafka;
mod log;
mod output;
mod program;
mod progress;
mod repartition;
mod reset;
mod time;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use failure::Failure;

/// Looks into an application's folder, topics, records, how far applications are, and lets them begin again.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, after_help = AFTER, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The topics of a folder: list, describe, read, make, remove, copy
    #[command(subcommand, after_help = log::AFTER)]
    Log(log::LogCommand),

    /// Let an application begin again: its places, its own topics, its stores
    Reset(reset::Reset),

    /// What an application needs: topics, partitions, permissions
    Plan(program::Plan),

    /// An application's topology: text, Graphviz, Mermaid
    Describe(program::Describe),

    /// Give a topic another number of partitions
    Repartition(repartition::Repartition),

    /// Copy an application's log, also while it runs
    Backup(backup::Backup),

    /// Make a folder of a backup, to start the application in
    Restore(backup::Restore),

    /// Move an application's folder to Kafka
    #[cfg(feature = "kafka")]
    Graduate(graduate::Graduate),

    /// Print the script that completes this program's words in a shell
    #[command(
        after_help = "Example:\n  tidemill completions bash > ~/.local/share/bash-completion/completions/tidemill"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

const AFTER: &str = "\
Examples:
  tidemill log topics ./bank-data                        what is there
  tidemill log lag ./bank-data                           how far the applications are
  tidemill log dump ./bank-data movements --value json   the records of a topic
  tidemill reset ./bank-data bank                        what letting it begin again would do
  tidemill backup ./bank-data /backups/bank-monday       copy what is there, even while it runs
  tidemill log dump --help                               everything about one command

Exit codes:
  0  done
  1  an error, which says what to do next
  2  the command line is wrong
  3  another process has the folder, and the command wants to write";

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Log(command) => command.run(),
        Command::Reset(command) => command.run(),
        Command::Plan(command) => command.run(),
        Command::Describe(command) => command.run(),
        Command::Repartition(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
        #[cfg(feature = "kafka")]
        Command::Graduate(command) => command.run(),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tidemill", &mut std::io::stdout());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
