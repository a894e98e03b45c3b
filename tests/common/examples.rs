//! Examples as programs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The executable of an example, built with the profile that this test was built with, and with more arguments of cargo.
pub(crate) fn example(name: &'static str, arguments: &[&str]) -> PathBuf {
    static BUILT: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(name).or_insert_with(|| build(name, arguments)).clone()
}

fn build(name: &str, arguments: &[&str]) -> PathBuf {
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
        .args(arguments)
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
