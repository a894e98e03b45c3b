//! The numbers of an application as the page takes them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::exec::Durations;
use crate::processor::DropReason;
use crate::record::Timestamp;
use crate::{Metrics, Status, TaskDoing, TaskMetrics, TaskStatus, WorkerMetrics};

/// Sums since the start, and how it is now; the page makes rates of two in a row.
pub(super) fn as_json(metrics: &Metrics, status: &Status) -> Value {
    let workers: Vec<Value> = metrics.workers.iter().map(|(number, worker)| worker_json(*number, worker)).collect();
    let tasks: Vec<Value> = status.tasks.iter().map(|task| task_json(task, metrics)).collect();
    let restoring = metrics.restoring.iter().map(|restore| {
        let eta = restore.eta(metrics.at).map(millis);
        json!({ "task": restore.task.to_string(), "restored": restore.restored, "left": restore.left, "eta": eta })
    });
    let errors = metrics.errors.iter().map(|error| json!({ "at": error.at.as_millis(), "message": error.message }));
    let memory = &metrics.memory;
    json!({
        "application": metrics.application,
        "instance": metrics.instance,
        "at": metrics.at.as_millis(),
        "state": metrics.state.to_string(),
        "workers": workers,
        "tasks": tasks,
        "written": sums(metrics, |task| task.written.iter().map(|(topic, sum)| (topic.to_string(), *sum)).collect()),
        "read": sums(metrics, |task| task.read.iter().map(|(input, sum)| (input.topic.to_string(), *sum)).collect()),
        "restoring": restoring.collect::<Vec<_>>(),
        "restored": metrics.restored,
        "rebalances": metrics.rebalances,
        "memory": {
            "limit": memory.limit, "rows": memory.rows, "rows_on_disk": memory.rows_on_disk, "sending": memory.sending,
        },
        "errors": errors.collect::<Vec<_>>(),
    })
}

/// By topic the records and bytes of all tasks, those that have left included.
fn sums(
    metrics: &Metrics,
    of: impl Fn(&TaskMetrics) -> Vec<(String, crate::processor::Transferred)>,
) -> serde_json::Map<String, Value> {
    let mut all: std::collections::BTreeMap<String, crate::processor::Transferred> = Default::default();
    for (topic, more) in metrics.tasks.values().flat_map(of) {
        *all.entry(topic).or_default() += more;
    }
    all.into_iter().map(|(topic, sum)| (topic, json!([sum.records, sum.bytes]))).collect()
}

fn worker_json(number: usize, worker: &WorkerMetrics) -> Value {
    let spent: serde_json::Map<String, Value> =
        worker.spent.iter().map(|(activity, spent)| (activity.name().to_owned(), millis(*spent).into())).collect();
    json!({
        "id": number,
        "alive": worker.alive,
        "since": millis(worker.since),
        "spent": spent,
        "commits": worker.commits,
        "commit": durations(&worker.commits_recent),
    })
}

fn task_json(status: &TaskStatus, metrics: &Metrics) -> Value {
    let known = metrics.tasks.get(&status.task).cloned().unwrap_or_default();
    let dropped = DropReason::ALL.into_iter().filter(|reason| known.dropped.get(*reason) > 0);
    let dropped: serde_json::Map<String, Value> =
        dropped.map(|reason| (reason.to_string(), known.dropped.get(reason).into())).collect();
    let (mut inputs, mut stores, mut stream_time, mut open_calls) = (Vec::new(), Vec::new(), None, 0);
    if let Some(now) = &known.now {
        (stream_time, open_calls) = (now.stream_time.map(Timestamp::as_millis), now.open_calls);
        inputs.extend(now.inputs.iter().map(|input| {
            let partition = &input.partition;
            json!({
                "topic": *partition.topic, "partition": partition.partition, "processed": input.processed.get(),
                "end": input.end.get(), "lag": input.lag(), "buffered": input.buffered,
            })
        }));
        stores.extend(now.stores.iter().map(|store| {
            json!({
                "store": *store.store, "memory": store.memory, "on_disk": store.on_disk, "cached": store.cached,
                "unflushed": store.unflushed,
            })
        }));
    }
    json!({
        "id": status.task.to_string(),
        "subtopologies": status.task.subtopologies,
        "worker": status.worker,
        "doing": kind(&status.doing),
        "says": status.doing.to_string(),
        "processed": known.processed,
        "process": millis(known.process_time),
        "punctuated": known.punctuated,
        "dropped": dropped,
        "latency": durations(&known.end_to_end_recent),
        "stream_time": stream_time,
        "open_calls": open_calls,
        "inputs": inputs,
        "stores": stores,
    })
}

/// A word that the page gives a colour.
fn kind(doing: &TaskDoing) -> &'static str {
    match doing {
        TaskDoing::Processing { .. } => "works",
        TaskDoing::Queued | TaskDoing::Restoring { .. } | TaskDoing::Ready => "comes",
        TaskDoing::Busy(_) => "stuck",
        TaskDoing::Standby { .. } => "standby",
        TaskDoing::Paused { .. } => "paused",
        _ => "waits",
    }
}

fn durations(durations: &Durations) -> Value {
    let average = durations.average().map(millis);
    json!({ "count": durations.count, "average": average, "longest": millis(durations.longest) })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
