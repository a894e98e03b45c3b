//! What the command line asks for.

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};

use crate::broker;

pub(crate) const HELP: &str = "\
The tasks of this repository. lint and test print a table of their steps and end with
`N passed, N failed`.

  cargo xtask lint    rustfmt, clippy, rustdoc and cargo-deny; nothing may even warn
  cargo xtask test    examples, tests and documentation tests: of all that needs no C compiler and
                      no server; optimised and on the default features, what replays and crashes
                      applications; of RocksDB; of Kafka, on a broker that it starts unless
                      KAFKA_BROKERS names one; and whether the explorer finds planted faults
  cargo xtask release-check
                      what a release needs beside that: every feature alone, the oldest Rust,
                      Windows and macOS, and the packages as they would be published
  cargo xtask broker  a real Apache Kafka broker on this machine; says what it can be asked
  cargo xtask compare --workload count
                      measures tidemill and Kafka Streams in turn, on a broker that it starts unless
                      KAFKA_BROKERS names one, and prints a table; needs Java 17 and Maven. What
                      stands behind `compare` are flags of tidemill-bench, which
                      `cargo run --release -p tidemill-benches -- --help` lists

  --without STEP..    leave steps out, by the names in the table; it says what was left out
  --yes               install what a step needs and is missing, without asking; so does CI=true
  --long              test only: 4,096 cases for each property, where a first run takes 256;
                      60 kills for each program that is killed, where it takes 12; ten million
                      records through a compacted topic, where it takes one; a million mutations
                      for each decoder, where it takes 20,000; all golden recordings under
                      crashes at every moment, where it takes 21

Steps of lint: format, clippy, clippy-features, clippy-rocksdb, clippy-kafka, docs, deny,
package.
Steps of test: examples, tests, examples-release, release, rocksdb, rocksdb-docs, kafka-lib, kafka,
doctests, mutants. What RocksDB and Kafka need: libclang; a C++ compiler and make, Java 17 and Maven.

Steps of release-check: oldest-rust, windows, macos, publish; feature-avro, feature-avro-registry,
feature-avro-registry-tls, feature-calendar, feature-cli, feature-fuzzing, feature-http,
feature-kafka, feature-kafka-tls, feature-rocksdb, feature-dsl-calendar, feature-dsl-fuzzing,
feature-avro-client, feature-avro-client-tls.

While working on one thing, cargo itself is quicker:

  cargo test -p tidemill-dsl --lib     unit tests of one package
  cargo test --test tidy               the invariants of docs/architecture.md
  cargo fmt --all                      mend what `format` complains of
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Help,
    Test(Options),
    Lint(Options),
    ReleaseCheck(Options),
    Broker(broker::Asked),
    /// With flags of `tidemill-bench`.
    Compare(Vec<OsString>),
}

/// How to do it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whether what is missing is installed without asking.
    pub(crate) may_install: bool,
    /// Whether properties are tried with many more cases.
    pub(crate) long: bool,
    /// Names of steps to leave out.
    pub(crate) without: Vec<String>,
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Asked, String> {
    let mut parser = Parser::from_args(arguments);
    let asked = read(&mut parser).map_err(|error| format!("{error}; `cargo xtask` says what there is"))?;
    Ok(asked)
}

fn read(parser: &mut Parser) -> Result<Asked, lexopt::Error> {
    let (mut command, mut options) = (None, Options { may_install: on_ci(), ..Options::default() });
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Asked::Help),
            Arg::Long("yes") => options.may_install = true,
            Arg::Long("long") => options.long = true,
            Arg::Long("without") => {
                for name in parser.values()? {
                    options.without.push(name.string()?);
                }
            }
            Arg::Value(word) if command.is_none() && word == "broker" => {
                return Ok(Asked::Broker(broker::read(parser)?));
            }
            Arg::Value(word) if command.is_none() && word == "compare" => {
                return Ok(Asked::Compare(parser.raw_args()?.collect()));
            }
            Arg::Value(word) if command.is_none() => command = Some(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    match command.as_deref() {
        None | Some("help") => Ok(Asked::Help),
        Some("test") => Ok(Asked::Test(options)),
        Some("lint" | "release-check") if options.long => Err("`--long` belongs to `test`".into()),
        Some("lint") => Ok(Asked::Lint(options)),
        Some("release-check") => Ok(Asked::ReleaseCheck(options)),
        Some(other) => Err(format!("there is no task `{other}`").into()),
    }
}

fn on_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn nothing_and_help_give_help() {
        for line in ["", "help", "--help", "test -h"] {
            assert_eq!(asked(line), Ok(Asked::Help), "{line}");
        }
    }

    #[test]
    fn the_help_names_every_step() {
        let steps = crate::steps::of_lint().into_iter().chain(crate::steps::of_test(&Options::default()));
        let steps = steps.chain(crate::release::of_release_check());
        let words: Vec<&str> = HELP.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
        for step in steps {
            assert!(words.contains(&step.name), "`{}`", step.name);
        }
    }

    #[test]
    fn options_stand_before_or_behind_the_task() {
        let Ok(Asked::Test(options)) = asked("test --yes --long --without release doctests") else { panic!("a test") };
        assert!(options.may_install && options.long);
        assert_eq!(options.without, ["release", "doctests"]);
        let Ok(Asked::Lint(options)) = asked("--yes lint --without deny --without docs") else { panic!("a lint") };
        assert_eq!(options.without, ["deny", "docs"]);
    }

    #[test]
    fn what_stands_behind_broker_is_the_brokers() {
        assert_eq!(asked("broker"), Ok(Asked::Broker(broker::Asked::Help)));
        assert_eq!(asked("broker list"), Ok(Asked::Broker(broker::Asked::List)));
        assert!(asked("broker stat").unwrap_err().contains("`stat`"));
    }

    #[test]
    fn what_stands_behind_compare_are_flags_of_the_benchmark() {
        let flags = |words: &[&str]| Asked::Compare(words.iter().map(OsString::from).collect());
        assert_eq!(asked("compare"), Ok(flags(&[])));
        assert_eq!(asked("compare --workload count --help"), Ok(flags(&["--workload", "count", "--help"])));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, word) in
            [("tset", "`tset`"), ("test --fast", "--fast"), ("lint --long", "`--long`"), ("test lint", "lint")]
        {
            let reason = asked(line).expect_err(line);
            assert!(reason.contains(word) && reason.contains("cargo xtask"), "{reason}");
        }
    }
}
