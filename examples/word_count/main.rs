//! Counts the words of files: lines become words, words go through a repartition topic to the task that counts them.
//!
//! ```text
//! cargo run --release --example word_count -- examples/data/opticks.txt
//! ```

#[cfg(test)]
#[path = "../support/crashes.rs"]
mod crashes;
mod print;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Topology, TopologyErrors};
use tidemill::{App, FeedBatch, Settings, Topic};

use support::feeding::feed;
use support::input::Input;
use support::progress::Progress;
use support::{Failure, aside, running};

const LINES: Topic<(), String> = Topic::of("lines");
const COUNTS: Store<String, i64> = Store::of("counts");

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/opticks.txt");
/// Lines, and later words, are spread over so many partitions.
const PARTITIONS: u32 = 4;

/// Counts the words of text files and prints the most frequent ones.
///
/// A word is a run of letters and digits; upper and lower case are one.
#[derive(Debug, Parser)]
#[command(name = "word_count", after_long_help = AFTER, max_term_width = 100)]
struct Cli {
    /// Text files in UTF-8, `-` for standard input
    ///
    /// Without a file: what is piped in, or else the book that comes with the example.
    files: Vec<PathBuf>,

    /// Keep topics, counts and positions in this folder
    ///
    /// The counts then add up over all runs on the folder, and a file that was read is not counted twice: what was added to
    /// it is. One that shrank or changed is an error. Without this option a run begins with nothing and leaves nothing.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// How many words to print
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,

    /// Print one JSON object a line: {"word":"the","count":1642}
    #[arg(long)]
    json: bool,

    /// How many threads count
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
}

const AFTER: &str = "\
Examples:
  word_count                                    the book that comes with the example
  word_count --top 5 *.txt                      several files together
  word_count --data ./words today.log           counts that grow with every run
  curl -s https://example.org | word_count --json

Exit codes: 0 done; 1 an error, which says what to do next; 130 and 143 ended by Ctrl-C or SIGTERM.";

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream(&LINES)
        .flat_map_values(|line| words(line).collect::<Vec<_>>())
        .group_by(|_, word| word.clone())
        .named("by-word")
        .count_with(&COUNTS);
    builder.build()
}

/// The words of a line, in lower case.
fn words(line: &str) -> impl Iterator<Item = String> {
    line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match count(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => support::failing::failed(&error),
    }
}

async fn count(Cli { files, data, top, json, threads }: Cli) -> Result<ExitCode, Failure> {
    let settings = Settings { partitions: PARTITIONS, threads: threads.into(), ..Settings::default() };
    // Dropped, and so removed, after the application is closed.
    let passing = tempfile::tempdir()?;
    let folder = data.unwrap_or_else(|| passing.path().join("log"));
    let app = App::builder("word-count", topology()?).embedded(folder).settings(settings);
    let inputs = Input::given_or(files, SAMPLE);
    let work = async |app: &App| {
        send(app, &inputs).await?;
        let counts = app.table(&COUNTS).all().await?;
        aside(move || print::top(counts, top, json)).await
    };
    Ok(running::run(app, work).await)
}

/// Sends the lines of all inputs, and waits until their words are counted.
async fn send(app: &App, inputs: &[Input]) -> Result<(), Failure> {
    let progress = Progress::over(inputs);
    for input in inputs {
        let add = |batch: &mut FeedBatch<'_>, line: String| batch.add(&LINES, (), line);
        feed(app, input, parse, add, &progress).await?;
    }
    progress.until_settled(app).await
}

fn parse(line: &[u8]) -> Result<Option<String>, String> {
    match std::str::from_utf8(line) {
        Ok("") => Ok(None),
        Ok(text) => Ok(Some(text.to_owned())),
        Err(error) => Err(format!("byte {} is no UTF-8; is this a text file?", error.valid_up_to() + 1)),
    }
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::explorer::Explorer;

    use super::*;

    #[test]
    fn crashes_leave_no_trace() {
        let explorer = Explorer::new(&topology().unwrap())
            .input(&LINES, [((), "to be"), ((), "or not to be")])
            .at_quiescence("every `to` is counted once", |look| look.store(&COUNTS, &"to".to_owned()) == Some(2));
        crashes::leave_no_trace("word_count", &explorer);
    }
}
