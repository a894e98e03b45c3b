//! Workers that come and go while a term lasts, and the tasks that move between them.
//!
//! Rule: a task moves right after a commit, as it is, and the group does not hear of it; one whose calls are open takes no more records
//! and waits for their answers. A worker ends when it has no task any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Term;
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::log::Session;
use crate::runtime::crew::Crew;
use crate::runtime::keeper::Event;
use crate::task::TaskId;

/// What is to be changed about the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Staffing {
    More,
    Fewer,
}

/// Who waits for the number of workers that there are then.
pub(in crate::runtime) type Staffed = oneshot::Sender<Result<usize, Error>>;

/// What is under way.
#[derive(Default)]
pub(super) struct Staff {
    /// Where tasks go that are on their way between workers, and whether the worker that has them was told.
    moving: BTreeMap<TaskId, Move>,
    /// Workers that are to end, and who waits for it.
    leaving: BTreeMap<usize, Option<Staffed>>,
    /// Sessions of workers that have ended, for those that come.
    free: Vec<Arc<dyn Session>>,
}

struct Move {
    to: usize,
    told: bool,
}

impl Staff {
    /// Whether something is to be looked after soon.
    pub(super) fn is_busy(&self) -> bool {
        !self.moving.is_empty() || !self.leaving.is_empty()
    }

    /// Whether a task is on its way between workers. One whose worker was not told yet stays where it is from now on.
    pub(super) fn is_under_way(&mut self, task: &TaskId) -> bool {
        let told = self.moving.get(task).is_some_and(|moving| moving.told);
        if !told {
            self.moving.remove(task);
        }
        told
    }

    /// A task has arrived, or stays where it is.
    pub(super) fn has_moved(&mut self, task: &TaskId) -> bool {
        self.moving.remove(task).is_some()
    }

    /// A worker has to be asked again for a task.
    pub(super) fn ask_again(&mut self, task: &TaskId) {
        self.moving.get_mut(task).into_iter().for_each(|moving| moving.told = false);
    }
}

impl Term<'_> {
    pub(super) fn staff(&mut self, staffing: Staffing, staffed: Staffed) -> Result<(), Error> {
        match staffing {
            Staffing::More => {
                let added = self.add_worker();
                let failed = added.as_ref().err().cloned();
                // Whoever asked may have gone.
                let _ = staffed.send(added);
                // A session that cannot be had is no reason to give up the others, unless the share is lost.
                failed.filter(|error| error.kind() == ErrorKind::Lost).map_or(Ok(()), Err)
            }
            Staffing::Fewer => {
                self.remove_worker(staffed);
                Ok(())
            }
        }
    }

    fn add_worker(&mut self) -> Result<usize, Error> {
        let session = match self.staff.free.pop() {
            Some(session) => session,
            None => self.membership.add_session()?,
        };
        let number = self.crew.add(session, self.keeper.shared.clock.now());
        if let Err(error) = self.start_worker(number) {
            self.crew.retire(number);
            self.crew.post(number).inbox.end();
            self.crew.post(number).gate.leave(&self.keeper.shared.committed)?;
            return Err(error);
        }
        self.share_memory();
        self.balance();
        Ok(self.crew.working().len())
    }

    fn remove_worker(&mut self, staffed: Staffed) {
        let working = self.crew.working();
        let Some(last) = working.last().copied().filter(|_| working.len() > 1) else {
            let error = Error::new(ErrorKind::Invalid, "it is the last worker: close the application instead");
            // Whoever asked may have gone.
            let _ = staffed.send(Err(error));
            return;
        };
        self.crew.retire(last);
        self.staff.leaving.insert(last, Some(staffed));
        self.share_memory();
    }

    /// Divides the memory for rows among the workers, and has the next term begin with as many.
    fn share_memory(&mut self) {
        let working = self.crew.working();
        let all = self.keeper.settings.row_bytes * self.keeper.member.workers.max(1) as u64;
        self.keeper.settings.row_bytes = all / working.len().max(1) as u64;
        self.keeper.member.workers = working.len();
        let row_bytes = self.keeper.settings.row_bytes;
        for worker in working {
            let set = move |executor: &mut Executor| {
                executor.set_row_bytes(row_bytes);
                Ok(())
            };
            self.crew.tell(worker, Box::new(set));
        }
    }

    /// Has tasks move until no worker has two more than another.
    fn balance(&mut self) {
        let mut loads: Vec<(usize, Vec<TaskId>)> =
            self.crew.working().into_iter().map(|worker| (worker, self.movable(worker))).collect();
        loop {
            loads.sort_by_key(|(worker, tasks)| (tasks.len(), *worker));
            let least = loads.first().map_or(0, |(_, tasks)| tasks.len());
            let Some((_, most)) = loads.last_mut().filter(|(_, tasks)| tasks.len() > least + 1) else { return };
            let Some(task) = most.pop() else { return };
            let to = loads[0].0;
            loads[0].1.push(task.clone());
            self.staff.moving.insert(task, Move { to, told: false });
        }
    }

    /// The tasks of a worker that can go to another: those that it runs. That of global stores stays where it is.
    fn movable(&self, worker: usize) -> Vec<TaskId> {
        let tasks = self.crew.tasks_of(worker).into_iter();
        let is_global = |task: &TaskId| Some(task) == self.keeper.maker.global().as_ref();
        let moves = |task: &TaskId| {
            !is_global(task) && !self.coming.contains_key(task) && !self.staff.moving.contains_key(task)
        };
        tasks.filter(moves).collect()
    }

    /// Goes on with what is under way.
    pub(super) fn look_after_staff(&mut self) {
        // What the group asked for comes first.
        if !self.staff.is_busy() || self.leaving.is_some() {
            return;
        }
        let leaving: Vec<usize> = self.staff.leaving.keys().copied().collect();
        for worker in leaving {
            for task in self.movable(worker) {
                let to = self.crew.least_busy();
                self.staff.moving.insert(task, Move { to, told: false });
            }
            // A task may be on its way to it, too.
            let awaits = self.staff.moving.values().any(|moving| moving.told && moving.to == worker);
            if self.crew.tasks_of(worker).is_empty() && !awaits {
                self.crew.post(worker).inbox.close();
                self.crew.post(worker).session.wake();
            }
        }
        let untold: Vec<(TaskId, usize)> = {
            let untold = self.staff.moving.iter_mut().filter(|(_, moving)| !moving.told);
            untold
                .map(|(task, moving)| {
                    moving.told = true;
                    (task.clone(), moving.to)
                })
                .collect()
        };
        untold.into_iter().for_each(|(task, to)| self.move_task(task, to));
    }

    fn move_task(&mut self, task: TaskId, to: usize) {
        let to = if self.crew.is_retired(to) { self.crew.least_busy() } else { to };
        let Some(from) = self.crew.place_of(&task) else {
            self.staff.has_moved(&task);
            return;
        };
        if from == to {
            self.staff.has_moved(&task);
            let keep = move |executor: &mut Executor| {
                executor.keep(&task);
                Ok(())
            };
            self.crew.tell(from, Box::new(keep));
            return;
        }
        self.staff.moving.insert(task.clone(), Move { to, told: true });
        let (crew, shared, tell) = (self.crew.clone(), self.keeper.shared.clone(), self.keeper.tell.clone());
        let hand_over = move |executor: &mut Executor| {
            executor.commit()?;
            let Some(ready) = executor.hand_over(&task) else {
                // The keeper ends after the workers.
                let _ = tell.send(Event::NotYet(task));
                return Ok(());
            };
            shared.committed.move_to(&shared.stores_of(&task), task.partition, crew.post(to).gate.number());
            let (adopted, arrives) = (task.clone(), tell);
            let adopt = move |executor: &mut Executor| {
                executor.adopt(ready)?;
                let _ = arrives.send(Event::Adopted(adopted));
                Ok(())
            };
            // Questions that come from now on stand behind it.
            crew.tell(to, Box::new(adopt));
            crew.place(task, to);
            Ok(())
        };
        self.crew.tell(from, Box::new(hand_over));
    }

    /// A worker has ended.
    pub(super) fn worker_ended(&mut self, worker: usize) {
        let Some(staffed) = self.staff.leaving.remove(&worker) else { return };
        self.staff.free.push(self.crew.post(worker).session.clone());
        if let Some(staffed) = staffed {
            // Whoever asked may have gone.
            let _ = staffed.send(Ok(self.crew.working().len()));
        }
    }
}

/// How many workers get tasks now.
pub(in crate::runtime) fn workers(crew: Option<Arc<Crew>>) -> usize {
    crew.map_or(0, |crew| crew.working().len())
}
