//! Calls Java, which runs the broker and Kafka's tools.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::step::root;

/// What Kafka 4 asks for.
const OLDEST: u32 = 17;

/// Java on the jars of a folder.
pub(super) fn java(jars: &Path, heap: &str) -> Command {
    let mut command = Command::new("java");
    let logging = root().join("xtask").join("broker").join("log4j2.properties");
    command.arg(format!("-Xmx{heap}")).arg("-XX:+UseSerialGC").arg("-cp").arg(jars.join("*"));
    command.arg(format!("-Dlog4j2.configurationFile={}", logging.display())).stdin(Stdio::null());
    command
}

/// Whether there is a Java that can run a broker.
pub(crate) fn has_java() -> bool {
    check().is_ok()
}

/// An error when there is no Java that can run a broker.
pub(super) fn check() -> Result<(), String> {
    let next = format!("install Java {OLDEST} or later (Debian, Ubuntu: `apt-get install openjdk-17-jdk-headless`)");
    let answer = Command::new("java").arg("-version").stdin(Stdio::null()).output();
    let answer = answer.map_err(|error| format!("cannot run `java`: {error}; {next}"))?;
    let text = String::from_utf8_lossy(&answer.stderr).into_owned();
    match release(&text) {
        Some(release) if release >= OLDEST => Ok(()),
        Some(release) => Err(format!("`java` is Java {release}, too old for Kafka; {next}")),
        None => Err(format!("`java -version` says no version but `{}`; {next}", text.trim())),
    }
}

/// The release that `java -version` names: 17 of `openjdk version "17.0.15" 2025-04-15`, 8 of `java version "1.8.0_392"`.
fn release(text: &str) -> Option<u32> {
    let version = text.lines().find_map(|line| line.split_once(" version \"")?.1.split('"').next())?;
    let mut numbers = version.split(['.', '_', '-', '+']).map(str::parse);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        release => Some(release),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_what_java_says() {
        assert_eq!(release("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment"), Some(17));
        assert_eq!(release("Picked up _JAVA_OPTIONS: -Xmx1g\nopenjdk version \"21\" 2023-09-19 LTS"), Some(21));
        assert_eq!(release("java version \"1.8.0_392\""), Some(8));
        assert_eq!(release("openjdk version \"24-ea\" 2025-03-18"), Some(24));
        assert_eq!(release("The operation couldn't be completed. Unable to locate a Java Runtime."), None);
    }
}
