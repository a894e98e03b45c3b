//! Counts what was replayed: a case passes, fails or is missing, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;
use std::path::Path;

use crate::replay::replay;
use crate::scenarios::{self, Scenario};
use crate::vector::{self, Vector};

/// What became of the cases of a folder.
#[derive(Default)]
pub(crate) struct Report {
    passed: usize,
    /// Files with what differs.
    failed: Vec<(String, String)>,
    missing: usize,
    /// Scenarios without a topology.
    scenarios_missing: BTreeSet<String>,
}

/// What became of one case.
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    /// There is no topology of this scenario.
    Missing(String),
}

impl Outcome {
    /// Replays the case that a file's text is.
    pub(crate) fn of_text(file: &str, text: &str, scenarios: &BTreeMap<&str, Scenario>) -> Outcome {
        let vector = match Vector::parse(text) {
            Ok(vector) => vector,
            Err(error) => return Outcome::Failed(error),
        };
        if file != format!("{}.{}.json", vector.scenario, vector.case) {
            return Outcome::Failed(format!("holds case `{}` of scenario `{}`", vector.case, vector.scenario));
        }
        let Some(scenario) = scenarios.get(&*vector.scenario) else { return Outcome::Missing(vector.scenario) };
        let replayed = catch_unwind(std::panic::AssertUnwindSafe(|| replay(&vector, scenario)));
        match replayed.unwrap_or_else(|_| Err("panicked; the message stands above".into())) {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed(format!("recorded with Kafka Streams {}: {error}", vector.kafka)),
        }
    }
}

impl Report {
    /// Replays all files of a folder whose names contain `filter`.
    pub(crate) fn of_folder(folder: &Path, filter: &str) -> Report {
        let (scenarios, mut report) = (scenarios::all(), Report::default());
        for path in vector::files(folder) {
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !file.contains(filter) {
                continue;
            }
            match std::fs::read_to_string(&path) {
                Ok(text) => report.add(&file, Outcome::of_text(&file, &text, &scenarios)),
                Err(error) => report.add(&file, Outcome::Failed(format!("cannot be read: {error}"))),
            }
        }
        if filter.is_empty() && report.total() == 0 {
            report.add(&folder.display().to_string(), Outcome::Failed("has no vectors".into()));
        }
        report
    }

    fn add(&mut self, file: &str, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(error) => self.failed.push((file.into(), error)),
            Outcome::Missing(scenario) => {
                self.missing += 1;
                self.scenarios_missing.insert(scenario);
            }
        }
    }

    fn total(&self) -> usize {
        self.passed + self.failed.len() + self.missing
    }

    pub(crate) fn is_good(&self) -> bool {
        self.failed.is_empty()
    }

    /// Prints failures, missing scenarios, the line that `cargo test` ends a program with, and the counts.
    pub(crate) fn print(&self) {
        for (file, error) in &self.failed {
            println!("{file}: {error}\n");
        }
        if !self.scenarios_missing.is_empty() {
            println!("{} scenarios have no topology yet:", self.scenarios_missing.len());
        }
        for scenario in &self.scenarios_missing {
            println!("  missing {scenario}");
        }
        let result = if self.is_good() { "ok. 2 passed; 0 failed" } else { "FAILED. 1 passed; 1 failed" };
        println!("\ntest result: {result}; 0 ignored; 0 measured; 0 filtered out\n");
        println!("golden: {} passed, {} failed, {} missing", self.passed, self.failed.len(), self.missing);
    }
}
