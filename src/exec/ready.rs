//! Makes a task ready to run: its inputs are where the application was, its stores are restored.
//!
//! Rule: it needs no executor, so tasks are restored in other threads while those that are ready already run.

use std::sync::Arc;

use tidemill_dsl::record::{Offset, TopicPartition};

use super::Settings;
use super::origin::Origin;
use super::refill::{self, Filling};
use super::reset::{Beginning, beginning};
use super::restore::restore;
use crate::clock::Clock;
use crate::error::Error;
use crate::log::{Log, Progress};
use crate::task::{Task, TaskId};

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
    /// What each store is restored from, by the store's number; `None` for a store without.
    pub(super) origins: Vec<(usize, Option<Origin>)>,
    restored: u64,
}

impl ReadyTask {
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
    pub fn restore(&self, mut task: Task, progress: &Progress) -> Result<ReadyTask, Error> {
        task.state().set_now(self.clock.now());
        let (origins, restored) = task.with_stores(|task| self.prepare(task, progress))?;
        task.begin()?;
        Ok(ReadyTask { task, origins, restored })
    }

    fn prepare(&self, task: &mut Task, progress: &Progress) -> Result<(Vec<(usize, Option<Origin>)>, u64), Error> {
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
        let (mut origins, mut restored) = (Vec::new(), 0);
        let stores: Vec<usize> = task.state().stores().map(|(number, _)| number).collect();
        for number in stores {
            let origin = Origin::of(task, number, &self.application);
            if let Some(origin) = &origin {
                restored += restore(task, number, origin, &*self.log, &self.settings)?;
            }
            origins.push((number, origin));
        }
        restored += refill::refill(task, &fillings, &*self.log, &self.settings)?;
        chosen.into_iter().for_each(|(queue, at)| task.reset(queue, at));
        task.resume_notes(progress)?;
        Ok((origins, restored))
    }
}

/// Where every input of a task begins, by its queue's number.
pub(super) fn inputs(task: &Task) -> Vec<(usize, TopicPartition, Offset)> {
    task.inputs().map(|(queue, input)| (queue, input.clone(), task.fetch_position(queue))).collect()
}
