//! Records into the log, with nothing in front of it: one session, committed every interval.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use tidemill::log::{Append, EmbeddedLog, Log, Progress, Session};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition, partition_of_record};

use super::RUNNING;
use super::application::log_settings;
use crate::data::Set;
use crate::line::Measured;
use crate::machine::{self, Mark};
use crate::options::Options;

/// Records that are made at a time, with the clock stopped.
const CHUNK: u64 = 500_000;
/// Records of a partition that are staged at a time.
const BATCH_RECORDS: u32 = 1_000;

/// Records as a program has them before it sends them.
struct Made {
    bytes: Vec<u8>,
    /// For each record its time, and where its key and its value end.
    ends: Vec<(Timestamp, usize, usize)>,
}

pub(super) fn measure(options: &Options, data: &Path) -> Result<Measured> {
    let load = machine::load();
    let log = EmbeddedLog::open(data, log_settings(options)?)?;
    let session = log.session("bench")?;
    let set = &options.sets()[0];
    println!("{RUNNING}");
    let mut writer = Writer::new(options, &*session);
    let (mut wall, mut cpu, mut at) = (0.0, 0.0, 0);
    let first = Mark::with_this_thread();
    while at < set.size {
        let chunk = make(set, at, (at + CHUNK).min(set.size));
        let start = Mark::with_this_thread();
        writer.write(&chunk)?;
        at += CHUNK;
        if at >= set.size {
            writer.commit()?;
            log.sync()?;
        }
        let end = Mark::with_this_thread();
        wall += end.wall_since(&start);
        cpu += end.cpu_since(&start);
    }
    let measured = Measured::between(&first, &Mark::with_this_thread(), set.size, load);
    Ok(Measured {
        wall_s: machine::rounded(wall),
        cpu_s: machine::rounded(cpu),
        records_per_s: (set.size as f64 / wall).round() as u64,
        records_per_cpu_s: (set.size as f64 / cpu).round() as u64,
        ..measured
    })
}

fn make(set: &Set, from: u64, to: u64) -> Made {
    let mut made = Made { bytes: Vec::new(), ends: Vec::new() };
    for i in from..to {
        set.key(i, &mut made.bytes);
        let key_end = made.bytes.len();
        set.value(i, &mut made.bytes);
        made.ends.push((Timestamp::from_millis(set.time(i)), key_end, made.bytes.len()));
    }
    made
}

struct Writer<'a> {
    options: &'a Options,
    session: &'a dyn Session,
    builders: Vec<BatchBuilder>,
    committed: Instant,
}

impl<'a> Writer<'a> {
    fn new(options: &'a Options, session: &'a dyn Session) -> Self {
        let builders = (0..options.partitions).map(|_| BatchBuilder::default()).collect();
        Writer { options, session, builders, committed: Instant::now() }
    }

    fn write(&mut self, made: &Made) -> Result<()> {
        let mut begin = 0;
        for (time, key_end, end) in &made.ends {
            let (key, value) = (Some(&made.bytes[begin..*key_end]), Some(&made.bytes[*key_end..*end]));
            begin = *end;
            let partition = partition_of_record(key, value, self.options.partitions);
            let builder = &mut self.builders[partition as usize];
            builder.push(*time, key, value, &Headers::NONE);
            if builder.count() == BATCH_RECORDS {
                self.stage(partition)?;
            }
        }
        Ok(())
    }

    fn stage(&mut self, partition: u32) -> Result<()> {
        let records = self.builders[partition as usize].finish(Offset::ZERO);
        self.session.stage(Append { to: TopicPartition::new("in", partition), records })?;
        if self.committed.elapsed() >= self.options.commit_interval() {
            self.session.commit(&Progress::default())?;
            self.committed = Instant::now();
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        for partition in 0..self.options.partitions {
            if !self.builders[partition as usize].is_empty() {
                self.stage(partition)?;
            }
        }
        Ok(self.session.commit(&Progress::default())?)
    }
}
