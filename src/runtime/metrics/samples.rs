//! The numbers of an application as metrics.
//!
//! Rule: whatever publishes them gets them from here, so all say the same.

use std::time::Duration;

use tidemill_dsl::processor::DropReason;

use super::catalogue::{self as c, Info};
use super::{Metrics, TaskMetrics, TaskNow, WorkerMetrics};
use crate::exec::Durations;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Count(u64),
    Gauge(f64),
}

/// One value of a metric.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) info: &'static Info,
    /// In the order of the metric's labels.
    pub(super) labels: Vec<String>,
    pub(super) value: Value,
}

/// The words for the states, that of `AppState` first letter by letter.
const STATES: [&str; 7] = ["starting", "running", "paused", "rebalancing", "closing", "closed", "failed"];

#[derive(Default)]
struct Samples(Vec<Sample>);

impl Samples {
    fn count<const N: usize>(&mut self, info: &'static Info, labels: [&dyn ToString; N], count: u64) {
        self.add(info, labels, Value::Count(count));
    }

    fn gauge<const N: usize>(&mut self, info: &'static Info, labels: [&dyn ToString; N], value: f64) {
        self.add(info, labels, Value::Gauge(value));
    }

    fn add<const N: usize>(&mut self, info: &'static Info, labels: [&dyn ToString; N], value: Value) {
        self.0.push(Sample { info, labels: labels.map(ToString::to_string).into(), value });
    }
}

/// Everything that is published of an application.
pub(super) fn samples(metrics: &Metrics) -> Vec<Sample> {
    let mut all = Samples::default();
    client(&mut all, metrics);
    metrics.workers.iter().for_each(|(number, worker)| worker_samples(&mut all, *number, worker));
    for (task, metrics) in &metrics.tasks {
        let task = task.to_string();
        task_samples(&mut all, &task, metrics);
        metrics.now.iter().for_each(|now| now_samples(&mut all, &task, now));
    }
    all.count(&c::RESTORE_TOTAL, [], metrics.restored);
    for restore in &metrics.restoring {
        all.gauge(&c::RESTORE_REMAINING, [&restore.task], restore.left as f64);
    }
    for standby in &metrics.standbys {
        for store in &standby.stores {
            all.gauge(&c::STANDBY_LAG, [&standby.task, &store.store], store.lag() as f64);
        }
    }
    all.0
}

fn client(all: &mut Samples, metrics: &Metrics) {
    all.gauge(&c::INFO, [&env!("CARGO_PKG_VERSION"), &metrics.instance], 1.0);
    let state = metrics.state.to_string();
    for word in STATES {
        all.gauge(&c::CLIENT_STATE, [&word], f64::from(u8::from(state.starts_with(word))));
    }
    let alive = metrics.workers.values().filter(|worker| worker.alive).count();
    all.gauge(&c::ALIVE_STREAM_THREADS, [], alive as f64);
    all.count(&c::REBALANCE_TOTAL, [], metrics.rebalances);
    let memory = &metrics.memory;
    all.gauge(&c::MEMORY_LIMIT, [], memory.limit as f64);
    let in_memory = memory.rows.saturating_sub(memory.rows_on_disk);
    for (component, bytes) in
        [("rows-in-memory", in_memory), ("rows-on-disk", memory.rows_on_disk), ("sending", memory.sending)]
    {
        all.gauge(&c::MEMORY, [&component], bytes as f64);
    }
    let running = metrics.tasks.values().filter(|task| task.now.is_some()).count();
    let tasks = [("running", running), ("restoring", metrics.restoring.len()), ("standby", metrics.standbys.len())];
    tasks.into_iter().for_each(|(state, count)| all.gauge(&c::TASKS, [&state], count as f64));
}

fn worker_samples(all: &mut Samples, number: usize, worker: &WorkerMetrics) {
    for (activity, spent) in &worker.spent {
        all.count(&c::ACTIVITY, [&number, &activity.name()], millis(*spent));
    }
    all.count(&c::COMMIT_TOTAL, [&number], worker.commits);
    let Durations { longest, .. } = worker.commits_recent;
    all.gauge(&c::COMMIT_AVG, [&number], average(&worker.commits_recent));
    all.gauge(&c::COMMIT_MAX, [&number], millis(longest) as f64);
}

fn task_samples(all: &mut Samples, task: &str, metrics: &TaskMetrics) {
    all.count(&c::PROCESS_TOTAL, [&task], metrics.processed);
    all.count(&c::PROCESS_TIME, [&task], millis(metrics.process_time));
    all.count(&c::PUNCTUATE_TOTAL, [&task], metrics.punctuated);
    all.count(&c::PUNCTUATE_TIME, [&task], millis(metrics.punctuate_time));
    for reason in DropReason::ALL {
        all.count(&c::DROPPED, [&task, &reason.to_string().replace(' ', "-")], metrics.dropped.get(reason));
    }
    let recent = &metrics.end_to_end_recent;
    all.gauge(&c::E2E_AVG, [&task], average(recent));
    all.gauge(&c::E2E_MIN, [&task], millis(recent.shortest) as f64);
    all.gauge(&c::E2E_MAX, [&task], millis(recent.longest) as f64);
    for (input, read) in &metrics.read {
        all.count(&c::CONSUMED, [&task, &input.topic, &input.partition], read.records);
        all.count(&c::CONSUMED_BYTES, [&task, &input.topic, &input.partition], read.bytes);
    }
    for (topic, written) in &metrics.written {
        all.count(&c::PRODUCED, [&task, topic], written.records);
        all.count(&c::PRODUCED_BYTES, [&task, topic], written.bytes);
    }
}

fn now_samples(all: &mut Samples, task: &str, now: &TaskNow) {
    all.gauge(&c::BUFFERED, [&task], now.inputs.iter().map(|input| input.buffered).sum::<u64>() as f64);
    all.gauge(&c::OPEN_CALLS, [&task], now.open_calls as f64);
    for input in &now.inputs {
        all.gauge(&c::LAG, [&task, &input.partition.topic, &input.partition.partition], input.lag() as f64);
    }
    for store in &now.stores {
        all.gauge(&c::STORE_MEMORY, [&task, &store.store], store.memory as f64);
        all.gauge(&c::CACHE, [&task, &store.store], store.cached as f64);
        all.gauge(&c::UNFLUSHED, [&task, &store.store], store.unflushed as f64);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn average(durations: &Durations) -> f64 {
    let count = durations.count.max(1);
    millis(durations.total) as f64 / count as f64
}
