//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::topology::Form;

/// Deposits, withdrawals and refusals, on a durable log in a folder of yours.
///
/// Reads operations, decides each against the balance of its account, and prints all movements of this folder, partition
/// by partition, and then the balances. A withdrawal that the account does not cover is refused.
#[derive(Debug, Parser)]
#[command(name = "bank_account", after_long_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    /// Files of operations, `-` for standard input
    ///
    /// One JSON object a line: {"account":"alice","amount":10}; a negative amount is a withdrawal. Without a file: what is
    /// piped in, or else the 1,000 operations that come with the example.
    ///
    /// How far a file was read is stored together with the operations read from it. So the same command can be repeated
    /// at any time, also after a crash: it goes on where it stopped. A file is known by its path and its first 64 bytes. One
    /// that grew goes on behind what was read; one that shrank, or whose lines changed where they were read already, is an
    /// error; another beginning at the same path is a new file. Standard input is new each time.
    pub(crate) files: Vec<PathBuf>,

    /// The folder that keeps everything: operations, movements, balances, positions
    ///
    /// Created if it is missing; one process at a time can have it open. To begin anew, remove it or name another one.
    #[arg(long, value_name = "DIR", default_value = "./bank-data")]
    pub(crate) data: PathBuf,

    /// How the bank is built
    ///
    /// Each form has topics and accounts of its own, so both can lie in one folder: a file that was read by the one is new
    /// to the other.
    #[arg(long, value_enum, default_value_t = Form::EventSourced)]
    pub(crate) topology: Form,

    /// Print one JSON object a line
    ///
    /// First {"movement":{"account":"alice","amount":10,"error":null}} for each movement, where a refused one has amount
    /// 0 and says why; then {"balance":{"account":"alice","amount":10}} for each account.
    #[arg(long)]
    pub(crate) json: bool,

    /// How many threads run the bank
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,

    /// After how many milliseconds at most what was done is committed
    ///
    /// Results can be seen after the commit. After a crash, what was not committed is done again.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub(crate) commit_every: u64,
}

const AFTER: &str = "\
Examples:
  bank_account                                       the operations that come with the example
  bank_account monday.jsonl tuesday.jsonl            two files, one after the other
  bank_account monday.jsonl                          again: nothing is applied twice
  echo '{\"account\":\"alice\",\"amount\":-5}' | bank_account -    one more operation
  bank_account --topology join --json ops.jsonl | head

Exit codes: 0 done; 1 an error, which says what to do next; 130 and 143 ended by Ctrl-C or SIGTERM: everything up to
there is kept.";
