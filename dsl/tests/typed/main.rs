//! What does not fit together does not compile, and the compiler says why in the program's own words.
//!
//! Each case in `cases` is one mistake; beside it lies what the compiler says. A new case: write it, run this test with
//! `TRYBUILD=overwrite`, and read what was written.

use std::process::Command;

/// The release of the compiler whose words are kept: others say the same in other words.
const RELEASE: &str = "cargo 1.95.";

#[test]
fn mistakes_do_not_compile_and_are_named() {
    // Cargo tells a test which cargo runs it.
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let version = Command::new(cargo).arg("--version").output().expect("cargo can be run");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    if !version.starts_with(RELEASE) {
        println!("left out: the compiler's words are kept for {RELEASE}, and this is {version}");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/typed/cases/*.rs");
}
