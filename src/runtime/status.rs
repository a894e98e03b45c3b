//! What each task does, or what it waits for and why, in words.
//!
//! Rule: it is put together from what is known anyway, and asks no worker: one that is stuck has to show as that.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tidemill_dsl::record::TopicPartition;

use super::app::Handle;
use super::metrics::TaskNow;
use super::{App, AppState, StandbyTask, TaskRestore};
use crate::exec::Waiting;
use crate::task::TaskId;

/// From when on a worker that is at one thing is worth a word: it sleeps no longer than a second.
const LONG: Duration = Duration::from_secs(2);

/// What an application and its tasks do: see [`App::status`]. Its text has a line for the application and one for each task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The application's id.
    pub application: String,
    /// The stage of its life.
    pub state: AppState,
    /// The tasks that this process runs, restores or keeps, by id.
    pub tasks: Vec<TaskStatus>,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskStatus {
    /// Which task.
    pub task: TaskId,
    /// The worker that has it, if one does.
    pub worker: Option<usize>,
    /// What it does.
    pub doing: TaskDoing,
}

/// What a task does, or waits for. Its text says it in words, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskDoing {
    /// It waits for its turn to be restored.
    Queued,
    /// Its stores are restored.
    Restoring {
        /// Records that were read.
        restored: u64,
        /// Records that are left of the store that is restored, at most.
        left: u64,
        /// How long that will take if it goes on as it went so far.
        eta: Option<Duration>,
    },
    /// It is ready, and its worker is about to take it over.
    Ready,
    /// It processes records.
    Processing {
        /// How many are left to process.
        lag: u64,
    },
    /// It has processed all that there is.
    WaitsForRecords,
    /// Records are known to be in these partitions which have not come here yet.
    WaitsForArrival(Vec<TopicPartition>),
    /// Calls are open.
    WaitsForCalls {
        /// How many.
        open: usize,
        /// Whether as many records wait for them as may, so that it takes no more; else there are no more.
        is_full: bool,
    },
    /// Another worker takes it over.
    WaitsForWorker,
    /// The application is paused.
    Paused {
        /// How many records are left to process.
        lag: u64,
    },
    /// Its worker has been at one record, one timer or one commit for so long, of this or of another of its tasks.
    Busy(Duration),
    /// Another process runs it; its stores are kept here too.
    Standby {
        /// How many changes they lack.
        lag: u64,
    },
}

impl App {
    /// What the application does, and each task that this process runs, restores or keeps: what it waits for, and why, in words. A
    /// tenth of a second old at most.
    ///
    /// ```
    /// # use tidemill::{App, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let app = App::builder("counts", builder.build()?).memory().start().await?;
    /// println!("{}", app.status()); // "application `counts` is running", and a line for each task
    /// # assert!(app.status().to_string().starts_with("application `counts` is running"));
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn status(&self) -> Status {
        self.handle.status()
    }
}

impl Handle {
    pub(super) fn status(&self) -> Status {
        let shared = &*self.shared;
        let now = shared.clock.now();
        let crew = shared.crew();
        let mut tasks: BTreeMap<TaskId, TaskStatus> = BTreeMap::new();
        let mut put =
            |task: TaskId, worker, doing| drop(tasks.insert(task.clone(), TaskStatus { task, worker, doing }));
        for standby in shared.standbys().map(|standbys| standbys.now()).unwrap_or_default() {
            put(standby.task.clone(), None, kept(&standby));
        }
        for restore in shared.restores.now() {
            put(restore.task.clone(), None, restoring(&restore, restore.eta(now)));
        }
        let alive = crew.as_ref().map(|crew| crew.alive(now)).unwrap_or_default();
        let known = shared.numbers.now();
        for task in crew.iter().flat_map(|crew| crew.tasks()) {
            let worker = crew.as_ref().and_then(|crew| crew.place_of(&task));
            let busy = worker.and_then(|worker| alive.get(&worker)).filter(|since| **since > LONG);
            let doing = match (busy, known.get(&task)) {
                (Some(since), _) => TaskDoing::Busy(*since),
                (None, Some(known)) => running(known),
                (None, None) => TaskDoing::Ready,
            };
            put(task, worker, doing);
        }
        let (application, state) = (shared.application.clone(), shared.state.borrow().clone());
        Status { application, state, tasks: tasks.into_values().collect() }
    }
}

fn kept(standby: &StandbyTask) -> TaskDoing {
    TaskDoing::Standby { lag: standby.lag() }
}

fn restoring(restore: &TaskRestore, eta: Option<Duration>) -> TaskDoing {
    match restore {
        TaskRestore { restored: 0, left: 0, .. } => TaskDoing::Queued,
        TaskRestore { restored, left, .. } => TaskDoing::Restoring { restored: *restored, left: *left, eta },
    }
}

fn running(now: &TaskNow) -> TaskDoing {
    let lag = || now.inputs.iter().map(|input| input.lag()).sum();
    match &now.waits {
        Waiting::Nothing => TaskDoing::Processing { lag: lag() },
        Waiting::Resume => TaskDoing::Paused { lag: lag() },
        Waiting::Records if now.open_calls > 0 => TaskDoing::WaitsForCalls { open: now.open_calls, is_full: false },
        Waiting::Records => TaskDoing::WaitsForRecords,
        Waiting::Arrival(inputs) => TaskDoing::WaitsForArrival(inputs.clone()),
        Waiting::Calls(open) => TaskDoing::WaitsForCalls { open: *open, is_full: true },
        Waiting::HandOver => TaskDoing::WaitsForWorker,
    }
}

impl fmt::Display for TaskDoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskDoing::Queued => f.write_str("waits to be restored: others are restored before it"),
            TaskDoing::Restoring { restored, left, eta } => {
                write!(f, "is restored from its changelogs: {restored} records read, {left} left at most")?;
                eta.map_or(Ok(()), |eta| write!(f, ", {eta:.1?} to go"))
            }
            TaskDoing::Ready => f.write_str("is ready: its worker takes it over when it is done with what it is at"),
            TaskDoing::Processing { lag } => write!(f, "processes records: {lag} are left"),
            TaskDoing::WaitsForRecords => f.write_str("waits for records: it has processed all that there are"),
            TaskDoing::WaitsForArrival(inputs) => {
                let inputs: Vec<String> = inputs.iter().map(|input| format!("`{input}`")).collect();
                write!(
                    f,
                    "waits for records of {}: they are there and not fetched yet, and may be earlier than those that it has",
                    inputs.join(", ")
                )
            }
            TaskDoing::WaitsForCalls { open, is_full } => {
                let more = if *is_full { "as many records wait for them as may" } else { "there are no more records" };
                write!(f, "waits for answers: {open} calls are open, and {more}")
            }
            TaskDoing::WaitsForWorker => f.write_str("waits for another worker to take it over"),
            TaskDoing::Paused { lag } => {
                write!(f, "is paused until `App::resume`: {lag} records are left, and its rows can be asked for")
            }
            TaskDoing::Busy(since) => write!(
                f,
                "has not been heard of for {since:.1?}: its worker is at one record, one timer or one commit, of this task or of \
                 another"
            ),
            TaskDoing::Standby { lag } => {
                write!(f, "is run by another process, and kept on standby here: {lag} changes behind")
            }
        }
    }
}

/// `task 0_1, worker 0: waits for records: ..`
impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TaskStatus { task, worker, doing } = self;
        match worker {
            Some(worker) => write!(f, "task {task}, worker {worker}: {doing}"),
            None => write!(f, "task {task}: {doing}"),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "application `{}` is {}", self.application, self.state)?;
        if self.tasks.is_empty() && !self.state.is_over() {
            write!(f, ": it has no share of the work yet")?;
        }
        self.tasks.iter().try_for_each(|task| write!(f, "\n  {task}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(doing: TaskDoing) -> String {
        let task = TaskId { subtopologies: vec![1], partition: 2 };
        TaskStatus { task, worker: Some(0), doing }.to_string()
    }

    #[test]
    fn each_says_what_it_waits_for() {
        let eta = Some(Duration::from_millis(1_500));
        let restoring = said(TaskDoing::Restoring { restored: 10, left: 5, eta });
        assert_eq!(
            restoring,
            "task 1_2, worker 0: is restored from its changelogs: 10 records read, 5 left at most, 1.5s to go"
        );
        let arrival = said(TaskDoing::WaitsForArrival(vec![TopicPartition::new("a", 0), TopicPartition::new("b", 0)]));
        assert!(arrival.contains("waits for records of `a-0`, `b-0`: they are there"), "{arrival}");
        let paused = said(TaskDoing::Paused { lag: 7 });
        assert!(paused.contains("is paused until `App::resume`: 7 records are left"), "{paused}");
        assert!(said(TaskDoing::Busy(Duration::from_secs(12))).contains("not been heard of for 12.0s"));
        assert!(said(TaskDoing::WaitsForCalls { open: 3, is_full: true }).contains("3 calls are open, and as many"));
    }

    #[test]
    fn an_application_without_tasks_says_so() {
        let mut status = Status { application: "a".into(), state: AppState::Rebalancing, tasks: Vec::new() };
        assert_eq!(status.to_string(), "application `a` is rebalancing: it has no share of the work yet");
        status.state = AppState::Closed;
        assert_eq!(status.to_string(), "application `a` is closed");
    }
}
