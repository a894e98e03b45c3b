//! One membership, from joining to leaving or losing it.

mod staff;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_dsl::processor::{GlobalStores, PartitionCounts};
use tidemill_dsl::record::{TopicName, TopicPartition};

use super::AppState;
use super::crew::Crew;
use super::instances::standbys_of;
use super::keeper::{Event, Keeper};
use super::metrics::report;
use super::restorers::{Done, Job, Restorers};
use super::standbys::{StandbyThread, Standbys};
use super::worker;
use crate::error::{Error, ErrorKind};
use crate::exec::{Executor, ReadyTask, Restoring};
use crate::log::{Change, Membership, Progress};
use crate::task::TaskId;
use staff::Staff;

pub(super) use staff::{Staffed, Staffing, workers};

/// Threads that restore tasks, with fewer workers too: restoring is waiting for the log as much as it is work.
const RESTORERS_MIN: usize = 4;
/// How soon what is under way between workers is looked at again.
const A_MOMENT: Duration = Duration::from_millis(20);

pub(super) struct Term<'a> {
    keeper: &'a mut Keeper,
    crew: Arc<Crew>,
    membership: Box<dyn Membership>,
    restorers: Option<Restorers>,
    standbys: Arc<Standbys>,
    /// Keeps the standbys.
    following: Option<StandbyThread>,
    /// What was known of the others when it was last said which standbys are to be kept.
    placed: Option<(u64, BTreeSet<TaskId>)>,
    workers: Vec<JoinHandle<()>>,
    /// How many workers have not ended.
    running: usize,
    owned: BTreeSet<TopicPartition>,
    /// The tasks that are not with a worker yet.
    coming: BTreeMap<TaskId, Arc<Restoring>>,
    /// What is under way between workers.
    staff: Staff,
    /// What is still to be given up before a revocation can be answered.
    leaving: Option<Leaving>,
    /// Whether a share was assigned: it may be empty.
    has_share: bool,
    restored: u64,
    /// The worker that was warned of last because it is slow.
    warned: Option<usize>,
    /// Whether a worker is not waited for at the end, because it may never end.
    stuck: bool,
    /// Open while tasks are on their way.
    rebalance: Option<tracing::Span>,
}

/// A revocation that is not answered yet.
#[derive(Default)]
struct Leaving {
    /// Workers that have not given up their tasks yet, and how often each was told to.
    workers: BTreeMap<usize, usize>,
    /// Tasks whose restore has not ended yet.
    tasks: BTreeSet<TaskId>,
}

impl Leaving {
    fn has_released(&mut self, worker: usize) {
        if let Some(left) = self.workers.get_mut(&worker) {
            *left -= 1;
            if *left == 0 {
                self.workers.remove(&worker);
            }
        }
    }
}

impl<'a> Term<'a> {
    /// Joins, runs what is assigned, and leaves when the application is closed. An error of the kind `Lost` means that
    /// everything since the last commit is void.
    pub(super) fn serve(keeper: &'a mut Keeper) -> Result<(), Error> {
        let begun = Term::global(keeper).and_then(|globals| Ok((globals, keeper.shared.log.join(&keeper.member)?)));
        let begun = begun.inspect_err(|error| {
            keeper.goes_on_after(error);
        });
        let ((globals, global), membership) = begun?;
        let mut term = Term::of(keeper, membership);
        let outcome = term.start(&globals, global).and_then(|()| term.run());
        if let Err(error) = &outcome {
            // Users see at once that it is over, however long the threads take to end.
            if !term.keeper.goes_on_after(error) && error.kind() != ErrorKind::Lost {
                term.keeper.shared.fail(error);
            }
            term.crew.end(error);
        }
        term.end(outcome)
    }

    /// The global stores, restored before anything else: any task may read them.
    fn global(keeper: &Keeper) -> Result<(Arc<GlobalStores>, Option<ReadyTask>), Error> {
        let globals = keeper.shared.topology.global_stores();
        let restore = |task: TaskId| {
            let task = keeper.maker.make(&task, &globals)?;
            keeper.restorer().restore(task, &Progress::default(), &Restoring::default())
        };
        let global = keeper.maker.global().map(restore).transpose()?;
        Ok((globals, global))
    }

    fn of(keeper: &'a mut Keeper, membership: Box<dyn Membership>) -> Self {
        let crew = Arc::new(Crew::of(&*membership, keeper.member.workers, keeper.shared.clock.now()));
        let standbys: Arc<Standbys> = Arc::default();
        keeper.shared.set_crew(Some(crew.clone()));
        keeper.shared.set_standbys(Some(standbys.clone()));
        Term {
            keeper,
            crew,
            membership,
            restorers: None,
            standbys,
            following: None,
            placed: None,
            workers: Vec::new(),
            running: 0,
            owned: BTreeSet::new(),
            coming: BTreeMap::new(),
            staff: Staff::default(),
            leaving: None,
            has_share: false,
            restored: 0,
            warned: None,
            stuck: false,
            rebalance: None,
        }
    }

    /// Starts the threads.
    fn start(&mut self, globals: &Arc<GlobalStores>, global: Option<ReadyTask>) -> Result<(), Error> {
        let tell = self.keeper.tell.clone();
        // The keeper ends after its threads.
        let done: Done = Arc::new(move |task, made| drop(tell.send(Event::Made(task, made))));
        let workers = self.keeper.member.workers;
        let (maker, restorer) = (&self.keeper.maker, self.keeper.restorer());
        let restorers = workers.max(RESTORERS_MIN);
        self.restorers = Some(Restorers::start(restorers, maker, (globals, &self.standbys), &restorer, &done)?);
        if self.keeper.shared.standbys_wanted > 0 && self.keeper.shared.registry.is_some() {
            let (standbys, shared, maker) = (self.standbys.clone(), self.keeper.shared.clone(), maker.clone());
            let settings = self.keeper.settings;
            self.following = Some(StandbyThread::start(standbys, shared, maker, globals.clone(), settings)?);
        }
        (0..workers).try_for_each(|number| self.start_worker(number))?;
        if let Some(global) = global {
            self.restored += global.restored();
            self.coming.insert(global.id().clone(), Arc::default());
            self.adopt(global, 0);
        }
        Ok(())
    }

    fn start_worker(&mut self, number: usize) -> Result<(), Error> {
        let (shared, crew, settings) = (self.keeper.shared.clone(), self.crew.clone(), self.keeper.settings);
        let tell = self.keeper.tell.clone();
        let body = move || {
            let ended = worker::run(&shared, &crew, number, settings);
            // What the worker had is gone before the keeper learns that it has ended.
            drop((shared, crew));
            let _ = tell.send(Event::Ended(number, ended));
        };
        let thread = std::thread::Builder::new().name(format!("tidemill-{number}")).spawn(body);
        let thread =
            thread.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        self.workers.push(thread);
        self.running += 1;
        Ok(())
    }

    /// Serves until all workers have ended.
    fn run(&mut self) -> Result<(), Error> {
        let every = self.membership.call_every();
        while self.running > 0 {
            while let Some(change) = self.membership.next()? {
                self.change(change)?;
            }
            if let Some(event) = self.keeper.event(self.listen_for(every)) {
                self.event(event)?;
            }
            self.look_whether_ready();
            self.place_standbys();
            self.look_after_staff();
            self.look_for_topics();
            self.look_for_stuck(every)?;
        }
        Ok(())
    }

    /// How long it may be listened for events before something else is due.
    fn listen_for(&self, every: Option<Duration>) -> Option<Duration> {
        let moving = self.staff.is_busy().then_some(A_MOMENT);
        let topics = self.keeper.topics_due().filter(|_| self.leaving.is_none());
        [every, moving, topics].into_iter().flatten().min()
    }

    /// A worker that is too long at one record would keep its partitions from everybody: the process leaves, and others go on.
    fn look_for_stuck(&mut self, every: Option<Duration>) -> Result<(), Error> {
        if every.is_none() {
            return Ok(());
        }
        let (limit, now) = (self.keeper.stuck_after, self.keeper.shared.clock.now());
        let Some((worker, since)) = self.crew.slowest(now).filter(|(_, since)| *since > limit / 2) else {
            return Ok(());
        };
        let tasks = self.crew.tasks_of(worker);
        if since <= limit {
            if self.warned != Some(worker) {
                tracing::warn!(
                    worker,
                    ?since,
                    ?tasks,
                    "a worker has been at one record, or one commit, for a long time"
                );
            }
            self.warned = Some(worker);
            return Ok(());
        }
        self.stuck = true;
        let tasks: Vec<String> = tasks.iter().map(ToString::to_string).collect();
        let message = format!(
            "worker {worker} with the tasks {} has been at one record, or one commit, for {since:?}, longer than \
             `Settings::stuck_after` ({limit:?}): the process gave its partitions to the others; make the work of a record shorter, or \
             the limit longer",
            tasks.join(", ")
        );
        Err(Error::new(ErrorKind::TimedOut, message))
    }

    fn change(&mut self, change: Change) -> Result<(), Error> {
        match change {
            Change::Assigned(partitions) => {
                self.has_share = true;
                self.owned.extend(partitions.iter().cloned());
                let is_ending = self.keeper.is_closing() || self.keeper.next_shape.is_some();
                if is_ending { Ok(()) } else { self.take_tasks(&partitions) }
            }
            Change::Revoked(partitions) => {
                self.rebalancing();
                self.owned.retain(|partition| !partitions.contains(partition));
                self.give_up_tasks();
                self.answer_revocation()
            }
            Change::Lost(reason) => Err(Error::new(ErrorKind::Lost, reason)),
        }
    }

    fn event(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Made(task, made) => return self.made(task, made),
            Event::Adopted(task) => {
                self.coming.remove(&task);
                self.keeper.shared.has_moved();
                if self.staff.has_moved(&task) {
                    return self.release_after_move(&task);
                }
            }
            Event::NotYet(task) => {
                if self.is_wanted_back(&task) {
                    self.staff.has_moved(&task);
                    return self.release_after_move(&task);
                }
                self.staff.ask_again(&task);
            }
            Event::Staff(staffing, staffed) => return self.staff(staffing, staffed),
            Event::Released(worker) => {
                self.leaving.as_mut().into_iter().for_each(|leaving| leaving.has_released(worker));
                self.keeper.shared.has_moved();
                return self.answer_revocation();
            }
            Event::Ended(worker, ended) => {
                self.running -= 1;
                self.worker_ended(worker);
                return ended;
            }
            Event::Paced(seen) => {
                self.look_whether_ready();
                // Whoever asked may have gone.
                let _ = seen.send(());
            }
            Event::Close => self.close(),
        }
        Ok(())
    }

    /// Tasks are on their way.
    fn rebalancing(&mut self) {
        let application = &*self.keeper.shared.application;
        self.rebalance.get_or_insert_with(|| tracing::info_span!("rebalance", application));
        self.keeper.rebalancing();
    }

    /// Has the workers make their last commit and end.
    fn close(&mut self) {
        self.coming.values().for_each(|restoring| restoring.cancel());
        self.crew.close();
    }

    /// Ends the term, in peace, when sources by pattern read other topics than before.
    fn look_for_topics(&mut self) {
        if self.leaving.is_none() && self.keeper.finds_topics() {
            self.rebalancing();
            self.close();
        }
    }

    /// Says which tasks of others are to be kept here, when something has changed.
    fn place_standbys(&mut self) {
        // What is given up just now is still open.
        if self.following.is_none() || self.leaving.is_some() || self.keeper.is_closing() {
            return;
        }
        let shared = &self.keeper.shared;
        let Some(version) = shared.registry.as_ref().map(|registry| registry.version()) else { return };
        let mut own = self.crew.tasks();
        own.extend(self.coming.keys().cloned());
        let known = (version, own);
        let is_settled = self.placed.as_ref() == Some(&known);
        if is_settled {
            return;
        }
        let counts = &self.keeper.maker.topics;
        let shape = shared.shape();
        let all = shape.reads.all_tasks(|topic: &TopicName| counts.partitions(topic).unwrap_or(0));
        let all: Vec<(TaskId, u32)> = all
            .into_iter()
            .map(|task| {
                let partitions = task.subtopologies.first().map_or(0, |sub| shape.tasks[*sub]);
                (task, partitions)
            })
            .collect();
        let mut wanted = standbys_of(&shared.instance, &shared.instances(), &all, shared.standbys_wanted);
        let with_state = |task: &TaskId| !shared.stores_of(task).is_empty();
        wanted.retain(|task| !known.1.contains(task) && with_state(task));
        self.standbys.want(&wanted, |task| self.coming.contains_key(task));
        // One that is being closed can only be opened again afterwards.
        self.placed = (self.standbys.tasks().is_superset(&wanted)).then_some(known);
        shared.has_moved();
    }

    /// The tasks whose inputs are all here.
    fn entitled(&self) -> BTreeSet<TaskId> {
        let shared = &self.keeper.shared;
        let counts = &self.keeper.maker.topics;
        let count = |topic: &TopicName| counts.partitions(topic).unwrap_or(0);
        shared.shape().reads.tasks(&self.owned, count)
    }

    /// Has tasks made ready that are new here.
    fn take_tasks(&mut self, assigned: &[TopicPartition]) -> Result<(), Error> {
        let placed = self.crew.tasks();
        let new: Vec<TaskId> = self
            .entitled()
            .into_iter()
            .filter(|task| !placed.contains(task) && !self.coming.contains_key(task))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        self.rebalancing();
        // Read now: whoever had the partitions before has committed by now.
        let shared = &self.keeper.shared;
        let now = shared.clock.now();
        let progress = Arc::new(shared.log.progress(&shared.application)?);
        let reached = progress.inputs.iter().filter(|(input, _)| assigned.contains(input));
        shared.committed.reached(&reached.map(|(input, at)| (input.clone(), *at)).collect());
        for task in new {
            let watched: Arc<Restoring> = Arc::default();
            self.coming.insert(task.clone(), watched.clone());
            self.keeper.shared.restores.begin(task.clone(), watched.clone(), now);
            if let Some(restorers) = &self.restorers {
                restorers.add(Job { task, progress: progress.clone(), watched });
            }
        }
        Ok(())
    }

    fn made(&mut self, task: TaskId, made: Result<Box<ReadyTask>, Error>) -> Result<(), Error> {
        self.keeper.shared.restores.end(&task);
        let is_wanted = self.coming.get(&task).is_some_and(|restoring| !restoring.is_cancelled());
        if !is_wanted {
            // Its stores are closed before the revocation is answered.
            drop(made);
            self.coming.remove(&task);
            self.leaving.as_mut().map(|leaving| leaving.tasks.remove(&task));
            return self.answer_revocation();
        }
        let ready = made?;
        self.restored += ready.restored();
        self.keeper.shared.restores.add(ready.restored());
        let worker = self.crew.least_busy();
        self.adopt(*ready, worker);
        Ok(())
    }

    fn adopt(&mut self, ready: ReadyTask, worker: usize) {
        let (task, tell) = (ready.id().clone(), self.keeper.tell.clone());
        self.crew.place(task.clone(), worker);
        // Whoever watches what is here has more to watch.
        self.keeper.shared.committed.stir();
        let adopt = move |executor: &mut Executor| {
            executor.adopt(ready)?;
            // The keeper ends after the workers.
            let _ = tell.send(Event::Adopted(task));
            Ok(())
        };
        // A worker that is gone says so by itself.
        self.crew.tell(worker, Box::new(adopt));
    }

    /// Lets workers commit and give up what is not owned any more.
    fn give_up_tasks(&mut self) {
        let (entitled, placed) = (self.entitled(), self.crew.tasks());
        let is_global = |task: &TaskId| Some(task) == self.keeper.maker.global().as_ref();
        let gone: BTreeSet<TaskId> = placed.difference(&entitled).filter(|task| !is_global(task)).cloned().collect();
        let mut leaving = Leaving::default();
        for (task, restoring) in
            self.coming.iter().filter(|(task, _)| !entitled.contains(*task) && !gone.contains(*task))
        {
            if !is_global(task) {
                restoring.cancel();
                leaving.tasks.insert(task.clone());
            }
        }
        self.leaving = Some(leaving);
        self.release_from_workers(gone);
    }

    /// Lets workers commit and give up tasks; those that are on their way between two do it when they have arrived.
    fn release_from_workers(&mut self, tasks: BTreeSet<TaskId>) {
        let mut by_worker: BTreeMap<usize, BTreeSet<TaskId>> = BTreeMap::new();
        let leaving = self.leaving.get_or_insert_default();
        for task in tasks {
            self.coming.remove(&task);
            if self.staff.is_under_way(&task) {
                leaving.tasks.insert(task);
            } else if let Some(worker) = self.crew.displace(&task) {
                by_worker.entry(worker).or_default().insert(task);
            }
        }
        for (worker, tasks) in by_worker {
            *leaving.workers.entry(worker).or_default() += 1;
            let (tell, shared) = (self.keeper.tell.clone(), self.keeper.shared.clone());
            let release = move |executor: &mut Executor| {
                executor.commit()?;
                report(&shared, worker, executor);
                tasks.iter().for_each(|task| shared.committed.remove(&shared.stores_of(task), task.partition));
                executor.release(|task| tasks.contains(task))?;
                let _ = tell.send(Event::Released(worker));
                Ok(())
            };
            self.crew.tell(worker, Box::new(release));
        }
    }

    /// Whether a task on its way between workers was revoked meanwhile.
    fn is_wanted_back(&self, task: &TaskId) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.tasks.contains(task))
    }

    /// Gives up a task that was revoked while it was on its way between workers.
    fn release_after_move(&mut self, task: &TaskId) -> Result<(), Error> {
        if self.is_wanted_back(task) {
            self.leaving.as_mut().map(|leaving| leaving.tasks.remove(task));
            self.release_from_workers(BTreeSet::from([task.clone()]));
        }
        self.answer_revocation()
    }

    fn answer_revocation(&mut self) -> Result<(), Error> {
        if self.leaving.as_ref().is_some_and(|leaving| leaving.workers.is_empty() && leaving.tasks.is_empty()) {
            self.leaving = None;
            self.membership.released()?;
        }
        Ok(())
    }

    fn look_whether_ready(&mut self) {
        let is_settled = self.coming.is_empty() && self.leaving.is_none() && self.keeper.next_shape.is_none();
        if self.has_share && is_settled {
            self.rebalance = None;
            let is_paused = self.keeper.shared.pause.is_on();
            self.keeper.shared.enter(if is_paused { AppState::Paused } else { AppState::Running });
            let restored = self.restored;
            self.keeper.tell_first(Ok(restored));
        }
    }

    /// Waits for the threads; leaves when the application was closed.
    fn end(mut self, outcome: Result<(), Error>) -> Result<(), Error> {
        self.coming.values().for_each(|restoring| restoring.cancel());
        if self.stuck {
            // Its session is fenced by whoever has its partitions next.
            self.workers.clear();
            if let Err(error) = self.membership.leave() {
                tracing::warn!(%error, "the group learns by itself that the process has left");
            }
            return outcome;
        }
        self.restorers.take();
        self.following.take();
        for thread in self.workers.drain(..) {
            // It catches its panics.
            let _ = thread.join();
        }
        let shared = &self.keeper.shared;
        shared.set_crew(None);
        shared.set_standbys(None);
        shared.committed.clear();
        shared.restores.clear();
        // Tasks that were made ready and not adopted hold their stores.
        self.keeper.forget_events();
        match outcome {
            Ok(()) => Ok(self.membership.leave()?),
            error => error,
        }
    }
}
