//! What must be installed beside cargo, and how it is.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::broker::has_java;
use crate::release::OLDEST_RUST;
use crate::step::{Step, cargo};

/// A program that a step calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Rustfmt,
    Clippy,
    Deny,
    /// What reads the headers of RocksDB.
    Libclang,
    /// What compiles Kafka's client, librdkafka: C, C++ and make.
    Compiler,
    /// What runs a Kafka broker, and compiles the Java side of tests.
    Java,
    /// What fetches a Kafka broker.
    Maven,
    /// What the walk-throughs of the guide call.
    Curl,
    /// What shows the examples' pages.
    Chromium,
    /// The oldest Rust that is promised.
    OldestRust,
    /// Rust's own libraries for other systems.
    WindowsTarget,
    MacTarget,
    /// The headers of OpenSSL.
    OpenSsl,
}

/// Where systems put libclang, besides `LIBCLANG_PATH`.
const LIBCLANG_PLACES: [&str; 6] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
    "/usr/local/opt/llvm/lib",
];

impl Tool {
    /// The subcommand of cargo that it is, if it is one.
    fn subcommand(self) -> Option<&'static str> {
        match self {
            Tool::Rustfmt => Some("fmt"),
            Tool::Clippy => Some("clippy"),
            Tool::Deny => Some("deny"),
            _ => None,
        }
    }

    /// The command that installs it.
    fn installation(self) -> &'static str {
        match self {
            Tool::Rustfmt => "rustup component add rustfmt",
            Tool::Clippy => "rustup component add clippy",
            // Some four minutes on two cores, once.
            Tool::Deny => "cargo install --locked cargo-deny@0.20.2",
            Tool::Libclang => "apt-get install --yes libclang-dev",
            Tool::Compiler => "apt-get install --yes build-essential",
            Tool::Java => "apt-get install --yes openjdk-17-jdk-headless",
            Tool::Maven => "apt-get install --yes maven",
            Tool::Curl => "apt-get install --yes curl",
            Tool::Chromium => "apt-get install --yes chromium",
            Tool::OldestRust => "rustup toolchain install 1.90 --profile minimal",
            Tool::WindowsTarget => "rustup target add x86_64-pc-windows-gnu",
            Tool::MacTarget => "rustup target add aarch64-apple-darwin",
            Tool::OpenSsl => "apt-get install --yes libssl-dev pkg-config",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Tool::Rustfmt | Tool::Clippy | Tool::Deny => runs(cargo().args(self.subcommand())),
            Tool::Libclang => has_libclang(),
            Tool::Compiler => ["cc", "c++", "make"].iter().all(|program| runs(&mut Command::new(program))),
            // The compiler comes with what runs programs, and not the other way round.
            Tool::Java => has_java() && runs(&mut Command::new("javac")),
            Tool::Maven => runs(&mut Command::new("mvn")),
            Tool::Curl => runs(&mut Command::new("curl")),
            // The names that `tests/services/browser.rs` tries.
            Tool::Chromium => {
                ["chromium", "chromium-browser", "google-chrome"].iter().any(|name| runs(&mut Command::new(name)))
            }
            Tool::OldestRust => runs(Command::new("rustup").args(["run", OLDEST_RUST, "rustc"])),
            Tool::WindowsTarget => has_target("x86_64-pc-windows-gnu"),
            Tool::MacTarget => has_target("aarch64-apple-darwin"),
            Tool::OpenSsl => succeeds(Command::new("pkg-config").args(["--exists", "openssl"])),
        }
    }

    fn install(self) -> Result<(), String> {
        let done = call(self.installation());
        if done.as_ref().is_ok_and(|status| status.success()) && self.is_there() {
            return Ok(());
        }
        let done = if self.installation().starts_with("apt-get") {
            // A fresh container knows of no packages yet.
            call("apt-get update").and_then(|_| call(self.installation()))
        } else {
            done
        };
        match done {
            Ok(status) if status.success() && self.is_there() => Ok(()),
            Ok(status) => Err(format!("`{}` did not help ({status}); see what it printed", self.installation())),
            Err(error) => Err(format!("cannot run `{}`: {error}", self.installation())),
        }
    }
}

/// Runs a command of words without blanks in them.
fn call(command: &str) -> std::io::Result<ExitStatus> {
    println!("--- {command}");
    let mut words = command.split(' ');
    Command::new(words.next().unwrap_or_default()).args(words).stdin(Stdio::null()).status()
}

/// Whether a program is there and says its version.
fn runs(program: &mut Command) -> bool {
    succeeds(program.arg("--version"))
}

fn succeeds(program: &mut Command) -> bool {
    program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    program.status().is_ok_and(|status| status.success())
}

/// Whether the toolchain that runs this program has the libraries for another system.
fn has_target(target: &str) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]).stdin(Stdio::null()).stderr(Stdio::null());
    let printed = rustc.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    printed.is_ok_and(|folder| !folder.is_empty() && Path::new(&folder).is_dir())
}

fn has_libclang() -> bool {
    let llvm = names_in(Path::new("/usr/lib"))
        .filter(|path| path.to_string_lossy().contains("llvm"))
        .map(|path| path.join("lib"));
    let told = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from);
    let mut places = LIBCLANG_PLACES.map(PathBuf::from).into_iter().chain(llvm).chain(told);
    places.any(|place| names_in(&place).any(|path| is_libclang(&path)))
}

fn is_libclang(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ["libclang.so", "libclang-", "libclang.dylib"].iter().any(|beginning| name.starts_with(beginning))
        && !name.starts_with("libclang-cpp")
        && (name.contains(".so") || name.contains(".dylib"))
}

fn names_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    folder.read_dir().into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path())
}

/// Sees to it that every step's tool is there; an error says what to install, or which steps to leave out.
pub(crate) fn provide(steps: &[Step], may_install: bool) -> Result<(), String> {
    let needed = steps.iter().flat_map(|step| step.tools.iter().map(|tool| (*tool, step.name)));
    let missing: Vec<(Tool, &str)> = needed.filter(|(tool, _)| !tool.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if may_install || agreed(&missing) {
        // One tool may be missing for several steps.
        return missing.iter().filter(|(tool, _)| !tool.is_there()).try_for_each(|(tool, _)| tool.install());
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
    fn libclang_is_known_by_its_name() {
        let names =
            ["libclang.so", "libclang-14.so.1", "libclang.dylib", "libclang-cpp.so.14", "libclang_rt.a", "libclang.a"];
        assert_eq!(names.map(|name| is_libclang(Path::new(name))), [true, true, true, false, false, false]);
    }

    #[test]
    fn steps_without_a_tool_need_nothing() {
        assert_eq!(provide(&[Step::new("version", "--version")], false), Ok(()));
    }
}
