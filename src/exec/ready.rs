//! Makes a task ready to run: its inputs are where the application was, its stores are restored.
//!
//! Rule: it needs no executor, so tasks are restored in other threads while those that are ready already run.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_dsl::record::{Offset, TopicPartition};
use tidemill_dsl::state::Checkpoint;

use super::origin::Origin;
use super::refill::{self, Filling};
use super::reset::{Beginning, beginning};
use super::restore::restore;
use super::{Restoring, Settings, Standby};
use crate::clock::Clock;
use crate::error::Error;
use crate::log::{Log, Progress};
use crate::task::{Task, TaskId};

/// What each store is restored from, by the store's number; `None` for a store without.
pub(super) type Origins = Vec<(usize, Option<Origin>)>;

/// Restores the tasks of an application.
#[derive(Clone)]
pub struct Restorer {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    application: String,
    settings: Settings,
}

/// A task that an executor can take over.
pub struct ReadyTask {
    pub(super) task: Task,
    pub(super) origins: Origins,
    restored: u64,
}

impl ReadyTask {
    /// A task that runs already.
    pub(super) fn running(task: Task, origins: Origins) -> Self {
        ReadyTask { task, origins, restored: 0 }
    }

    /// Which task it is.
    pub fn id(&self) -> &TaskId {
        self.task.id()
    }

    /// How many records were read to restore its stores.
    pub fn restored(&self) -> u64 {
        self.restored
    }
}

impl Restorer {
    /// A restorer of the tasks of `application`.
    pub fn new(log: Arc<dyn Log>, clock: Arc<dyn Clock>, application: &str, settings: Settings) -> Self {
        Restorer { log, clock, application: application.to_owned(), settings }
    }

    /// Restores the stores of a task and sets its inputs to where the application was at its last commit; one that maintains
    /// global stores fills them up to the ends that their topics have now.
    ///
    /// # Errors
    ///
    /// `Closed` when `watched` was cancelled; nothing of the task is left then.
    pub fn restore(&self, task: Task, progress: &Progress, watched: &Restoring) -> Result<ReadyTask, Error> {
        self.make_ready(task, &BTreeMap::new(), progress, watched)
    }

    /// The same with a task that was on standby: only what lies behind the standby is read.
    ///
    /// # Errors
    ///
    /// As [`restore`](Self::restore).
    pub fn promote(&self, standby: Standby, progress: &Progress, watched: &Restoring) -> Result<ReadyTask, Error> {
        self.make_ready(standby.task, &standby.reached, progress, watched)
    }

    fn make_ready(
        &self,
        mut task: Task,
        reached: &BTreeMap<usize, Checkpoint>,
        progress: &Progress,
        watched: &Restoring,
    ) -> Result<ReadyTask, Error> {
        task.state().set_now(self.clock.now());
        let (origins, restored) = task.with_stores(|task| self.prepare(task, reached, progress, watched))?;
        task.begin()?;
        Ok(ReadyTask { task, origins, restored })
    }

    fn prepare(
        &self,
        task: &mut Task,
        reached: &BTreeMap<usize, Checkpoint>,
        progress: &Progress,
        watched: &Restoring,
    ) -> Result<(Origins, u64), Error> {
        task.resume_time(progress);
        let inputs: Vec<(usize, TopicPartition)> = task.inputs().map(|(queue, input)| (queue, input.clone())).collect();
        let (mut fillings, mut chosen) = (Vec::new(), Vec::new());
        for (queue, input) in inputs {
            let committed = progress.inputs.get(&input).copied();
            if let Some(store) = task.fills(queue) {
                let bounds = self.log.bounds(&input)?;
                let committed = committed.map_or(bounds.start, |progress| progress.next);
                let to = if task.is_global() { bounds.end } else { committed };
                fillings.push(Filling { queue, input, store, bounds, to });
            } else {
                let Beginning { at, is_chosen } =
                    beginning(task, (queue, &input), committed, &*self.log, self.clock.now())?;
                task.resume(queue, at);
                chosen.extend(is_chosen.then_some((queue, at)));
            }
        }
        let (mut origins, mut restored, now) = (Vec::new(), 0, self.clock.now());
        let stores: Vec<usize> = task.state().stores().map(|(number, _)| number).collect();
        for number in stores {
            let origin = Origin::of(task, number, &self.application);
            if let Some(origin) = &origin {
                let store = (number, reached.get(&number).copied());
                restored += restore(task, store, origin, (&*self.log, now), (&self.settings, watched))?;
            }
            origins.push((number, origin));
        }
        restored += refill::refill(task, &fillings, (&*self.log, now), (&self.settings, watched))?;
        chosen.into_iter().for_each(|(queue, at)| task.reset(queue, at));
        task.resume_notes(progress)?;
        Ok((origins, restored))
    }
}

/// Where every input of a task begins, by its queue's number.
pub(super) fn inputs(task: &Task) -> Vec<(usize, TopicPartition, Offset)> {
    task.inputs().map(|(queue, input)| (queue, input.clone(), task.fetch_position(queue))).collect()
}
