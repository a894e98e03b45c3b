//! Kafka Streams itself, in a process of its own: what it leaves on the broker is the engine's to go on with.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

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
    application: String,
    lines: Receiver<String>,
    is_stopped: bool,
}

impl JavaApplication<'_> {
    /// Starts it; returns when it has its share and works.
    #[track_caller]
    pub(crate) fn start(&self) -> JavaProcess {
        let JavaApplication { topology, application, brokers, state, .. } = self;
        let ([first, second, out], state) = (self.topics, state.display());
        let settings: String = self.settings.iter().map(|setting| format!(" --set {setting}")).collect();
        let (send, lines) = channel();
        let machine = Machine::running();
        machine.lock_listeners().insert((*application).to_owned(), send);
        machine.tell(&format!(
            "start --topology {topology} --application {application} --bootstrap {brokers} --in {first} --in2 {second} --out {out} \
             --state {state}{settings}"
        ));
        let process = JavaProcess { application: (*application).to_owned(), lines, is_stopped: false };
        process.wait_for("RUNNING");
        process
    }
}

impl JavaProcess {
    /// Lets it commit and end; it stays a member of its group until the group takes it for dead.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.is_stopped = true;
        Machine::running().tell(&format!("stop {}", self.application));
        self.wait_for("CLOSED");
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

impl Drop for JavaProcess {
    fn drop(&mut self) {
        if !self.is_stopped {
            Machine::running().tell(&format!("stop {}", self.application));
        }
    }
}

/// Has Kafka's own client write keys of every built-in serde; see `tests/kafka/java`.
pub(crate) fn write_keys(brokers: &str, topic: &str) {
    Machine::running().tell(&format!("keys --bootstrap {brokers} --topic {topic}"));
}

/// The Java machine that runs all applications of these tests: to start one for each would take most of their time. It ends with
/// this process.
struct Machine {
    input: Mutex<ChildStdin>,
    /// Who listens to an application.
    listeners: Mutex<BTreeMap<String, Sender<String>>>,
}

impl Machine {
    fn running() -> &'static Machine {
        static MACHINE: OnceLock<Machine> = OnceLock::new();
        MACHINE.get_or_init(|| {
            let mut java = Command::new("java");
            java.args(["-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"]);
            java.arg(class_path()).arg("interop.Applications").stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut process = java.spawn().unwrap();
            let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                lines.for_each(|line| Machine::running().pass(&line));
                // It has ended, and only now is nobody left to hear of it.
                let _ = process.wait();
            });
            Machine { input: Mutex::new(input), listeners: Mutex::default() }
        })
    }

    fn tell(&self, line: &str) {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("the Java machine runs");
    }

    /// Passes on what an application said.
    fn pass(&self, line: &str) {
        let Some((application, said)) = line.split_once(' ') else { return };
        if let Some(listener) = self.lock_listeners().get(application) {
            // Nobody listens any more when the test is over.
            let _ = listener.send(said.to_owned());
        }
    }

    fn lock_listeners(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Sender<String>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
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
