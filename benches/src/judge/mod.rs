//! Runs an engine as a process of its own on a Kafka cluster, and judges what it puts out.
//!
//! Rule: the clock runs from the moment when the engine says that it works to the moment when this process has seen the last output
//! that was expected; the CPU seconds are those of the engine's process and its children between the two.

mod cluster;
mod comparison;
mod engine;
mod outputs;
mod processes;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::data::Set;
use crate::goal::{Check, Goal};
use crate::line::{BUILD, Line, Measured, Outcome};
use crate::machine::{self, rounded};
use crate::options::{Options, Workload};
use cluster::Cluster;
pub(crate) use comparison::compare;
use engine::{Engine, Topics};
use outputs::Outputs;
pub(crate) use processes::Mark;

/// How long it is read on for outputs that are too many.
const AFTER: Duration = Duration::from_secs(1);

/// Measures one run of an engine: the program that is given, or this one.
pub(crate) fn run(options: &Options, engine: Option<&str>) -> Result<Line> {
    match options.workload {
        Workload::Latency | Workload::Reopen | Workload::Append | Workload::BankStep => {
            bail!("`{}` is measured on the embedded log only: leave out `--driver broker`", options.workload.name())
        }
        _ => {}
    }
    let run = Run::prepare(options, engine)?;
    let measured = match options.workload {
        Workload::Restore => run.restore(),
        _ => run.throughput(),
    };
    // What the run made goes, whatever came of it.
    run.cluster.remove(&run.topics.application)?;
    measured
}

struct Run<'a> {
    options: &'a Options,
    engine: Option<&'a str>,
    cluster: Cluster,
    sets: Vec<Set>,
    topics: Topics,
    goal: Goal,
    load: String,
}

impl<'a> Run<'a> {
    /// Writes the input, unless it is there from an earlier run, and makes the output's topics.
    fn prepare(options: &'a Options, engine: Option<&'a str>) -> Result<Run<'a>> {
        let (cluster, sets) = (Cluster::new(&options.bootstrap)?, options.sets());
        let inputs = sets.iter().map(|set| cluster.provide(set, options.partitions)).collect::<Result<Vec<_>>>()?;
        let topics = Topics::of(inputs);
        for topic in [&topics.output, &topics.around] {
            cluster.create(topic, options.partitions)?;
        }
        let goal = Goal::of(options, &sets, options.records());
        Ok(Run { options, engine, cluster, sets, topics, goal, load: machine::load() })
    }

    fn records(&self) -> u64 {
        self.sets.iter().map(|set| set.size).sum()
    }

    fn throughput(&self) -> Result<Line> {
        let folder = tempfile::tempdir()?;
        let mut outputs = Outputs::of(self.options, &self.topics.output)?;
        let mut engine = Engine::start(self.options, self.engine, &self.topics, folder.path())?;
        engine.runs()?;
        let begun = Mark::of(engine.process());
        // From the start of the process, where that is the question.
        let start = if self.options.workload == Workload::Startup { engine.started } else { begun };
        let mut check = Check::new(self.options);
        let (half, end) = self.watch(&mut outputs, &mut check, &mut engine)?;
        outputs.take_for(AFTER, &mut check)?;
        let mut measured = Measured::of_process(&start, &end, self.records(), self.load.clone(), engine.rss_peak_mb());
        measured.running_s = Some(rounded(begun.wall_since(&engine.started)));
        measured.cpu_from_spawn_s = Some(rounded(end.cpu_since(&engine.started)));
        engine.end()?;
        let measured = measured.with_second_half_of_process(half.as_ref(), &end);
        Ok(self.line(measured, Some(&check)))
    }

    /// Reads until the goal is reached. Gives the marks of its half and of its end.
    fn watch(&self, outputs: &mut Outputs, check: &mut Check, engine: &mut Engine) -> Result<(Option<Mark>, Mark)> {
        let (deadline, mut half) = (Instant::now() + self.options.timeout(), None);
        loop {
            outputs.take(check)?;
            let reached = u64::try_from(check.reached()).unwrap_or(0);
            if half.is_none() && reached >= self.goal.target() / 2 {
                half = Some(Mark::of(engine.process()));
            }
            if reached >= self.goal.target() {
                return Ok((half, Mark::of(engine.process())));
            }
            engine.must_run()?;
            if Instant::now() > deadline {
                bail!("{} of {} was reached when the time was over", reached, self.goal.name());
            }
        }
    }

    /// A run that fills the state, then one that has none and is timed until it works.
    fn restore(&self) -> Result<Line> {
        let folders = (tempfile::tempdir()?, tempfile::tempdir()?);
        let mut outputs = Outputs::of(self.options, &self.topics.output)?;
        let mut engine = Engine::start(self.options, self.engine, &self.topics, folders.0.path())?;
        engine.runs()?;
        let mut check = Check::new(self.options);
        self.watch(&mut outputs, &mut check, &mut engine)?;
        engine.end()?;
        let mut engine = Engine::start(self.options, self.engine, &self.topics, folders.1.path())?;
        let restored = engine.runs()?;
        let (start, end) = (engine.started, Mark::of(engine.process()));
        let mut measured = Measured::of_process(&start, &end, self.records(), self.load.clone(), engine.rss_peak_mb());
        measured.restored = restored;
        measured.restore_s = engine.restoring.map(|begun| rounded(end.wall_since(&begun)));
        engine.end()?;
        Ok(self.line(measured, None))
    }

    fn line(&self, measured: Measured, check: Option<&Check>) -> Line {
        let outcome = check.map(|check| Outcome::of(self.goal, check));
        Line { head: self.options.head(), measured, outcome, options: BUILD }
    }
}
