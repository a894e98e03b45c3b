//! The engine that is measured: a process that says when it works and goes on until it is told to end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::processes::{Mark, rss_peak_mb};
use crate::options::{Options, StoreKind};

/// What a process has to end by itself.
const END: Duration = Duration::from_secs(30);
const A_MOMENT: Duration = Duration::from_millis(20);

/// The names of a run.
pub(super) struct Topics {
    pub(super) application: String,
    pub(super) inputs: Vec<String>,
    pub(super) output: String,
    /// What is both sink and source of bank_account.
    pub(super) around: String,
}

impl Topics {
    /// Names that no other run has; all begin with the application's.
    pub(super) fn of(inputs: Vec<String>) -> Topics {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
        let application = format!("bench-{}-{now}", std::process::id());
        Topics { inputs, output: format!("{application}-out"), around: format!("{application}-loop"), application }
    }
}

/// A process that is ended with this value.
pub(super) struct Engine {
    child: Child,
    lines: Receiver<String>,
    timeout: Duration,
    pub(super) started: Mark,
    /// When it said that it restores.
    pub(super) restoring: Option<Mark>,
}

impl Engine {
    /// Starts the program that is given, or this one.
    pub(super) fn start(options: &Options, program: Option<&str>, topics: &Topics, state: &Path) -> Result<Engine> {
        let mut command = match program {
            None => Command::new(std::env::current_exe()?),
            Some(program) => {
                let mut words = program.split_whitespace();
                let mut command = Command::new(words.next().context("an engine is a program and its arguments")?);
                command.args(words);
                command
            }
        };
        command.args(arguments(options, topics)).arg("--state-dir").arg(state);
        let started = Mark::before();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("the engine cannot be started: {command:?}"))?;
        let (send, lines) = channel();
        let output = child.stdout.take().context("the output is piped")?;
        std::thread::spawn(move || {
            // When nobody listens any more, the rest is of no interest.
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        Ok(Engine { child, lines, timeout: options.timeout(), started, restoring: None })
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it works. Gives how many records it says that it restored.
    pub(super) fn runs(&mut self) -> Result<Option<u64>> {
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with("STATE RESTORING") => self.restoring = Some(Mark::of(self.process())),
                Ok(line) if line.starts_with("STATE RUNNING") => {
                    return Ok(line.split_once("restored=").and_then(|(_, count)| count.trim().parse().ok()));
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the engine did not say `STATE RUNNING` within {:?}", self.timeout)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the engine ended before it said `STATE RUNNING`: {}", self.child.wait()?)
                }
            }
        }
    }

    /// An error when it has ended by itself.
    pub(super) fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the engine ended by itself: {status}"),
        }
    }

    pub(super) fn rss_peak_mb(&self) -> f64 {
        rss_peak_mb(self.process())
    }

    /// Has it commit and end.
    pub(super) fn end(mut self) -> Result<()> {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        let deadline = Instant::now() + END;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the engine did not end within {END:?} after SIGTERM");
            }
            std::thread::sleep(A_MOMENT);
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn arguments(options: &Options, topics: &Topics) -> Vec<String> {
    let store = if options.store == StoreKind::Memory { "memory" } else { "rocksdb" };
    let topology = options.topology().name();
    let given = [
        ("--workload", options.workload.name()),
        ("--topology", topology),
        ("--bootstrap", options.bootstrap.clone()),
        ("--app-id", topics.application.clone()),
        ("--input", topics.inputs[0].clone()),
        ("--output", topics.output.clone()),
        ("--loop", topics.around.clone()),
        ("--partitions", options.partitions.to_string()),
        ("--threads", options.threads.to_string()),
        ("--store", store.to_owned()),
        ("--guarantee", options.guarantee.name()),
        ("--cache", options.cache.to_string()),
        ("--commit-interval", options.commit_interval().as_millis().to_string()),
        ("--keys", options.keys().to_string()),
        ("--value-bytes", options.value_bytes.to_string()),
    ];
    let second = topics.inputs.get(1).map(|input| ("--input2", input.clone()));
    let set = options.set.iter().map(|(name, value)| ("--set", format!("{name}={value}")));
    let all = given.into_iter().chain(second).chain(set);
    all.flat_map(|(name, value)| [name.to_owned(), value]).collect()
}
