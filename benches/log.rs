//! What the embedded log takes and gives: epochs of 100-byte records, reading back, opening.
//!
//! `cargo bench -p tidemill-benches --bench log` prints one line per figure: the best of three runs, each in a folder of its own.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use tidemill::log::{Append, Durability, EmbeddedLog, Log, LogSettings, MemoryLog, Progress, Session, TopicSpec};
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

const RUNS: usize = 3;
/// With a key of 10 bytes and the 20 bytes before it, a record takes 100 bytes.
const VALUE: [u8; 70] = [7; 70];

type Outcome = Result<(), Box<dyn Error>>;

fn batch(records: usize) -> Batch {
    let mut builder = BatchBuilder::default();
    for number in 0..records {
        let key = format!("{number:010}");
        builder.push(Timestamp::from_millis(1), Some(key.as_bytes()), Some(&VALUE), &Headers::NONE);
    }
    builder.finish(Offset::ZERO)
}

fn settings(durability: Durability) -> LogSettings {
    LogSettings { durability, ..LogSettings::default() }
}

fn seconds(run: impl FnOnce() -> Outcome) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().as_secs_f64())
}

/// Stages batches of `records` records, `per_epoch` records to an epoch.
fn epochs(session: &dyn Session, records: usize, per_epoch: usize, total: usize) -> Outcome {
    let to = TopicPartition::new("t", 0);
    let batch = batch(records);
    for _ in 0..total / per_epoch {
        for _ in 0..per_epoch / records {
            session.stage(Append { to: to.clone(), records: batch.clone() })?;
        }
        session.commit(&Progress::default())?;
    }
    Ok(())
}

fn with_topic(log: &dyn Log) -> Result<Box<dyn Session>, Box<dyn Error>> {
    log.create_topic(&TopicSpec::new("t", 1))?;
    Ok(log.session("bench")?)
}

fn best(mut run: impl FnMut(&Path) -> Result<f64, Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let folder = tempfile::tempdir_in(".")?;
        best = best.min(run(&folder.path().join("log"))?);
    }
    Ok(best)
}

fn writes() -> Outcome {
    const TOTAL: usize = 2_000_000;
    for (records, per_epoch) in
        [(1, 1), (1, 1000), (1, 10_000), (100, 100), (100, 10_000), (1000, 1000), (1000, 10_000)]
    {
        let total = if per_epoch == 1 { TOTAL / 10 } else { TOTAL };
        let memory = best(|_| {
            let session = with_topic(&MemoryLog::new())?;
            seconds(|| epochs(&*session, records, per_epoch, total))
        })?;
        let embedded = best(|folder| {
            let log = EmbeddedLog::open(folder, settings(Durability::Never))?;
            let session = with_topic(&log)?;
            seconds(|| epochs(&*session, records, per_epoch, total))
        })?;
        let rate = |seconds: f64| total as f64 / seconds / 1e6;
        println!(
            "stage {records:>4} at a time, commit every {per_epoch:>5}: {:>6.2} M records/s embedded, {:>6.2} M/s memory",
            rate(embedded),
            rate(memory)
        );
    }
    Ok(())
}

fn stage_cost() -> Outcome {
    const RECORDS: usize = 1000;
    const EPOCHS: usize = 500;
    let session = with_topic(&MemoryLog::new())?;
    let watch = session.follow(&TopicPartition::new("t", 0), Offset::ZERO)?;
    let batch = batch(1);
    let mut best = f64::INFINITY;
    for _ in 0..EPOCHS {
        let appends: Vec<_> =
            (0..RECORDS).map(|_| Append { to: TopicPartition::new("t", 0), records: batch.clone() }).collect();
        best = best.min(seconds(|| {
            for append in appends {
                session.stage(append)?;
            }
            Ok(())
        })?);
        session.abort()?;
    }
    black_box(watch.get());
    println!("stage of one record, watched: {:.0} ns", best / RECORDS as f64 * 1e9);
    Ok(())
}

fn commits() -> Outcome {
    const COMMITS: usize = 2000;
    for threads in [1, 4, 16] {
        let best = best(|folder| {
            let log = EmbeddedLog::open(folder, settings(Durability::EveryCommit))?;
            log.create_topic(&TopicSpec::new("t", 1))?;
            let append = || {
                for _ in 0..COMMITS / threads {
                    let append = Append { to: TopicPartition::new("t", 0), records: batch(10) };
                    log.append(vec![append], "", Default::default()).expect("the disk works");
                }
            };
            seconds(|| {
                std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(append)));
                Ok(())
            })
        })?;
        println!("durable appends from {threads:>2} threads: {:>6.0} per second", COMMITS as f64 / best);
    }
    Ok(())
}

fn read_and_open() -> Outcome {
    const TOTAL: usize = 5_000_000;
    for per_epoch in [100, 10_000] {
        let (mut open_best, mut cold_best) = (f64::INFINITY, f64::INFINITY);
        let folder = tempfile::tempdir_in(".")?;
        {
            let log = EmbeddedLog::open(folder.path(), settings(Durability::Never))?;
            let session = with_topic(&log)?;
            epochs(&*session, 100, per_epoch, TOTAL)?;
            log.sync()?;
        }
        for _ in 0..RUNS {
            let mut log = None;
            open_best = open_best.min(seconds(|| {
                log = Some(EmbeddedLog::open(folder.path(), settings(Durability::Never))?);
                Ok(())
            })?);
            cold_best = cold_best.min(seconds(|| read_all(log.as_ref().expect("opened above"), TOTAL as u64))?);
        }
        println!(
            "500 MB in epochs of {per_epoch:>5}: opened in {:.0} ms, read back from disk at {:.1} M records/s",
            open_best * 1e3,
            TOTAL as f64 / cold_best / 1e6
        );
    }
    Ok(())
}

fn read_all(log: &dyn Log, total: u64) -> Outcome {
    let partition = TopicPartition::new("t", 0);
    let mut next = Offset::ZERO;
    while next.get() < total {
        let batches = log.read(&partition, next, 1 << 20)?;
        next = batches.last().ok_or("the log ended early")?.end();
        black_box(batches);
    }
    Ok(())
}

fn main() -> Outcome {
    stage_cost()?;
    writes()?;
    commits()?;
    read_and_open()
}
