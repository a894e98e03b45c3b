//! Tasks, their log, and the steps between two commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smallvec::SmallVec;
use tidemill_dsl::mutants::{Mutant, is_planted};
use tidemill_dsl::processor::CallChanges;
use tidemill_dsl::record::{Batch, Offset, Timestamp, TopicName, TopicPartition};
use tidemill_dsl::state::Checkpoint;

use super::activity::{Activity, Spending, TaskTimes};
use super::held::{Early, Held};
use super::origin::Origin;
use super::purge::Purge;
use super::ready::{self, Origins, ReadyTask, Restorer};
use super::refill;
use super::reset::{Beginning, beginning};
use super::{Answers, Caller, Chooser, Restoring, Step, Trace, TraceEvent};
use crate::clock::Clock;
use crate::error::Error;
use crate::log::{Append, EndWatch, InputProgress, Log, LogErrorKind, OwnRecords, Progress, Session};
use crate::task::{Readiness, Task, TaskId};

/// How an executor works.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long work may stay uncommitted.
    pub commit_interval: Duration,
    /// How many bytes of a partition are fetched at once.
    pub fetch_bytes: usize,
    /// How many records of a task are processed in one step at most.
    pub step_records: u32,
    /// After how many changed rows a store on disk is flushed, at the next commit.
    pub flush_rows: usize,
    /// How many bytes the rows of stores on disk may take in memory, all together. An epoch whose records take a quarter of
    /// it is committed before its time.
    pub row_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            commit_interval: Duration::from_millis(100),
            fetch_bytes: 1 << 20,
            step_records: 1_000,
            flush_rows: 200_000,
            row_bytes: 128 << 20,
        }
    }
}

/// Ends an epoch for an executor, alone or together with others.
pub trait Committer: Send + Sync {
    /// Commits what the executor contributes; returns when the epoch is committed.
    fn commit(&self, progress: Progress) -> Result<(), Error>;

    /// Says how far the global stores are: at the start, and after commits. That is no part of the application's progress,
    /// because every process reads all of their topics.
    fn reached(&self, _globals: &BTreeMap<TopicPartition, InputProgress>) {}

    /// Whether another executor waits for this one to commit.
    fn requested(&self) -> bool {
        false
    }
}

/// One executor alone commits straight to its session.
impl Committer for Arc<dyn Session> {
    fn commit(&self, progress: Progress) -> Result<(), Error> {
        Ok(Session::commit(&**self, &progress)?)
    }
}

/// A task with what connects it to the log.
pub(super) struct Driven {
    pub(super) task: Task,
    /// What calls know it by; unlike its place it never changes.
    pub(super) key: usize,
    /// By queue.
    pub(super) ends: Vec<Option<EndWatch>>,
    origins: Origins,
    /// Whether it takes no more records, because it is about to be handed over.
    pub(super) held: bool,
    pub(super) times: TaskTimes,
}

/// Drives tasks against a log.
pub struct Executor {
    log: Arc<dyn Log>,
    session: Arc<dyn Session>,
    committer: Arc<dyn Committer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Settings,
    pub(super) tasks: Vec<Driven>,
    /// The key of the next task.
    next_key: usize,
    pub(super) held: Held,
    pub(super) early: Early,
    pub(super) spending: Spending,
    enabled: Vec<Step>,
    committed_at: Timestamp,
    purge: Purge,
    trace: Option<Box<dyn Trace>>,
    /// Ends a step that processes records, when it becomes true.
    interrupt: Arc<AtomicBool>,
    /// Does the work of calls; without one they stay open.
    caller: Option<Box<dyn Caller>>,
    answers: Answers,
    /// Whether records and timers wait.
    pub(super) paused: bool,
}

impl Executor {
    /// An executor without tasks.
    pub fn new(
        log: Arc<dyn Log>,
        session: Arc<dyn Session>,
        committer: Arc<dyn Committer>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        let committed_at = clock.now();
        let (tasks, enabled) = (Vec::new(), Vec::new());
        let (held, early) = (Held::default(), Early::default());
        let (purge, interrupt) = (Purge::default(), Arc::default());
        Executor {
            log,
            session,
            committer,
            clock,
            settings,
            tasks,
            next_key: 0,
            held,
            early,
            spending: Spending::new(committed_at),
            enabled,
            committed_at,
            purge,
            trace: None,
            interrupt,
            caller: None,
            answers: Answers::default(),
            paused: false,
        }
    }

    /// Deletes the records of these topics when they were processed: nobody else reads them.
    pub fn purge(&mut self, topics: impl IntoIterator<Item = TopicName>) {
        self.purge.topics.extend(topics);
    }

    /// Ends a step that processes records behind the record during which `flag` became true.
    pub fn interrupt(&mut self, flag: Arc<AtomicBool>) {
        self.interrupt = flag;
    }

    /// Has the calls of tasks made by `caller`; their answers come to `answers`.
    pub fn calls(&mut self, caller: impl Caller + 'static, answers: Answers) {
        self.caller = Some(Box::new(caller));
        self.answers = answers;
    }

    /// How many calls of the tasks are open.
    pub fn open_calls(&mut self) -> usize {
        self.tasks().map(|task| task.state().open_calls()).sum()
    }

    /// Hands on what has become of a task's calls.
    fn pass_calls(&mut self, number: usize) {
        let Some(caller) = &mut self.caller else { return };
        let Driven { task, key, .. } = &mut self.tasks[number];
        let CallChanges { made, ended } = task.take_calls();
        made.into_iter().for_each(|call| caller.make(*key, call));
        ended.into_iter().for_each(|call| caller.end(*key, call));
    }

    fn answer(&mut self, now: Timestamp) -> Result<(), Error> {
        let Some((key, call, answer)) = self.answers.take() else { return Ok(()) };
        // The task may have left since.
        let Some(number) = self.tasks.iter().position(|driven| driven.key == key) else { return Ok(()) };
        let task = &mut self.tasks[number].task;
        task.state().set_now(now);
        task.answer(call, answer)?;
        let id = task.id().clone();
        self.pass_calls(number);
        self.stage_step(number, id)
    }

    /// Sends an event to `trace` for everything that happens from now on.
    pub fn trace(&mut self, trace: impl Trace + 'static) {
        self.trace = Some(Box::new(trace));
    }

    /// Adds a task: restores its stores, sets its inputs to where the application was at its last commit, and takes it over.
    /// Gives the number of records that this took.
    pub fn add_task(&mut self, task: Task, application: &str, progress: &Progress) -> Result<u64, Error> {
        let restorer = Restorer::new(self.log.clone(), self.clock.clone(), application, self.settings);
        let ready = restorer.restore(task, progress, &Restoring::default())?;
        let restored = ready.restored();
        self.adopt(ready)?;
        Ok(restored)
    }

    /// Takes over a task that is ready: begins to read its inputs.
    pub fn adopt(&mut self, ready: ReadyTask) -> Result<(), Error> {
        let ReadyTask { task, origins, .. } = ready;
        let mut ends = Vec::new();
        for (queue, input, from) in ready::inputs(&task) {
            ends.resize(queue, None);
            ends.push(Some(self.session.follow(&input, from)?));
        }
        if task.is_global() {
            let inputs = task.inputs().map(|(queue, input)| (input.clone(), task.progress_of(queue)));
            self.committer.reached(&inputs.collect());
        }
        let key = self.next_key;
        self.next_key += 1;
        let times = TaskTimes::default();
        self.tasks.push(Driven { task, key, ends, origins, held: false, times });
        self.pass_calls(self.tasks.len() - 1);
        self.look_at_rows();
        Ok(())
    }

    /// Gives up tasks, whose stores are flushed before; only right after a commit, or what they did since is gone with them.
    /// The calls that they have open are dropped.
    pub fn release(&mut self, leaves: impl Fn(&TaskId) -> bool) -> Result<(), Error> {
        let (leaving, staying) =
            std::mem::take(&mut self.tasks).into_iter().partition(|driven| leaves(driven.task.id()));
        self.tasks = staying;
        let leaving: Vec<Driven> = leaving;
        for Driven { mut task, key, origins, .. } in leaving {
            task.inputs().for_each(|(_, input)| self.session.unfollow(input));
            if let Some(caller) = &mut self.caller {
                caller.forget(key);
            }
            task.with_stores(|task| flush_stores_of(task, &origins, &*self.session, (0, self.clock.now())))?;
        }
        Ok(())
    }

    /// Hands a task over to another executor, as it is, stores and waiting records with it; call it right after a commit. A task
    /// with open calls takes no more records and stays, as their answers come to this executor: ask again when they have come.
    pub fn hand_over(&mut self, task: &TaskId) -> Option<ReadyTask> {
        let number = self.tasks.iter().position(|driven| driven.task.id() == task)?;
        self.tasks[number].held = true;
        if self.tasks[number].task.state().open_calls() > 0 {
            return None;
        }
        let Driven { task, key, origins, .. } = self.tasks.remove(number);
        task.inputs().for_each(|(_, input)| self.session.unfollow(input));
        if let Some(caller) = &mut self.caller {
            caller.forget(key);
        }
        self.look_at_rows();
        Some(ReadyTask::running(task, origins))
    }

    /// Goes on with a task that was about to be handed over.
    pub fn keep(&mut self, task: &TaskId) {
        self.tasks.iter_mut().filter(|driven| driven.task.id() == task).for_each(|driven| driven.held = false);
    }

    /// Sets how many bytes the rows of stores on disk may take.
    pub fn set_row_bytes(&mut self, row_bytes: u64) {
        self.settings.row_bytes = row_bytes;
    }

    /// The task of one sub-topology and partition, if it is here.
    pub fn task(&mut self, subtopology: usize, partition: u32) -> Option<&mut Task> {
        self.tasks().find(|task| task.id().partition == partition && task.id().subtopologies.contains(&subtopology))
    }

    /// The offset that is processed next of a partition, by the task that is behind the others; `None` when no task here
    /// reads it.
    pub fn position(&self, input: &TopicPartition) -> Option<Offset> {
        let positions = self.tasks.iter().flat_map(|Driven { task, .. }| {
            task.inputs().filter(|(_, read)| *read == input).map(|(queue, _)| task.position(queue))
        });
        positions.min()
    }

    /// The tasks.
    pub fn tasks(&mut self) -> impl Iterator<Item = &mut Task> {
        self.tasks.iter_mut().map(|driven| &mut driven.task)
    }

    /// Takes the step that `chooser` picks and says which it was; `None` when there is nothing to do now.
    pub fn step(&mut self, chooser: &mut dyn Chooser) -> Result<Option<Step>, Error> {
        let now = self.clock.now();
        self.spend_until(now);
        self.enable(now);
        let place = if self.enabled.is_empty() { None } else { chooser.choose(&self.enabled) };
        let Some(step) = place.map(|place| self.enabled[place]) else {
            self.spending.doing(Activity::Idle, None);
            return Ok(None);
        };
        self.turn_to(step);
        match step {
            Step::Fetch { task, queue } => self.fetch(task, queue)?,
            Step::Process { task } => self.process(task, now)?,
            Step::Punctuate { task } => self.punctuate(task, now)?,
            Step::Answer { .. } => self.answer(now)?,
            Step::Commit { .. } => self.commit()?,
        }
        Ok(Some(step))
    }

    /// When the next commit is due, if there is work to commit.
    pub fn commit_due_in(&self) -> Option<Duration> {
        self.has_work().then(|| self.interval_left(self.clock.now()))
    }

    /// When the next wall-clock timer of a task is due, if one is set.
    pub fn timer_due_in(&self) -> Option<Duration> {
        let working = self.tasks.iter().filter(|driven| !driven.rests(self.paused));
        let due = working.filter_map(|driven| driven.task.wall_clock_due()).min()?;
        let millis = due.as_millis().saturating_sub(self.clock.now().as_millis());
        Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
    }

    /// What is left of the commit interval.
    fn interval_left(&self, now: Timestamp) -> Duration {
        let since = now.as_millis() - self.committed_at.as_millis();
        self.settings.commit_interval.saturating_sub(Duration::from_millis(u64::try_from(since).unwrap_or(0)))
    }

    fn has_work(&self) -> bool {
        self.tasks.iter().any(|driven| driven.task.has_progress())
    }

    fn enable(&mut self, now: Timestamp) {
        self.enabled.clear();
        for (number, driven) in self.tasks.iter_mut().enumerate() {
            if driven.rests(self.paused) {
                continue;
            }
            let Driven { task, ends, .. } = driven;
            for (queue, end) in ends.iter().enumerate() {
                let Some(end) = end else { continue };
                // Records behind others change nothing, so only an empty queue is filled.
                if task.buffered(queue) == 0 {
                    let end = end.get();
                    task.learn_end(queue, end);
                    if task.fetch_position(queue) < end {
                        self.enabled.push(Step::Fetch { task: number, queue });
                    }
                }
            }
            if task.readiness() == Readiness::Ready {
                self.enabled.push(Step::Process { task: number });
            }
            if task.wall_clock_due().is_some_and(|due| due <= now) {
                self.enabled.push(Step::Punctuate { task: number });
            }
        }
        if let Some(key) = self.answers.first() {
            let task = self.tasks.iter().position(|driven| driven.key == key).unwrap_or_default();
            self.enabled.push(Step::Answer { task });
        }
        let asked = self.tasks.iter().any(|driven| driven.task.commit_requested());
        let requested = asked || self.early.due || self.committer.requested();
        if requested || self.has_work() {
            self.enabled.push(Step::Commit { due: requested || self.interval_left(now).is_zero() });
        }
    }

    fn fetch(&mut self, task: usize, queue: usize) -> Result<(), Error> {
        let Driven { task, .. } = &mut self.tasks[task];
        let from = task.fetch_position(queue);
        let Some(input) = task.inputs().find(|(number, _)| *number == queue).map(|(_, input)| input.clone()) else {
            return Ok(());
        };
        let batches = match self.session.read(&input, from, self.settings.fetch_bytes) {
            // The task was so slow that records were removed before it came to them.
            Err(cause) if cause.kind() == LogErrorKind::OutOfRange => {
                let at = task.progress_of(queue);
                let Beginning { at, is_chosen } =
                    beginning(task, (queue, &input), Some(at), &*self.log, self.clock.now())?;
                if !is_chosen {
                    return Err(cause.into());
                }
                task.reset(queue, at);
                return Ok(());
            }
            batches => batches?,
        };
        for batch in batches {
            task.enqueue(queue, &batch)?;
        }
        if let Some(trace) = &mut self.trace {
            let to = task.fetch_position(queue);
            trace.event(TraceEvent::Fetched { task: task.id().clone(), input, from, to });
        }
        Ok(())
    }

    fn process(&mut self, number: usize, now: Timestamp) -> Result<(), Error> {
        let Driven { task, ends, .. } = &mut self.tasks[number];
        task.state().set_now(now);
        let (id, trace, interrupt) = (task.id().clone(), &mut self.trace, &*self.interrupt);
        let sees_own = self.session.own_records() == OwnRecords::AtOnce;
        // A queue that becomes empty on the way ends the step; so these stay all that can have news.
        let idle: SmallVec<[(&EndWatch, Offset); 4]> = ends
            .iter()
            .enumerate()
            .filter(|(queue, _)| task.buffered(*queue) == 0)
            .filter_map(|(queue, end)| end.as_ref().map(|end| (end, task.fetch_position(queue))))
            .collect();
        task.process_many(self.settings.step_records, &mut |state| {
            if let (Some(trace), Some(address)) = (trace.as_mut(), state.address()) {
                trace.event(TraceEvent::processed(&id, address));
            }
            // Where the application's own records count from the next record on, they go out before it is chosen.
            (sees_own && state.outputs().has_own_input())
                || interrupt.load(Ordering::Relaxed)
                || idle.iter().any(|(end, fetched)| *fetched < end.get())
        })?;
        drop(idle);
        self.pass_calls(number);
        self.stage_step(number, id)?;
        self.look_at_epoch(number);
        Ok(())
    }

    fn punctuate(&mut self, number: usize, now: Timestamp) -> Result<(), Error> {
        let task = &mut self.tasks[number].task;
        task.state().set_now(now);
        task.punctuate_wall_clock()?;
        let id = task.id().clone();
        self.pass_calls(number);
        self.stage_step(number, id)
    }

    /// Stages what a step put out, as far as it should go before the commit.
    fn stage_step(&mut self, number: usize, id: TaskId) -> Result<(), Error> {
        let outputs = self.tasks[number].task.state().outputs();
        let records = match self.session.own_records() {
            OwnRecords::AtOnce => outputs.take_own_input(),
            // Records are on their way while the next ones are processed.
            OwnRecords::OnceWritten => outputs.take_all(),
            OwnRecords::AtCommit => return Ok(()),
        };
        self.stage(&id, records)
    }

    fn stage(&mut self, task: &TaskId, records: Vec<(TopicPartition, Batch)>) -> Result<(), Error> {
        for (to, records) in records {
            let (count, output) = (records.count(), to.clone());
            let bytes = records.bytes().len() as u64;
            let first = self.session.stage(Append { to, records })?;
            // What has no place before the commit is not kept by this process until then.
            self.early.staged += first.map_or(0, |_| bytes);
            if let Some(trace) = &mut self.trace {
                trace.event(TraceEvent::Appended { task: task.clone(), output, first, count });
            }
        }
        Ok(())
    }

    /// Commits what all tasks have done: outputs, changelogs, progress.
    pub fn commit(&mut self) -> Result<(), Error> {
        let begun = self.clock.now();
        let (mut progress, mut globals) = (Progress::default(), BTreeMap::new());
        for number in 0..self.tasks.len() {
            let task = &mut self.tasks[number].task;
            task.prepare_commit()?;
            let Progress { inputs, notes } = task.take_progress();
            if task.is_global() {
                globals.extend(inputs);
            } else {
                progress.inputs.extend(inputs);
                progress.notes.extend(notes);
            }
            let (id, records) = (task.id().clone(), task.state().outputs().take_all());
            self.stage(&id, records)?;
        }
        self.purge.note(&progress);
        let traced = self.trace.as_ref().map(|_| progress.clone());
        self.committer.commit(progress)?;
        if !globals.is_empty() {
            self.committer.reached(&globals);
        }
        if let (Some(trace), Some(progress)) = (&mut self.trace, traced) {
            trace.event(TraceEvent::Committed { progress });
        }
        self.committed_at = self.clock.now();
        self.spending.committed(begun, self.committed_at);
        self.purge.purge(&*self.log, self.committed_at)?;
        self.flush_stores(self.settings.flush_rows)?;
        self.keep_to_budget()
    }

    /// Flushes all stores on disk; only right after a commit. A start then has nothing to restore.
    pub fn flush_all(&mut self) -> Result<(), Error> {
        // Those too that have nothing new: they say how long ago they were up to date.
        self.flush_stores(0)
    }

    fn flush_stores(&mut self, rows: usize) -> Result<(), Error> {
        let (session, now) = (&self.session, self.clock.now());
        self.tasks.iter_mut().try_for_each(|Driven { task, origins, .. }| {
            task.with_stores(|task| flush_stores_of(task, origins, &**session, (rows, now)))
        })
    }
}

/// Flushes the stores of a task that have this many changed rows. They are up to date now.
fn flush_stores_of(
    task: &mut Task,
    origins: &[(usize, Option<Origin>)],
    session: &dyn Session,
    (rows, now): (usize, Timestamp),
) -> Result<(), Error> {
    for (number, origin) in origins {
        if task.state().store_mut(*number).is_none_or(|store| store.unflushed() < rows) {
            continue;
        }
        match origin {
            Some(origin) => {
                let mut next = origin.reached(task, session)?;
                if is_planted(Mutant::CheckpointAhead) {
                    next = next.next();
                }
                task.state().store_mut(*number).map_or(Ok(()), |store| store.flush(Checkpoint { next, at: now }))?;
            }
            None => refill::flush(task, *number, now)?,
        }
    }
    Ok(())
}
