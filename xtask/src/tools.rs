//! What must be installed beside cargo, and how it is.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

use crate::step::{Step, cargo};

/// A program that a step calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Rustfmt,
    Clippy,
    Deny,
}

impl Tool {
    /// The subcommand of cargo that it is.
    fn subcommand(self) -> &'static str {
        match self {
            Tool::Rustfmt => "fmt",
            Tool::Clippy => "clippy",
            Tool::Deny => "deny",
        }
    }

    /// The command that installs it.
    fn installation(self) -> &'static str {
        match self {
            Tool::Rustfmt => "rustup component add rustfmt",
            Tool::Clippy => "rustup component add clippy",
            // Some four minutes on two cores, once.
            Tool::Deny => "cargo install --locked cargo-deny@0.20.2",
        }
    }

    fn is_there(self) -> bool {
        let mut call = cargo();
        call.args([self.subcommand(), "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        call.status().is_ok_and(|status| status.success())
    }

    fn install(self) -> Result<(), String> {
        println!("--- {}", self.installation());
        let mut words = self.installation().split(' ');
        let done = Command::new(words.next().unwrap_or_default()).args(words).stdin(Stdio::null()).status();
        match done {
            Ok(status) if status.success() && self.is_there() => Ok(()),
            Ok(status) => Err(format!("`{}` did not help ({status}); see what it printed", self.installation())),
            Err(error) => Err(format!("cannot run `{}`: {error}", self.installation())),
        }
    }
}

/// Sees to it that every step's tool is there; an error says what to install, or which steps to leave out.
pub(crate) fn provide(steps: &[Step], may_install: bool) -> Result<(), String> {
    let missing: Vec<(Tool, &str)> =
        steps.iter().filter_map(|step| Some((step.tool?, step.name))).filter(|(tool, _)| !tool.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if may_install || agreed(&missing) {
        return missing.iter().try_for_each(|(tool, _)| tool.install());
    }
    Err(refusal(&missing))
}

fn refusal(missing: &[(Tool, &str)]) -> String {
    let commands: Vec<_> = missing.iter().map(|(tool, _)| tool.installation()).collect();
    let names: Vec<_> = missing.iter().map(|(_, name)| *name).collect();
    let (commands, names) = (commands.join("`, `"), names.join(" "));
    format!(
        "something is missing: run `{commands}`, or let `--yes` do it, or leave out what needs it with `--without {names}`"
    )
}

/// Asks on a terminal; without one nobody can agree.
fn agreed(missing: &[(Tool, &str)]) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    let commands: Vec<_> = missing.iter().map(|(tool, _)| tool.installation()).collect();
    print!("something is missing; run `{}`? [y/N] ", commands.join("`, `"));
    let mut answer = String::new();
    let read = std::io::stdout().flush().and_then(|()| std::io::stdin().read_line(&mut answer));
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_install_and_what_to_leave_out() {
        let reason = refusal(&[(Tool::Clippy, "clippy"), (Tool::Deny, "deny")]);
        for part in
            ["rustup component add clippy", "cargo install --locked cargo-deny", "--without clippy deny", "--yes"]
        {
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn steps_without_a_tool_need_nothing() {
        assert_eq!(provide(&[Step::new("version", "--version")], false), Ok(()));
    }
}
