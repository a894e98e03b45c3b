//! Kafka Streams itself, as a process: what it leaves on the broker is the engine's to go on with.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};

use super::child::Child;
use super::waiting::LIMIT;

/// Which topology it runs, for whom, and on which topics; see `tests/kafka/java`.
pub(crate) struct JavaApplication<'a> {
    pub(crate) topology: &'a str,
    pub(crate) application: &'a str,
    pub(crate) brokers: &'a str,
    pub(crate) state: &'a Path,
    /// `in`, `in2`, `out`: their full names.
    pub(crate) topics: [&'a str; 3],
    /// Settings of Kafka Streams, `key=value`.
    pub(crate) settings: &'a [&'a str],
}

/// It runs.
pub(crate) struct JavaProcess {
    child: Child,
    lines: Receiver<String>,
}

impl JavaApplication<'_> {
    /// Starts it; returns when it has its share and works.
    #[track_caller]
    pub(crate) fn start(&self) -> JavaProcess {
        let [first, second, out] = self.topics;
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"]);
        java.arg(class_path()).arg("interop.Application");
        java.args(["--topology", self.topology, "--application", self.application, "--bootstrap", self.brokers]);
        java.args(["--in", first, "--in2", second, "--out", out]).arg("--state").arg(self.state);
        java.args(self.settings.iter().flat_map(|setting| ["--set", setting]));
        let mut child = Child::start(java.stdin(Stdio::null()).stdout(Stdio::piped()));
        let (output, (send, lines)) = (child.output(), channel());
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens any more when the test is over.
                let _ = send.send(line);
            }
        });
        let process = JavaProcess { child, lines };
        process.wait_for("RUNNING");
        process
    }
}

impl JavaProcess {
    /// Lets it commit and end; it stays a member of its group until the group takes it for dead.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.child.terminate();
        self.wait_for("CLOSED");
        self.child.wait();
    }

    #[track_caller]
    fn wait_for(&self, expected: &str) {
        let mut said = Vec::new();
        while said.last().is_none_or(|line| line != expected) {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => said.push(line),
                Err(error) => panic!("Kafka Streams did not say `{expected}` ({error}) but:\n{}", said.join("\n")),
            }
        }
    }
}

/// Where its classes are; compiles them if they are not there yet.
fn class_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("interop");
        let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/java/pom.xml");
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", "--file"]).arg(pom).arg(format!("-Dinterop.out={}", out.display()));
        let built = maven.arg("package").stdin(Stdio::null()).output();
        let built = built.unwrap_or_else(|error| panic!("cannot run `mvn`, which builds `tests/kafka/java`: {error}"));
        assert!(built.status.success(), "Maven: {}", String::from_utf8_lossy(&built.stdout));
        format!("{}:{}", out.join("build/interop.jar").display(), out.join("libs/*").display())
    })
}
