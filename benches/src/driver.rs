//! The test driver: topology and tasks in one process, in memory, a commit after every record.
//!
//! Rule: making the input is not timed, reading the output is, as with Kafka's `TopologyTestDriver`.

use anyhow::Result;
use tidemill::record::{Headers, Timestamp};
use tidemill::state::Changelog;
use tidemill::topology::TaskSettings;
use tidemill_testkit::{Capture, TestDriver};

use crate::data::Set;
use crate::goal::{Check, Goal};
use crate::line::{BUILD, Line, Measured, Outcome};
use crate::machine::{self, Mark};
use crate::options::{Options, StoreKind};
use crate::topologies::{self, Names, OUT};

/// Records that are made at a time.
const CHUNK: u64 = 5_000;

pub(crate) fn run(options: &Options) -> Result<Line> {
    let load = machine::load();
    // Stores lie in memory here, whatever was asked for.
    let sets = options.sets();
    let topology = topologies::build(options.topology(), StoreKind::Memory, &Names::of(&sets))?;
    let settings =
        TaskSettings { changelog: Changelog::EveryUpdate, cache_bytes: options.cache, ..TaskSettings::default() };
    let capture = Capture::Topics(vec![OUT.to_owned()]);
    let driver = TestDriver::new(&topology).settings(settings).capture(capture);
    let mut run = Run { driver, check: Check::new(options), wall: 0.0, cpu: 0.0 };
    let (first, main): (Vec<&Set>, Vec<&Set>) = sets.iter().partition(|set| set.comes_first());
    for set in first {
        run.send(&[set], 0, set.size)?;
    }
    (run.wall, run.cpu) = (0.0, 0.0);
    let mut warmup = 0;
    while run.wall < options.warmup().as_secs_f64() {
        run.send(&main, warmup, CHUNK)?;
        warmup += CHUNK;
    }
    (run.wall, run.cpu) = (0.0, 0.0);
    let (start, mut measured) = (Mark::with_this_thread(), 0);
    while measured < options.records() {
        run.send(&main, warmup + measured, CHUNK)?;
        measured += CHUNK;
    }
    let whole = Measured::between(&start, &Mark::with_this_thread(), measured, load);
    let outcome = Outcome::of(Goal::of(options, &sets, warmup + measured), &run.check);
    Ok(Line { head: options.head(), measured: run.timed(whole), outcome: Some(outcome), options: BUILD })
}

struct Run {
    driver: TestDriver,
    check: Check,
    wall: f64,
    cpu: f64,
}

impl Run {
    /// Sends so many records, of the sets in turn.
    fn send(&mut self, sets: &[&Set], from: u64, count: u64) -> Result<()> {
        let made: Vec<_> = (from..from + count).map(|number| made(sets, number)).collect();
        let start = Mark::with_this_thread();
        for Made { topic, key, value, time } in &made {
            self.driver.send_raw(topic, Some(key), Some(value), *time, &Headers::NONE)?;
        }
        let outputs = self.driver.take_raw(OUT);
        let end = Mark::with_this_thread();
        self.wall += end.wall_since(&start);
        self.cpu += end.cpu_since(&start);
        outputs.iter().try_for_each(|record| {
            self.check.take(record.key.as_deref().unwrap_or_default(), record.value.as_deref())
        })?;
        Ok(())
    }

    /// With the times of what was timed.
    fn timed(&self, measured: Measured) -> Measured {
        let rate = |seconds: f64| (measured.records as f64 / seconds).round() as u64;
        let (wall_s, cpu_s) = (machine::rounded(self.wall), machine::rounded(self.cpu));
        Measured { wall_s, cpu_s, records_per_s: rate(self.wall), records_per_cpu_s: rate(self.cpu), ..measured }
    }
}

struct Made {
    topic: &'static str,
    key: Vec<u8>,
    value: Vec<u8>,
    time: Timestamp,
}

fn made(sets: &[&Set], number: u64) -> Made {
    let set = sets[(number % sets.len() as u64) as usize];
    let (i, mut key, mut value) = (number / sets.len() as u64, Vec::new(), Vec::new());
    set.key(i, &mut key);
    set.value(i, &mut value);
    Made { topic: set.topic, key, value, time: Timestamp::from_millis(set.time(i)) }
}
