//! Runs the walk-throughs of the guide word for word, on another port.

use std::fmt::Write;
use std::process::Command;

use crate::service::Service;

const PAGE: &str = include_str!("../../docs/guide/services.md");

/// Runs the commands of a chapter's `console` blocks in one shell, and compares what they print with what stands there.
#[track_caller]
pub(crate) fn walk(chapter: &str, service: &Service, address: &str) {
    let steps = steps(chapter);
    assert!(steps.len() > 2, "chapter `{chapter}` has a walk-through");
    let mut script = String::new();
    for (number, (command, _)) in steps.iter().enumerate() {
        writeln!(script, "printf '@@{number}\\n'\n{}", command.replace(address, service.address())).unwrap();
    }
    let done = Command::new("sh").args(["-c", &script]).output().unwrap();
    let printed = String::from_utf8(done.stdout).unwrap();
    for (number, (command, expected)) in steps.iter().enumerate() {
        let (_, rest) = printed.split_once(&format!("@@{number}\n")).expect("each step is begun");
        let got = rest.split("@@").next().unwrap().trim_end();
        assert_eq!(got, expected.trim_end(), "{command}\n{}", String::from_utf8_lossy(&done.stderr));
    }
}

/// The commands, with what they print.
fn steps(chapter: &str) -> Vec<(String, String)> {
    let text = PAGE.split("\n## ").find(|text| text.starts_with(chapter)).expect("the page has the chapter");
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), String::new())),
            (None, Some((_, printed))) => writeln!(printed, "{line}").unwrap(),
            (None, None) => panic!("a block begins with a command, not with `{line}`"),
        }
    }
    steps
}
