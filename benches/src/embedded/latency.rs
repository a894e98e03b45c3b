//! From the moment a record was due to the moment a subscriber has the output that follows from it.
//!
//! Rule: a record's time is when it was due, not when it was sent, so that whatever stalls the feed counts.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tidemill::record::{Headers, Timestamp};
use tidemill::{App, Feed, Topic};

use super::RUNNING;
use super::application::start;
use crate::data::{FIRST_TIME, below, blob, random, word};
use crate::line::{Latency, Measured};
use crate::machine::{self, Mark, rounded};
use crate::options::Options;
use crate::topologies::OUT;

const IN: Topic<i64, Vec<u8>> = Topic::of("in");
/// How long outputs may be late.
const PATIENCE: Duration = Duration::from_secs(30);

/// The plan of a run.
#[derive(Clone, Copy)]
struct Plan {
    rate: u64,
    warmup: u64,
    total: u64,
    keys: u64,
    value_bytes: usize,
}

impl Plan {
    fn due(&self, number: u64) -> Duration {
        Duration::from_nanos(number * 1_000_000_000 / self.rate)
    }
}

pub(super) async fn measure(options: &Options, data: &Path) -> Result<Measured> {
    let load = machine::load();
    let app = start(options, data).await?;
    println!("{RUNNING}");
    let (rate, warmup) = (options.rate, options.rate * options.warmup().as_secs());
    let total = warmup + rate * options.seconds;
    let plan = Plan { rate, warmup, total, keys: options.keys(), value_bytes: options.value_bytes as usize };
    let (feed, base) = (app.feed("due"), Instant::now());
    let feeding = std::thread::Builder::new().name("feed".into()).spawn(move || send(&feed, plan, base))?;
    let seen = look(&app, plan, base).await?;
    feeding.join().expect("the feed does not panic")?;
    app.close().await?;
    let Seen { warm, end, mut took } = seen;
    took.sort_unstable();
    let start = warm.context("nothing came after the warm-up")?;
    let at =
        |share: f64| took.get(((took.len() as f64 * share) as usize).min(took.len() - 1)).map_or(0.0, milliseconds);
    let latency = Latency {
        rate,
        lost: total - warmup - took.len() as u64,
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        max_ms: at(1.0),
    };
    let measured = Measured::between(&start, &end, took.len() as u64, load);
    Ok(Measured { latency: Some(latency), ..measured })
}

fn milliseconds(took: &Duration) -> f64 {
    rounded(took.as_secs_f64() * 1e3)
}

/// Sends each record when it is due; what is due at the same time goes together.
fn send(feed: &Feed, plan: Plan, base: Instant) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut next = 0;
    while next < plan.total {
        std::thread::sleep(plan.due(next).saturating_sub(base.elapsed()));
        let now = base.elapsed();
        let mut batch = feed.batch();
        while next < plan.total && plan.due(next) <= now {
            let key = below(random(1, next), plan.keys) as i64;
            let mut value = Vec::new();
            blob(plan.due(next).as_nanos() as u64, next, plan.value_bytes, &mut value);
            let time = Timestamp::from_millis(FIRST_TIME + plan.due(next).as_millis() as i64);
            batch.add_with(&IN, key, value, time, &Headers::NONE)?;
            next += 1;
        }
        // An error shows in the application's state, and nobody waits for the disk here.
        drop(runtime.block_on(batch.post(Vec::new()))?);
    }
    Ok(())
}

struct Seen {
    warm: Option<Mark>,
    end: Mark,
    took: Vec<Duration>,
}

async fn look(app: &App, plan: Plan, base: Instant) -> Result<Seen> {
    let mut output = app.subscribe(&Topic::<Option<Vec<u8>>, Vec<u8>>::of(OUT))?;
    let (mut warm, mut took, mut outputs) = (None, Vec::with_capacity((plan.total - plan.warmup) as usize), 0);
    let until = plan.due(plan.total) + PATIENCE;
    while outputs < plan.total {
        let left = until.saturating_sub(base.elapsed());
        let Ok(Some(record)) = tokio::time::timeout(left, output.next()).await else { break };
        let (value, now) = (record?.value.unwrap_or_default(), base.elapsed());
        outputs += 1;
        if word(&value, 8) as u64 >= plan.warmup {
            warm.get_or_insert_with(Mark::with_this_thread);
            took.push(now.saturating_sub(Duration::from_nanos(word(&value, 0) as u64)));
        }
    }
    Ok(Seen { warm, end: Mark::with_this_thread(), took })
}
