//! What the handle and the threads of an application share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tidemill_dsl::processor::PartitionCounts;
use tidemill_dsl::record::{TopicName, TopicPartition};
use tidemill_dsl::state::StoreSpec;
use tidemill_dsl::topology::Topology;
use tokio::sync::watch;

use super::committed::Committed;
use super::crew::Crew;
use super::instances::{ActiveTask, Instance, Registry};
use super::message::Query;
use super::metrics::Numbers;
use super::pause::Pause;
use super::shape::Shape;
use super::standbys::Standbys;
use super::{AppState, Position, Restores, SettingsInUse};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::log::Log;
use crate::task::TaskId;

/// An application, as its threads and its users see it.
pub(super) struct Shared {
    pub(super) application: String,
    /// What tells this process from the application's others.
    pub(super) instance: String,
    /// Where this process answers queries of others.
    pub(super) address: Option<String>,
    /// What is known of the others; `None` where there are none.
    pub(super) registry: Option<Arc<Registry>>,
    /// In how many other processes the stores of each task are to be kept.
    pub(super) standbys_wanted: usize,
    /// The tasks of others that are kept here, while the process has a share.
    pub(super) standbys: Mutex<Option<Arc<Standbys>>>,
    pub(super) topology: Topology,
    pub(super) log: Arc<dyn Log>,
    pub(super) clock: Arc<dyn Clock>,
    /// What queries see.
    pub(super) committed: Committed,
    /// Who runs the tasks now; `None` while the process has no share of them.
    pub(super) crew: Mutex<Option<Arc<Crew>>>,
    /// What it reads.
    pub(super) shape: RwLock<Arc<Shape>>,
    pub(super) restores: Restores,
    pub(super) settings: SettingsInUse,
    /// What workers have reported.
    pub(super) numbers: Numbers,
    pub(super) state: watch::Sender<AppState>,
    /// Whether workers take up records.
    pub(super) pause: Pause,
    /// The async runtime that the application was started in.
    pub(super) runtime: Option<tokio::runtime::Handle>,
}

impl Shared {
    /// Moves on to another state, unless the application's life is over, or ends. One that it is in already is no news.
    pub(super) fn enter(&self, state: AppState) {
        self.state.send_if_modified(|current| {
            let is_other = std::mem::discriminant(current) != std::mem::discriminant(&state);
            let moves = is_other && !current.is_over() && (state.is_over() || !matches!(current, AppState::Closing));
            if moves {
                match &state {
                    AppState::Rebalancing => self.numbers.rebalanced(),
                    AppState::Failed(error) => self.numbers.failed(error, self.clock.now()),
                    _ => {}
                }
                *current = state;
            }
            moves
        });
    }

    /// What the application reads now.
    pub(super) fn shape(&self) -> Arc<Shape> {
        self.shape.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_shape(&self, shape: Arc<Shape>) {
        *self.shape.write().unwrap_or_else(PoisonError::into_inner) = shape;
    }

    /// Who runs the tasks now.
    pub(super) fn crew(&self) -> Option<Arc<Crew>> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_crew(&self, crew: Option<Arc<Crew>>) {
        *self.crew.lock().unwrap_or_else(PoisonError::into_inner) = crew;
    }

    /// The tasks of others that are kept here.
    pub(super) fn standbys(&self) -> Option<Arc<Standbys>> {
        self.standbys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_standbys(&self, standbys: Option<Arc<Standbys>>) {
        *self.standbys.lock().unwrap_or_else(PoisonError::into_inner) = standbys;
    }

    /// This process, as it is now.
    pub(super) fn own_instance(&self) -> Instance {
        let (position, shape) = (self.committed.position(), self.shape());
        let active = |task: TaskId| {
            let topics = task.subtopologies.iter().flat_map(|sub| &shape.reads.by_subtopology()[*sub]);
            let inputs = topics.map(|topic| TopicPartition::new(topic.clone(), task.partition));
            let reached = inputs.filter_map(|input| position.next(&input).map(|next| (input, next))).collect();
            ActiveTask { task, position: reached }
        };
        let is_shared = |task: &TaskId| !task.subtopologies.iter().any(|sub| shape.reads.is_global(*sub));
        let tasks = self.crew().map(|crew| crew.tasks()).unwrap_or_default();
        Instance {
            id: self.instance.clone(),
            address: self.address.clone(),
            is_here: true,
            active: tasks.into_iter().filter(is_shared).map(active).collect(),
            standbys: self.standbys().map(|standbys| standbys.now()).unwrap_or_default(),
            keeps_standbys: self.standbys_wanted,
            seen: self.clock.now(),
        }
    }

    /// The processes of the application, this one among them, by id.
    pub(super) fn instances(&self) -> Vec<Instance> {
        let mut all = self.registry.as_ref().map(|registry| registry.others()).unwrap_or_default();
        all.push(self.own_instance());
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Tells the others soon that something has moved.
    pub(super) fn has_moved(&self) {
        if let Some(registry) = &self.registry {
            registry.look();
        }
    }

    /// Stops everything because of `error`; the first one counts.
    pub(super) fn fail(&self, error: &Error) {
        self.enter(AppState::Failed(error.clone()));
        if let Some(crew) = self.crew() {
            crew.end(error);
        }
    }

    /// Tells the other processes of the application to stop.
    pub(super) fn stop_others(&self, error: &Error) {
        let told =
            self.registry.as_ref().map_or(Ok(()), |registry| registry.stop_all(&*self.log, error, self.clock.now()));
        if let Err(cause) = told {
            tracing::warn!(application = self.application, %cause, "the other processes are not told to stop");
        }
    }

    /// The error for a call that comes too late.
    pub(super) fn gone(&self) -> Error {
        match &*self.state.borrow() {
            AppState::Failed(error) => error.clone(),
            state => Error::new(ErrorKind::Closed, format!("application `{}` is {state}", self.application)),
        }
    }

    /// The error for a question that a worker dropped: it is ending, and a moment later it is known why.
    pub(super) async fn over(&self) -> Error {
        // The sender lives as long as this does.
        let _ =
            self.state.subscribe().wait_for(|state| state.is_over() || matches!(state, AppState::Rebalancing)).await;
        if self.state.borrow().is_over() { self.gone() } else { self.elsewhere("what was asked for") }
    }

    /// The error for something that is with no worker of this process now.
    pub(super) fn elsewhere(&self, what: &str) -> Error {
        let message = format!(
            "{what} is not with this process of application `{}` now: it is being restored, or another process has it; ask again \
             in a moment, or ask that process",
            self.application
        );
        Error::new(ErrorKind::Elsewhere, message)
    }

    /// The error that ended the application, if one did.
    pub(super) fn failure(&self) -> Option<Error> {
        match &*self.state.borrow() {
            AppState::Failed(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// Gives the worker of a task something to do between two records.
    pub(super) fn tell(&self, subtopology: usize, partition: u32, query: Query) -> Result<(), Error> {
        let place = || {
            let crew = self.crew()?;
            let worker = self.worker_of(&crew, subtopology, partition)?;
            Some((crew, worker))
        };
        let Some((crew, worker)) = place() else {
            return Err(self.elsewhere(&format!("partition {partition} of sub-topology {subtopology}")));
        };
        if crew.tell(worker, query) { Ok(()) } else { Err(self.gone()) }
    }

    /// Which worker runs a task, if one does here. The global stores are all with one task.
    pub(super) fn worker_of(&self, crew: &Crew, subtopology: usize, partition: u32) -> Option<usize> {
        let is_global = self.topology.subtopologies()[subtopology].is_global();
        crew.worker_of(subtopology, if is_global { 0 } else { partition })
    }

    /// The stores of a task.
    pub(super) fn stores_of(&self, task: &TaskId) -> Vec<Arc<str>> {
        let is_of = |store: &&Arc<str>| {
            let sub = self.topology.subtopology_of_store(store);
            sub.is_some_and(|sub| task.subtopologies.contains(&sub.id))
        };
        self.topology.stores().iter().map(StoreSpec::name).filter(is_of).cloned().collect()
    }

    /// Lets workers commit as soon as they have processed everything before a position.
    pub(super) fn want(&self, position: &Position) {
        if let Some(crew) = self.crew() {
            crew.want(position);
        }
    }
}

/// The topics of a log. A log that cannot answer now has those that it had: brokers that are away for a moment are no reason to
/// end, and what cannot be reached for longer shows at the next call that returns an error.
pub(super) struct LogTopics {
    pub(super) log: Arc<dyn Log>,
    /// What it last said.
    told: Mutex<BTreeMap<TopicName, u32>>,
}

impl LogTopics {
    pub(super) fn new(log: Arc<dyn Log>) -> Self {
        LogTopics { log, told: Mutex::default() }
    }
}

impl PartitionCounts for LogTopics {
    fn partitions(&self, topic: &str) -> Option<u32> {
        let now = self.log.topic(topic).ok().flatten().map(|spec| spec.partitions);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = now {
            told.insert(topic.into(), count);
        }
        told.get(topic).copied()
    }
}
