//! Fetches Kafka with Maven, once for each version, into the cache.
//!
//! Rule: a folder of jars is complete or not there: it is filled under another name and then renamed.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::folder;
use super::waiting::Shown;
use crate::step::root;

/// Names the jars, and the version of Kafka.
const POM: &str = include_str!("../../broker/pom.xml");

/// The version of Kafka that the pom names.
pub(super) fn version() -> &'static str {
    let (_, rest) = POM.split_once("<kafka.version>").expect("the pom names a version of Kafka");
    rest.split_once("</kafka.version>").expect("the pom is XML").0
}

/// The folder of the jars; fetches them if they are not there.
pub(super) fn provide() -> Result<PathBuf, String> {
    let jars = folder::home()?.join(version());
    if !jars.is_dir() {
        let filled = jars.with_extension(format!("fetching-{}", std::process::id()));
        fetch(&filled).inspect_err(|_| discard(&filled))?;
        // Another call may have been as quick.
        if let Err(error) = std::fs::rename(&filled, &jars) {
            discard(&filled);
            if !jars.is_dir() {
                return Err(format!("cannot make `{}`: {error}; see to its permissions", jars.display()));
            }
        }
    }
    Ok(jars)
}

fn discard(folder: &Path) {
    // What stays behind is in nobody's way.
    let _ = std::fs::remove_dir_all(folder);
}

fn fetch(to: &Path) -> Result<(), String> {
    let pom = root().join("xtask").join("broker").join("pom.xml");
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--file"]).arg(pom).arg("dependency:copy-dependencies");
    maven.args(["-DincludeScope=runtime", &format!("-DoutputDirectory={}", to.display())]);
    maven.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut maven = maven.spawn().map_err(|error| {
        let next = "install Maven (Debian, Ubuntu: `apt-get install maven`), or run a broker with Docker: \
                    `docker compose -f xtask/broker/compose.yaml up --wait`";
        format!("cannot run `mvn`, which fetches Kafka: {error}; {next}")
    })?;
    let said = follow(maven.stdout.take().expect("standard output is piped"));
    let mut complaints = String::new();
    // What cannot be read of its complaints leaves those of its output.
    let _ = maven.stderr.take().expect("standard error is piped").read_to_string(&mut complaints);
    let status = maven.wait().map_err(|error| format!("lost sight of `mvn`: {error}; start the broker again"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!(
        "Maven could not fetch Kafka {}; mend what it says and start the broker again:\n{said}{complaints}",
        version()
    ))
}

/// Shows how far Maven is; gives the errors among what it prints.
fn follow(output: impl Read) -> String {
    let (mut shown, mut files, mut errors) = (Shown::new(), 0_u32, String::new());
    shown.show(&format!("fetching Kafka {} with Maven, once", version()));
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        match progress(&line) {
            Line::Fetched => files += 1,
            Line::Error => errors = errors + &line + "\n",
            Line::Other => {}
        }
        shown.show(&format!("fetching Kafka {} with Maven, once: {files} files", version()));
    }
    errors
}

/// What a line of Maven's says.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Fetched,
    Error,
    Other,
}

fn progress(line: &str) -> Line {
    match line {
        line if line.contains("Downloaded from") => Line::Fetched,
        line if line.contains("[ERROR]") => Line::Error,
        _ => Line::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_of_the_pom() {
        assert!(version().starts_with("4.") && version().len() < 10, "{}", version());
    }

    #[test]
    fn files_are_counted_and_errors_kept() {
        let output = "[INFO] Downloading from central: a.jar\n[INFO] Downloaded from central: a.jar (1 kB)\n\
                      [ERROR] Failed to read b.jar\n[INFO] done\n";
        assert_eq!(follow(output.as_bytes()), "[ERROR] Failed to read b.jar\n");
        assert_eq!(output.lines().filter(|line| progress(line) == Line::Fetched).count(), 1);
    }
}
