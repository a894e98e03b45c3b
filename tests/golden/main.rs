//! What Kafka Streams answers, tidemill answers too: recorded steps are replayed, and every difference is a failure.
//!
//! `cargo test --release --test golden` replays all files of a folder (`TIDEMILL_GOLDEN`, by default `vectors` beside this
//! file); `-- NAME` only those whose name contains `NAME`. The last line is `golden: P passed, F failed, M missing`, in
//! files; a scenario without a topology is missing, never passed. How to read the files is in `README.md` beside this one.

mod base64;
mod doctored;
mod given;
mod replay;
mod report;
mod scenarios;
mod stores;
mod value;
mod vector;

use std::path::PathBuf;
use std::process::ExitCode;

use report::Report;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("golden: test");
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-')).map_or("", String::as_str);
    doctored::every_doctored_file_fails();
    let folder = std::env::var_os("TIDEMILL_GOLDEN").map_or_else(own_vectors, PathBuf::from);
    let report = Report::of_folder(&folder, filter);
    report.print();
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The vectors that come with the repository.
fn own_vectors() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", "vectors"].iter().collect()
}
