//! What was handed in: the sums of everything that workers have reported, for the life of the process.
//!
//! Rule: sums only grow. How a task is now goes with it when it leaves; what it has done stays.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemill_dsl::record::Timestamp;

use super::recent::Recent;
use super::{PastError, TaskMetrics, TaskNow, WorkerMetrics};
use crate::error::Error;
use crate::exec::{Activity, Observed, ObservedTask};
use crate::task::TaskId;

/// How many errors are remembered.
const ERRORS_MAX: usize = 20;

/// The numbers of an application, as of the last reports.
#[derive(Default)]
pub(crate) struct Numbers(Mutex<Sums>);

#[derive(Default)]
struct Sums {
    workers: BTreeMap<usize, WorkerSums>,
    tasks: BTreeMap<TaskId, TaskSums>,
    rebalances: u64,
    errors: VecDeque<PastError>,
}

#[derive(Default)]
struct WorkerSums {
    spent: [Duration; Activity::ALL.len()],
    commits: u64,
    recent: Recent,
}

#[derive(Default)]
struct TaskSums {
    metrics: TaskMetrics,
    recent: Recent,
}

/// What is told of workers and tasks.
type Told = (BTreeMap<usize, WorkerMetrics>, BTreeMap<TaskId, TaskMetrics>);

impl Numbers {
    fn lock(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what a worker reports.
    pub(crate) fn add(&self, worker: usize, observed: Observed, now: Timestamp) {
        let mut sums = self.lock();
        let Observed { spent, commits, tasks } = observed;
        let own = sums.workers.entry(worker).or_default();
        own.spent.iter_mut().zip(spent).for_each(|(sum, more)| *sum += more);
        own.commits += commits.count;
        own.recent.add(commits, now);
        sums.forget_tasks_of(worker);
        tasks.into_iter().for_each(|task| sums.add_task(worker, task, now));
    }

    /// A worker runs no tasks any more.
    pub(crate) fn ended(&self, worker: usize) {
        self.lock().forget_tasks_of(worker);
    }

    /// Tasks are on their way.
    pub(crate) fn rebalanced(&self) {
        self.lock().rebalances += 1;
    }

    /// An error that ends the application, or that it gets over.
    pub(crate) fn failed(&self, error: &Error, now: Timestamp) {
        let mut sums = self.lock();
        let message = error.to_string();
        // A reason goes through several hands.
        if sums.errors.back().is_some_and(|last| last.message == message) {
            return;
        }
        sums.errors.push_back(PastError { at: now, message });
        if sums.errors.len() > ERRORS_MAX {
            sums.errors.pop_front();
        }
    }

    /// Workers and tasks.
    pub(super) fn told(&self, now: Timestamp) -> Told {
        let mut sums = self.lock();
        let worker = |(number, sums): (&usize, &mut WorkerSums)| {
            let spent = Activity::ALL.into_iter().zip(sums.spent).collect();
            let (commits, commits_recent) = (sums.commits, sums.recent.get(now));
            (*number, WorkerMetrics { alive: false, since: Duration::ZERO, spent, commits, commits_recent })
        };
        let workers = sums.workers.iter_mut().map(worker).collect();
        let task = |(task, sums): (&TaskId, &mut TaskSums)| {
            let end_to_end_recent = sums.recent.get(now);
            (task.clone(), TaskMetrics { end_to_end_recent, ..sums.metrics.clone() })
        };
        (workers, sums.tasks.iter_mut().map(task).collect())
    }

    /// How often tasks were on their way.
    pub(super) fn rebalances(&self) -> u64 {
        self.lock().rebalances
    }

    /// The last errors.
    pub(super) fn errors(&self) -> Vec<PastError> {
        self.lock().errors.iter().cloned().collect()
    }

    /// How the tasks are that run here.
    pub(crate) fn now(&self) -> BTreeMap<TaskId, TaskNow> {
        let sums = self.lock();
        sums.tasks.iter().filter_map(|(task, sums)| Some((task.clone(), sums.metrics.now.clone()?))).collect()
    }
}

impl Sums {
    fn forget_tasks_of(&mut self, worker: usize) {
        for TaskSums { metrics, .. } in self.tasks.values_mut() {
            // Another may have it by now.
            metrics.now.take_if(|now| now.worker == worker);
        }
    }

    fn add_task(&mut self, worker: usize, observed: ObservedTask, at: Timestamp) {
        let ObservedTask { task, counts, times, waits, stream_time, open_calls, inputs, stores } = observed;
        let TaskSums { metrics, recent } = self.tasks.entry(task).or_default();
        metrics.processed += counts.processed;
        metrics.process_time += times.process;
        metrics.punctuated += counts.punctuated;
        metrics.punctuate_time += times.punctuate;
        metrics.dropped += counts.dropped;
        counts.read.into_iter().for_each(|(input, more)| *metrics.read.entry(input).or_default() += more);
        counts.written.into_iter().for_each(|(topic, more)| *metrics.written.entry(topic).or_default() += more);
        recent.add(times.end_to_end, at);
        metrics.now = Some(TaskNow { worker, waits, stream_time, open_calls, inputs, stores });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::{Durations, TaskTimes, Waiting};
    use crate::task::TaskCounts;

    fn observed(processed: u64) -> Observed {
        let task = ObservedTask {
            task: TaskId { subtopologies: vec![0], partition: 1 },
            counts: TaskCounts { processed, ..TaskCounts::default() },
            times: TaskTimes::default(),
            waits: Waiting::Records,
            stream_time: None,
            open_calls: 0,
            inputs: Vec::new(),
            stores: Vec::new(),
        };
        Observed { spent: Default::default(), commits: Durations::default(), tasks: vec![task] }
    }

    #[test]
    fn a_task_that_moves_keeps_its_counts_and_is_at_one_place() {
        let (numbers, now) = (Numbers::default(), Timestamp::ZERO);
        let place = |numbers: &Numbers| numbers.now().into_values().map(|now| now.worker).collect::<Vec<_>>();
        numbers.add(0, observed(3), now);
        numbers.add(1, observed(4), now);
        assert_eq!(place(&numbers), [1]);
        numbers.add(0, Observed { tasks: Vec::new(), ..observed(0) }, now);
        assert_eq!(place(&numbers), [1], "the old place says nothing of the new one");
        numbers.ended(1);
        assert!(place(&numbers).is_empty());
        assert_eq!(numbers.told(now).1.into_values().next().unwrap().processed, 7);
    }

    #[test]
    fn the_last_errors_are_kept_each_once() {
        let numbers = Numbers::default();
        let error = |number: usize| Error::new(crate::error::ErrorKind::Lost, format!("error {number}"));
        for number in (0..30).flat_map(|number| [number, number]) {
            numbers.failed(&error(number), Timestamp::ZERO);
        }
        let kept: Vec<String> = numbers.errors().into_iter().map(|error| error.message).collect();
        assert_eq!((kept.len(), kept[0].as_str(), kept[19].as_str()), (ERRORS_MAX, "error 10", "error 29"));
    }
}
