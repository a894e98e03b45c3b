//! Runs programs: examples, and this test itself.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::examples::example;

/// Longer than anything here takes, on a busy machine too.
const PATIENCE: u32 = 6_000;
const TICK: Duration = Duration::from_millis(10);

/// The bank on a folder, printing JSON.
pub(crate) fn bank(data: &Path, form: &str) -> Command {
    let mut command = Command::new(example("bank_account", &[]));
    command.arg("--json").args(["--topology", form]).arg("--data").arg(data).stdin(Stdio::null());
    command
}

/// This test program as a process of its own, to run one of its tests that does nothing otherwise; the variable says that it
/// is meant, and what to do.
pub(crate) fn itself(test: &str, variable: &str, work: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(variable, work).stdin(Stdio::null());
    command
}

/// What such a process printed about its books.
#[track_caller]
pub(crate) fn printed<T: serde::de::DeserializeOwned>(ended: &Ended) -> T {
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let line = ended.stdout.lines().find_map(|line| line.split_once("books ")).expect("it prints its books").1;
    serde_json::from_str(line).unwrap()
}

/// What a process that ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    command.output().unwrap().into()
}

/// Runs a command that succeeds.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended
}

/// Runs a command that fails with exit code 1, each of `said` in its message.
#[track_caller]
pub(crate) fn fail(command: &mut Command, said: &[&str]) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for text in said {
        assert!(ended.stderr.contains(text), "`{text}` is not in: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    ended
}

/// Lets time pass: what waits here is another process.
pub(crate) fn pause(time: Duration) {
    let (_sender, nobody) = mpsc::channel::<()>();
    // Nobody sends, so this ends with the time.
    let _ = nobody.recv_timeout(time);
}

/// Waits until something has happened in another process.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..PATIENCE {
        if happened() {
            return;
        }
        pause(TICK);
    }
    panic!("{what} did not happen");
}
