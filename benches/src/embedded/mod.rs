//! An application on the embedded log, judged from outside: this process writes the input, starts the measured one, and reads
//! the output when that has ended.
//!
//! Rule: what costs the judge anything happens before the clock starts or after it stops.

mod append;
mod application;
mod engine;
mod latency;
mod load;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tidemill::log::{EmbeddedLog, Log, LogSettings};
use tidemill::record::{Offset, TopicPartition};

#[cfg(feature = "kafka")]
pub(crate) use application::settings;
pub(crate) use engine::run as run_engine;

use crate::goal::{Check, Goal};
use crate::line::{BUILD, Line, Measured, Outcome};
use crate::machine::rounded;
use crate::options::{Options, Workload};
use crate::topologies::OUT;

/// What the measured process says when all tasks are there, and when it has measured.
const RUNNING: &str = "STATE RUNNING";
const RESULT: &str = "RESULT ";
/// How many bytes of the output are read at once.
const READ_BYTES: usize = 4 << 20;

/// Runs the workload; says what came of it.
pub(crate) fn run(options: &Options) -> Result<Line> {
    let folder = match &options.dir {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let folder = folder.context("cannot make a folder to work in; name one with `--dir`")?;
    let data = folder.path().join("data");
    let sets = options.sets();
    load::load(options, &sets, &data)?;
    let goal = Goal::of(options, &sets, options.records());
    let measured = match options.workload {
        Workload::Restore | Workload::Reopen => {
            Engine::start(options, &data, true)?.wait()?;
            if options.workload == Workload::Restore {
                std::fs::remove_dir_all(data.join("state")).context("the first run left no state to remove")?;
            }
            Engine::start(options, &data, false)?.wait()?
        }
        _ => Engine::start(options, &data, false)?.wait()?,
    };
    let outcome = match options.workload {
        Workload::Latency => None,
        _ => Some(check(options, goal, &data)?),
    };
    Ok(Line { head: options.head(), measured, outcome, options: BUILD })
}

/// The measured process.
struct Engine {
    child: Child,
    spawned: Instant,
    timed_until_running: bool,
    seen: bool,
}

impl Engine {
    /// Starts this program again, with the same options; `first` fills the state that the next start finds or restores.
    fn start(options: &Options, data: &Path, first: bool) -> Result<Engine> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.args(std::env::args_os().skip(1)).arg("--engine-in").arg(data).stdout(Stdio::piped());
        if first {
            command.arg("--fill");
        }
        let spawned = Instant::now();
        let child = command.spawn().context("cannot start the measured process")?;
        let until_running = matches!(options.workload, Workload::Restore | Workload::Reopen) && !first;
        Ok(Engine { child, spawned, timed_until_running: until_running, seen: options.workload == Workload::Startup })
    }

    /// Waits for the process's end; gives what it measured, with what only its parent knows.
    fn wait(mut self) -> Result<Measured> {
        let (mut measured, mut running, mut last) = (None, None, None);
        let output = self.child.stdout.take().context("its output is piped")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            if line.starts_with(RUNNING) {
                running = Some(self.spawned.elapsed().as_secs_f64());
            } else if let Some(json) = line.strip_prefix(RESULT) {
                last = Some(self.spawned.elapsed().as_secs_f64());
                measured = Some(serde_json::from_str::<Measured>(json)?);
            } else {
                eprintln!("{line}");
            }
        }
        let status = self.child.wait()?;
        let Some(measured) = measured.filter(|_| status.success()) else {
            bail!("the measured process ended with {status}; see what it wrote above");
        };
        let measured = Measured { running_s: running.map(rounded), ..measured };
        Ok(match (self.timed_until_running, self.seen) {
            (true, _) => lasting(measured, running),
            (_, true) => lasting(measured, last),
            _ => measured,
        })
    }
}

/// Puts in how long it took since the process was started.
fn lasting(measured: Measured, wall: Option<f64>) -> Measured {
    let wall = wall.unwrap_or_default();
    let rate = (measured.records as f64 / wall).round() as u64;
    Measured { wall_s: rounded(wall), records_per_s: rate, ..measured }
}

fn check(options: &Options, goal: Goal, data: &Path) -> Result<Outcome> {
    let log = EmbeddedLog::open(data, LogSettings::default())?;
    let topic = if options.workload == Workload::Append { "in" } else { OUT };
    let mut check = Check::new(options);
    for partition in 0..options.partitions {
        let partition = TopicPartition::new(topic, partition);
        let mut next = Offset::ZERO;
        loop {
            let batches = log.read(&partition, next, READ_BYTES)?;
            let Some(last) = batches.last() else { break };
            next = last.end();
            for batch in &batches {
                batch.for_each(|_, record| check.take(record.key.unwrap_or_default(), record.value))?;
            }
        }
    }
    Ok(Outcome::of(goal, &check))
}
