//! The command line.

use clap::Parser;

/// Can I assume that the table is always updated before the next operation is read?
///
/// Deposits of 10, then a withdrawal of all of them, on one account. Operations are joined with a table of balances, which is
/// made of the movements that come out of the join. The explorer goes through every order of things that a backend permits, and
/// says whether the withdrawal is ever refused; and the same for a topology that decides and keeps
/// the balance in one step, `event_sourced`.
#[derive(Debug, Parser)]
#[command(name = "can_i_assume", after_long_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    /// How many operations there are: all but the last are deposits
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=10))]
    pub(crate) operations: u8,

    /// How many times a process may crash
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) crashes: u8,

    /// Tell for each verdict "Fails" the run with the fewest surprises
    #[arg(long)]
    pub(crate) stories: bool,

    /// Draw these runs as Mermaid sequence diagrams
    #[arg(long)]
    pub(crate) mermaid: bool,

    /// Draw them into this folder, as SVG files
    #[arg(long, value_name = "FOLDER")]
    pub(crate) draw: Option<std::path::PathBuf>,

    /// Print one JSON object a line: topology, backend, guarantee, idling, verdict, states, transitions, outcomes
    #[arg(long, conflicts_with_all = ["stories", "mermaid"])]
    pub(crate) json: bool,
}

const AFTER: &str = "\
Examples:
  can_i_assume                     the table of verdicts
  can_i_assume --stories           and why
  can_i_assume --crashes 1         with a crash anywhere
  can_i_assume --json | jq .       for a program

A verdict \"Holds\" means that every run was looked at. Ctrl-C ends a long search: the verdict is \"Bounded\" then. The chapter \"Can I assume ...?\" of the book explains the rows.";
