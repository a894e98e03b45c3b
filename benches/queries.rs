//! What queries cost a working application, and how long they take beside it.
//!
//! `cargo bench -p tidemill-benches --bench queries` counts records by key in four ways, in turn, and prints the median of
//! each: nobody asked, the counts are published, somebody asks all the time, somebody watches all changes.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidemill::log::{Append, Log, MemoryLog, Notes, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, TableQuery, Topic};

const IN: Topic<u64, u64> = Topic::of("in");
const COUNTS: Store<u64, i64> = Store::of("counts");
const RECORDS: u64 = 6_000_000;
const RUNS: usize = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nobody,
    Published,
    Asked,
    Watched,
}

fn counts() -> Outcome<Topology> {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).group_by_key().count_with(&COUNTS);
    Ok(builder.build()?)
}

/// A log with all records, their keys scattered over `keys`.
fn filled(keys: u64) -> Outcome<Arc<dyn Log>> {
    let log = MemoryLog::default();
    log.create_topic(&TopicSpec::new(IN.name(), 1))?;
    for first in (0..RECORDS).step_by(10_000) {
        let mut records = BatchBuilder::default();
        for number in first..first + 10_000 {
            let key = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % keys;
            let (key, value) = (key.to_be_bytes(), number.to_be_bytes());
            records.push(Timestamp::from_millis(1), Some(&key), Some(&value), &Headers::NONE);
        }
        let append = Append { to: TopicPartition::new(IN.name(), 0), records: records.finish(Offset::ZERO) };
        log.append(vec![append], "", Notes::new())?;
    }
    Ok(Arc::new(log))
}

/// Asks for one key after another until it is told to stop; gives the times that it took, in nanoseconds.
async fn ask(table: TableQuery<u64, i64>, keys: u64, stop: Arc<AtomicBool>) -> Vec<u64> {
    let (mut times, mut number) = (Vec::new(), 0_u64);
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let start = Instant::now();
        let found = table.get(number.wrapping_mul(7_919) % keys).await;
        times.push(start.elapsed().as_nanos() as u64);
        assert!(found.is_ok(), "{found:?}");
        // As many as a busy service asks, not as many as there can be.
        if number.is_multiple_of(16) {
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    times
}

/// Records per second, and how long a `get` took.
async fn run(keys: u64, beside: Beside) -> Outcome<(f64, Vec<u64>)> {
    let app = App::builder("bench", counts()?).log(filled(keys)?).start().await?;
    let (start, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let before: u64 = app.position().iter().map(|(_, next)| next.get()).sum();
    if beside != Beside::Nobody {
        app.table(&COUNTS).get(0_u64).await?;
    }
    let asking = (beside == Beside::Asked).then(|| tokio::spawn(ask(app.table(&COUNTS), keys, stop.clone())));
    if beside == Beside::Watched {
        let mut changes = app.table(&COUNTS).watch().buffer_bytes(1 << 30).await?;
        tokio::spawn(async move { while changes.next().await.is_some_and(|change| change.is_ok()) {} });
    }
    app.settled().await?;
    let throughput = (RECORDS - before) as f64 / start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let times = match asking {
        Some(asking) => asking.await?,
        None => Vec::new(),
    };
    app.close().await?;
    Ok((throughput, times))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// How long it takes from a send until its row is read back.
async fn read_your_writes() -> Outcome<Vec<u64>> {
    let app = App::builder("bench", counts()?).memory().start().await?;
    let mut times = Vec::new();
    for number in 0..2_000_u64 {
        let start = Instant::now();
        let sent = app.send(&IN, number, number).await?;
        let counts = app.table(&COUNTS).at_least(sent, Duration::from_secs(5));
        assert_eq!(counts.get(number).await?, Some(1));
        times.push(start.elapsed().as_nanos() as u64);
    }
    app.close().await?;
    Ok(times)
}

fn show(what: &str, mut times: Vec<u64>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1_000.0;
    println!("{what}: median {:.1} us, 99 % {:.1} us, 99.9 % {:.1} us", at(0.5), at(0.99), at(0.999));
}

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    for keys in [10_000, 1_000_000] {
        let all = [Beside::Nobody, Beside::Published, Beside::Asked, Beside::Watched];
        let mut throughputs = vec![Vec::new(); all.len()];
        let mut gets = Vec::new();
        for _ in 0..RUNS {
            for (place, beside) in all.into_iter().enumerate() {
                let (throughput, times) = runtime.block_on(run(keys, beside))?;
                throughputs[place].push(throughput / 1e6);
                gets.extend(times);
            }
        }
        for (beside, throughputs) in all.iter().zip(throughputs) {
            let range = throughputs.clone();
            let (low, high) = range.iter().fold((f64::MAX, 0_f64), |(low, high), one| (low.min(*one), high.max(*one)));
            println!("{keys} keys, {beside:?}: {:.2} M records/s ({low:.2} to {high:.2})", median(throughputs));
        }
        show(&format!("{keys} keys, get beside it"), gets);
    }
    show("send, and read it back", runtime.block_on(read_your_writes())?);
    Ok(())
}
