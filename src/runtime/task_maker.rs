//! Makes the tasks of an application, with their stores open.

use std::sync::{Arc, PoisonError, RwLock};

use tidemill_dsl::processor::{BoxError, GlobalStores};
use tidemill_dsl::record::TopicName;
use tidemill_dsl::state::{ByteStore, StoreSpec};
use tidemill_dsl::topology::{TaskSettings, TaskSpec, Topology};

use super::checkpoints::Checkpoints;
use super::home::Home;
use super::program::Decisions;
use super::shared::LogTopics;
use crate::error::Error;
use crate::store::Stores;
use crate::task::{Task, TaskId};

/// What tasks are made of.
pub(super) struct TaskMaker {
    pub(super) topology: Topology,
    pub(super) application: String,
    /// The topics that there are.
    pub(super) names: RwLock<Arc<[TopicName]>>,
    pub(super) topics: Arc<LogTopics>,
    pub(super) settings: TaskSettings,
    pub(super) stores: Option<Stores>,
    pub(super) decisions: Decisions,
    /// What keeps others away from the stores.
    pub(super) _home: Option<Home>,
}

impl TaskMaker {
    /// Sets the topics that there are, for tasks that are made from now on.
    pub(super) fn set_names(&self, names: &[TopicName]) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names.into();
    }

    /// A task among those that share `globals`, its stores as they were left.
    pub(super) fn make(&self, id: &TaskId, globals: &Arc<GlobalStores>) -> Result<Task, Error> {
        let checkpoints = self.stores.as_ref().map(|stores| Checkpoints {
            stores,
            log: &*self.topics.log,
            application: &self.application,
            changelog: self.settings.changelog,
            decisions: &self.decisions,
        });
        let mut open_store = |spec: &StoreSpec| -> Result<Option<Box<dyn ByteStore>>, BoxError> {
            checkpoints.as_ref().map_or(Ok(None), |checkpoints| checkpoints.open(spec, id.partition))
        };
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner).clone();
        let spec = TaskSpec {
            subtopologies: &id.subtopologies,
            partition: id.partition,
            application: &self.application,
            topics: &names,
            counts: self.topics.clone(),
            settings: self.settings.clone(),
            globals: globals.clone(),
            open_store: &mut open_store,
        };
        Ok(Task::new(&self.topology, spec)?)
    }

    /// The task that maintains the global stores, which every process has for itself.
    pub(super) fn global(&self) -> Option<TaskId> {
        let globals = self.topology.subtopologies().iter().filter(|sub| sub.is_global()).map(|sub| sub.id);
        let subtopologies: Vec<usize> = globals.collect();
        (!subtopologies.is_empty()).then_some(TaskId { subtopologies, partition: 0 })
    }
}
