//! The tasks of others whose stores this process keeps close behind them, in a thread of their own.
//!
//! Rule: a task is on standby or made ready here, never both: whoever takes it away waits for what the thread is doing with it.
//! Reading waits for the network without a lock, so a look into a store waits for the rows of one batch at most.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_dsl::processor::GlobalStores;
use tidemill_dsl::record::TopicPartition;
use tidemill_dsl::state::{Direction, KeyRange, RowBytes};

use super::instances::{StandbyStore, StandbyTask};
use super::query::rows_of;
use super::shared::Shared;
use super::task_maker::TaskMaker;
use super::worker::caught;
use crate::error::{Error, ErrorKind};
use crate::exec::{Settings, Standby, StandbyOrigin};
use crate::log::Progress;
use crate::task::TaskId;

/// How long the thread pauses when nothing was new.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How much is read and applied at once: so long a look may have to wait.
const READ_BYTES: usize = 256 << 10;

/// The tasks on standby.
#[derive(Default)]
pub(super) struct Standbys {
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    kept: BTreeMap<TaskId, Arc<Slot>>,
    /// What is not wanted any more, until its stores are closed.
    leaving: BTreeMap<TaskId, Arc<Slot>>,
}

/// Wanted -> Kept -> Gone; a standby that cannot be kept is gone too.
enum Stage {
    Wanted,
    Kept(Box<Standby>),
    Gone,
}

struct Slot {
    stage: Mutex<Stage>,
    /// How far its stores were at the last look.
    told: Mutex<Vec<(TopicPartition, StandbyStore)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Standbys {
    /// Keeps these tasks from now on, and no others; but those that are `coming` stay for whoever makes them ready.
    pub(super) fn want(&self, tasks: &BTreeSet<TaskId>, coming: impl Fn(&TaskId) -> bool) {
        let mut slots = lock(&self.slots);
        let Slots { kept, leaving } = &mut *slots;
        let gone: Vec<TaskId> = kept.keys().filter(|task| !tasks.contains(*task) && !coming(task)).cloned().collect();
        for task in gone {
            leaving.extend(kept.remove_entry(&task));
        }
        for task in tasks {
            // A store that is about to be closed is wanted again a moment later.
            if !kept.contains_key(task) && !leaving.contains_key(task) {
                let slot = Slot { stage: Mutex::new(Stage::Wanted), told: Mutex::default() };
                kept.insert(task.clone(), Arc::new(slot));
            }
        }
    }

    /// The tasks that are kept.
    pub(super) fn tasks(&self) -> BTreeSet<TaskId> {
        lock(&self.slots).kept.keys().cloned().collect()
    }

    /// Gives a standby away, for its task to be made ready from it. Waits until nobody here works on its stores.
    pub(super) fn take(&self, task: &TaskId) -> Option<Standby> {
        let mut slots = lock(&self.slots);
        let slot = slots.kept.remove(task).or_else(|| slots.leaving.get(task).cloned());
        drop(slots);
        let stage = std::mem::replace(&mut *lock(&slot?.stage), Stage::Gone);
        match stage {
            Stage::Kept(standby) => Some(*standby),
            Stage::Wanted | Stage::Gone => None,
        }
    }

    /// How far each is.
    pub(super) fn now(&self) -> Vec<StandbyTask> {
        let slots = lock(&self.slots);
        let stores = |slot: &Slot| lock(&slot.told).iter().map(|(_, store)| store.clone()).collect();
        let of = |(task, slot): (&TaskId, &Arc<Slot>)| StandbyTask { task: task.clone(), stores: stores(slot) };
        slots.kept.iter().map(of).filter(|standby| !standby.stores.is_empty()).collect()
    }

    /// How far a store of a task is, if that is kept here, and what it is restored from.
    pub(super) fn reached(
        &self,
        subtopology: usize,
        partition: u32,
        store: &str,
    ) -> Option<(TopicPartition, StandbyStore)> {
        let slot = self.slot(subtopology, partition)?;
        let told = lock(&slot.told);
        told.iter().find(|(_, known)| known.store == store).cloned()
    }

    fn slot(&self, subtopology: usize, partition: u32) -> Option<Arc<Slot>> {
        let slots = lock(&self.slots);
        let is = |task: &TaskId| task.partition == partition && task.subtopologies.contains(&subtopology);
        slots.kept.iter().find(|(task, _)| is(task)).map(|(_, slot)| slot.clone())
    }

    /// Rows of a store as they are here; `None` if its task is not kept here.
    pub(super) fn rows(
        &self,
        (subtopology, partition): (usize, u32),
        store: &str,
        question: (&KeyRange, Direction, usize),
    ) -> Option<Result<Vec<RowBytes>, Error>> {
        let slot = self.slot(subtopology, partition)?;
        let mut stage = lock(&slot.stage);
        match &mut *stage {
            Stage::Kept(standby) => Some(rows_of(standby.task(), store, question)),
            Stage::Wanted | Stage::Gone => None,
        }
    }
}

/// The thread that keeps them. Dropping it flushes their stores.
pub(super) struct StandbyThread {
    ending: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread works with.
struct Following {
    standbys: Arc<Standbys>,
    shared: Arc<Shared>,
    maker: Arc<TaskMaker>,
    globals: Arc<GlobalStores>,
    settings: Settings,
}

impl StandbyThread {
    pub(super) fn start(
        standbys: Arc<Standbys>,
        shared: Arc<Shared>,
        maker: Arc<TaskMaker>,
        globals: Arc<GlobalStores>,
        settings: Settings,
    ) -> Result<StandbyThread, Error> {
        let (ending, ended) = channel();
        let following = Following { standbys, shared, maker, globals, settings };
        let thread = std::thread::Builder::new().name("tidemill-standby".into()).spawn(move || following.run(&ended));
        let thread =
            thread.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        Ok(StandbyThread { ending: Some(ending), thread: Some(thread) })
    }
}

impl Drop for StandbyThread {
    fn drop(&mut self) {
        self.ending.take();
        if let Some(thread) = self.thread.take() {
            // It catches its errors.
            let _ = thread.join();
        }
    }
}

impl Following {
    fn run(&self, ended: &Receiver<()>) {
        let mut pause = Duration::ZERO;
        while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            self.close_those_that_leave();
            let kept: Vec<(TaskId, Arc<Slot>)> =
                lock(&self.standbys.slots).kept.iter().map(|(task, slot)| (task.clone(), slot.clone())).collect();
            let mut applied = 0;
            for (task, slot) in kept {
                match caught(|| self.follow(&task, &slot)) {
                    Ok(records) => applied += records,
                    Err(error) => self.trouble(&task, &slot, &error),
                }
            }
            pause = if applied == 0 { LOOK_EVERY } else { Duration::ZERO };
        }
        self.standbys.want(&BTreeSet::new(), |_| false);
        self.close_those_that_leave();
    }

    /// What the log cannot answer now is asked again; what cannot be kept is left to whoever gets the task, and told by that.
    fn trouble(&self, task: &TaskId, slot: &Slot, error: &Error) {
        tracing::warn!(%task, %error, "a standby could not be brought up to its task");
        if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Lost) {
            *lock(&slot.stage) = Stage::Gone;
            lock(&slot.told).clear();
        }
    }

    fn close_those_that_leave(&self) {
        let leaving = lock(&self.standbys.slots).leaving.clone();
        for (task, slot) in leaving {
            let mut stage = lock(&slot.stage);
            if let Stage::Kept(standby) = &mut *stage
                && let Err(error) = standby.flush()
            {
                tracing::warn!(%task, %error, "the stores of a standby were not flushed: what they lack is read again");
            }
            *stage = Stage::Gone;
            drop(stage);
            lock(&self.standbys.slots).leaving.remove(&task);
        }
    }

    /// Brings the stores of one task further. Gives the number of records.
    fn follow(&self, task: &TaskId, slot: &Slot) -> Result<u64, Error> {
        let Some((origins, needs_progress)) = self.begin(task, slot)? else { return Ok(0) };
        let shared = &self.shared;
        let progress = if needs_progress { shared.log.progress(&shared.application)? } else { Progress::default() };
        let (mut applied, mut told) = (0, Vec::new());
        for StandbyOrigin { number, store, from } in origins {
            let (asked_at, bounds) = (shared.clock.now(), shared.log.bounds(&from)?);
            let next = match &mut *lock(&slot.stage) {
                Stage::Kept(standby) => standby.next(number, (&*shared.log, bounds, asked_at), &progress)?,
                Stage::Wanted | Stage::Gone => return Ok(0),
            };
            let Some((mut next, bounds)) = next else { continue };
            if next < bounds.end {
                let batches = shared.log.read(&from, next, READ_BYTES)?;
                let Stage::Kept(standby) = &mut *lock(&slot.stage) else { return Ok(0) };
                applied += standby.apply(number, &batches, (bounds.end, asked_at), &self.settings)?;
                next = batches.last().map_or(next, |last| last.end().min(bounds.end));
            }
            told.push((from, StandbyStore { store: store.to_string(), reached: next, end: bounds.end }));
        }
        *lock(&slot.told) = told;
        Ok(applied)
    }

    /// Opens the stores of a task that is new here; `None` when it was taken away.
    fn begin(&self, task: &TaskId, slot: &Slot) -> Result<Option<(Vec<StandbyOrigin>, bool)>, Error> {
        let mut stage = lock(&slot.stage);
        if matches!(*stage, Stage::Wanted) {
            let made = self.maker.make(task, &self.globals)?;
            *stage = Stage::Kept(Box::new(Standby::new(made, &self.shared.application)));
        }
        match &mut *stage {
            Stage::Kept(standby) => Ok(Some((standby.origins(), standby.needs_progress()))),
            Stage::Wanted | Stage::Gone => Ok(None),
        }
    }
}
