//! One step: a call of cargo, its output shown as it comes and counted on the way.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::broker::Launch;
use crate::counts::Counts;
use crate::kafka::Given;
use crate::tools::Tool;
use crate::watch;

/// A call of cargo.
#[derive(Debug)]
pub(crate) struct Step {
    /// What the table and `--without` call it.
    pub(crate) name: &'static str,
    /// The arguments of cargo.
    pub(crate) arguments: Vec<String>,
    /// What is set in its environment.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// What must be installed for it, beside cargo.
    pub(crate) tools: Vec<Tool>,
    /// Whether the step is itself a test, and counts as one.
    pub(crate) is_check: bool,
    /// Whether it needs a Kafka broker.
    pub(crate) on_kafka: bool,
    /// The toolchain whose cargo is called, if not the one that runs this program.
    pub(crate) toolchain: Option<&'static str>,
}

impl Step {
    pub(crate) fn new(name: &'static str, arguments: &str) -> Self {
        let arguments = arguments.split_whitespace().map(str::to_string).collect();
        let (environment, tools) = (Vec::new(), Vec::new());
        Step { name, arguments, environment, tools, is_check: false, on_kafka: false, toolchain: None }
    }

    /// A step that is a test by itself.
    pub(crate) fn check(name: &'static str, arguments: &str) -> Self {
        Step { is_check: true, ..Step::new(name, arguments) }
    }

    pub(crate) fn needing(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Gives it a broker of its own, unless there is one already.
    pub(crate) fn on_kafka(self) -> Self {
        Step { on_kafka: true, ..self }
    }

    /// Calls the cargo of another toolchain.
    pub(crate) fn on_toolchain(self, name: &'static str) -> Self {
        Step { toolchain: Some(name), ..self }
    }

    pub(crate) fn with_env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }
}

/// What became of a step.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) passed: bool,
    pub(crate) took: Duration,
    pub(crate) counts: Counts,
    /// Lines in which a test sums up more than tests: `golden: 3 passed, 0 failed, 1 missing`, `mutants: 10 of 10 killed`.
    pub(crate) notes: Vec<String>,
}

/// Runs a step.
pub(crate) fn run(step: Step) -> Outcome {
    println!("\n--- {}: cargo {}", step.name, step.arguments.join(" "));
    let begin = now();
    let (mut counts, mut notes) = (Counts::default(), Vec::new());
    let passed = call(&step, |line| {
        println!("{line}");
        counts += Counts::of_line(line).unwrap_or_default();
        notes.extend(["golden: ", "mutants: "].iter().find(|sum| line.starts_with(**sum)).map(|_| line.to_string()));
    });
    let passed = passed.unwrap_or_else(|error| {
        println!("error: {error}");
        false
    });
    counts += of_itself(&step, passed, counts);
    Outcome { name: step.name, passed, took: begin.elapsed(), counts, notes }
}

/// What a step adds to the tests that it ran: itself when it is a check, and one failure when it failed though none of its tests
/// did, because it did not get as far.
fn of_itself(step: &Step, passed: bool, tests: Counts) -> Counts {
    Counts { passed: u64::from(passed && step.is_check), failed: u64::from(!passed && tests.failed == 0) }
}

/// Calls cargo, hands over each line that it prints, and says whether it succeeded.
fn call(step: &Step, mut line: impl FnMut(&str)) -> Result<bool, String> {
    // Gone when this returns, whatever became of the step.
    let broker = if step.on_kafka { Some(Given::provide(Launch::default())?) } else { None };
    let mut command = step.toolchain.map_or_else(cargo, cargo_of);
    command.envs(broker.iter().flat_map(|given| given.environment.iter().map(|(name, value)| (name, value))));
    command.current_dir(root()).args(&step.arguments).envs(step.environment.iter().map(|(name, value)| (name, value)));
    let failed = |error: std::io::Error| format!("cannot run cargo: {error}");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    watch::follow(&mut child, watch::SILENCE, &mut line)?;
    Ok(child.wait().map_err(failed)?.success())
}

/// The folder of the repository: steps mean the same wherever the task is called.
pub(crate) fn root() -> PathBuf {
    // As cargo says when it runs this: one program in a target folder that several checkouts share was built in another of them.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().expect("xtask lies in the repository").to_owned()
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The cargo of another toolchain.
fn cargo_of(toolchain: &str) -> Command {
    let mut command = Command::new("rustup");
    // What the cargo that runs this program tells it is of its own toolchain.
    command.args(["run", toolchain, "cargo"]).env_remove("RUSTC").env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "the table shows how long a step took, on the clock of whoever waits for it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_passes_or_fails_as_cargo_does() {
        let good = run(Step::check("version", "--version"));
        assert_eq!((good.passed, good.counts), (true, Counts { passed: 1, failed: 0 }));
        let bad = run(Step::check("unknown", "no-such-command-anywhere"));
        assert_eq!((bad.passed, bad.counts), (false, Counts { passed: 0, failed: 1 }));
    }

    #[test]
    fn a_failure_is_counted_once_and_a_build_is_no_test() {
        let build = Step::new("examples", "build --examples");
        let tests = |passed, failed| Counts { passed, failed };
        assert_eq!(of_itself(&build, true, tests(0, 0)), tests(0, 0));
        assert_eq!(of_itself(&build, false, tests(7, 0)), tests(0, 1));
        assert_eq!(of_itself(&build, false, tests(7, 2)), tests(0, 0));
    }
}
