//! Builds the examples and runs them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

/// Longer than anything here takes, on a busy machine too.
const PATIENCE: u32 = 6_000;
const TICK: Duration = Duration::from_millis(10);

/// The executable of an example, built with the profile that this test was built with.
pub(crate) fn example(name: &'static str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(name).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> PathBuf {
    // <target folder>/<profile>/deps/<test>
    let test = std::env::current_exe().unwrap();
    let profile_folder = test.ancestors().nth(2).expect("tests lie in a folder of their profile");
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()).expect("a profile has a name") {
        "debug" => "dev",
        other => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--message-format=json", "--profile", profile, "--example", name, "--target-dir"])
        .arg(profile_folder.parent().expect("a profile lies in a target folder"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "cannot build example `{name}`: {stderr}");
    let messages = stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let executables = messages.filter(|message| message["target"]["name"] == name);
    let paths: Vec<PathBuf> = executables.filter_map(|message| Some(message["executable"].as_str()?.into())).collect();
    paths.last().unwrap_or_else(|| panic!("cargo did not say where example `{name}` is")).clone()
}

/// The bank on a folder, printing JSON.
pub(crate) fn bank(data: &Path, form: &str) -> Command {
    let mut command = Command::new(example("bank_account"));
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
