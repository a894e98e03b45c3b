//! Takes steps, by the engine's own code.
//!
//! Rule: a task's part of a step is done by the task that applications run: it is set from its bytes, does its work, and is
//! written down again. A task that begins is restored by the runtime's executor. Only the log and the order of things are
//! imagined.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use tidemill::log::Progress;
use tidemill::mutants::{Mutant, is_planted};
use tidemill::processor::GlobalStores;
use tidemill::record::{Batch, BatchBuilder, Offset, StoredRecord, Timestamp, TopicPartition};
use tidemill::task::{Fingerprint, Readiness, Task};

use super::backend::Guarantee;
use super::event::{Event, RecordText};
use super::frozen_log::FrozenLog;
use super::images::{Committed, Images, snapshot_of};
use super::model::{Model, TaskPlace};
use super::part::Part;
use super::step::Step;
use super::world::{Member, MemberTask, PartitionLog, QueueView, RecordState, World};

/// A task of each kind, to be set to what any world says.
pub(super) struct Machine<'m> {
    pub(super) model: &'m Model,
    tasks: Vec<Scratch>,
    /// By process.
    globals: Vec<Arc<GlobalStores>>,
    /// By thread: the task of its global stores, as it is before anything happens.
    first_globals: Vec<Option<MemberTask>>,
    images: Images<'m>,
}

struct Scratch {
    task: Task,
    /// The bytes that the task is set to.
    set_to: Option<Arc<[u8]>>,
}

/// A world after a step, and what happened.
pub(super) struct Next {
    pub(super) world: World,
    pub(super) events: Vec<Event>,
}

impl<'m> Machine<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
        let globals = model.global_tasks.iter().map(|_| model.global_stores()).collect();
        let mut machine =
            Machine { model, tasks: Vec::new(), globals, first_globals: Vec::new(), images: Images::new(model) };
        machine.tasks = (0..model.tasks.len()).map(|number| machine.make_scratch(number)).collect();
        machine
    }

    fn make_scratch(&self, number: usize) -> Scratch {
        let TaskPlace { subtopologies, partition, process, .. } = &self.model.tasks[number];
        Scratch { task: self.model.make_task((subtopologies, *partition), &self.globals[*process]), set_to: None }
    }

    /// The world before anything happens.
    pub(super) fn first(&mut self, memory: Vec<u8>) -> World {
        let mut logs = vec![PartitionLog::default(); self.model.partitions.len()];
        for script in &self.model.given {
            script.records.iter().for_each(|record| {
                logs[script.log].push(record, RecordState::Committed);
            });
        }
        let mut world = World {
            logs: logs.into_iter().map(Part::new).collect(),
            sent: vec![0; self.model.scripts.len()],
            members: Vec::new(),
            committed: Part::default(),
            budgets: self.model.budgets,
            next_member: 0,
            memory,
        };
        for thread in 0..self.model.threads.len() {
            let (member, _) = self.start_member(&mut world, thread, None);
            let global = member.tasks.iter().find(|held| self.model.tasks[held.task].is_global);
            self.first_globals.push(global.cloned());
            world.members.push(Part::new(member));
        }
        for script in &self.model.early {
            script.records.iter().for_each(|record| {
                world.log_mut(script.log).push(record, RecordState::Committed);
            });
        }
        world
    }

    /// What can happen next.
    pub(super) fn steps(&mut self, world: &World) -> Vec<Step> {
        let ready: Vec<Vec<bool>> = (0..world.members.len())
            .map(|member| {
                (0..world.members[member].tasks.len()).map(|task| self.is_ready(world, member, task)).collect()
            })
            .collect();
        self.model.steps(world, |member, task| ready[member][task])
    }

    fn is_ready(&mut self, world: &World, member: usize, task: usize) -> bool {
        let held = &world.members[member].tasks[task];
        if !held.queues.iter().any(|queue| queue.waits) {
            return false;
        }
        let rules = self.model.rules;
        if !rules.idling {
            return true;
        }
        if !rules.exact_ends || !held.ready {
            return held.ready;
        }
        self.set(held);
        for (queue, log) in &self.model.tasks[held.task].inputs {
            self.tasks[held.task].task.learn_end(*queue, world.logs[*log].readable_end(rules));
        }
        let Scratch { task, set_to } = &mut self.tasks[held.task];
        *set_to = None;
        task.readiness() == Readiness::Ready
    }

    /// Sets the global stores that a member's tasks read to what they are.
    fn set_globals(&mut self, world: &World, member: usize) {
        let Some(global) = self.model.global_task(world.members[member].thread) else { return };
        // On the embedded log all members are one process, and the first one has its global stores.
        let of = if self.model.rules.one_epoch { 0 } else { member };
        let held = world.members[of].tasks.iter().find(|held| held.task == global);
        if let Some(held) = held {
            self.set(held);
        }
    }

    /// Sets a task to what a member holds, and the global stores that it reads.
    fn set_among(&mut self, world: &World, member: usize, held: &MemberTask) -> &mut Task {
        self.set_globals(world, member);
        self.set(held)
    }

    /// Sets a task to what a member holds.
    pub(super) fn set(&mut self, held: &MemberTask) -> &mut Task {
        let Scratch { task, set_to } = &mut self.tasks[held.task];
        if !set_to.as_ref().is_some_and(|bytes| Arc::ptr_eq(bytes, &held.state)) {
            task.state().set_now(held.now);
            task.restore(&held.state).unwrap_or_else(|error| panic!("{error}"));
            *set_to = Some(held.state.clone());
        }
        task.state().set_now(held.now);
        task
    }

    /// Takes a step.
    pub(super) fn take(&mut self, world: &World, step: Step) -> Next {
        let mut next = Next { world: world.clone(), events: Vec::new() };
        match step {
            Step::Arrive { member, log } => self.arrive(&mut next, member, log),
            Step::Fetch { member, task, queue } => self.fetch(&mut next, member, task, queue),
            Step::Process { member, task } => self.process(&mut next, member, task),
            Step::Send { script } => self.send(&mut next, script),
            Step::Flush { member } => self.flush(&mut next, member),
            Step::Commit { member } => self.commit(&mut next, member),
            Step::Tick { member, task } => self.tick(&mut next, member, task),
            Step::Crash { member } => self.crash(&mut next, member),
            Step::Rebalance { member } => self.rebalance(&mut next, member),
            Step::Leave { member } => self.leave(&mut next, member),
        }
        next
    }

    fn send(&self, next: &mut Next, script: usize) {
        let (log, sent) = (self.model.scripts[script].log, next.world.sent[script]);
        let offset = next.world.log_mut(log).push(&self.model.scripts[script].records[sent], RecordState::Committed);
        next.world.sent[script] += 1;
        next.events.extend([Event::Sent { log, offset }, Event::Visible { log, offset }]);
    }

    fn fetch(&mut self, next: &mut Next, member: usize, place: usize, queue: usize) {
        let held = next.world.members[member].tasks[place].clone();
        let log = self.model.tasks[held.task].inputs[&queue];
        let found = next.world.logs[log].next_readable(held.queues[queue].fetched, self.model.rules);
        let record = found.expect("a fetch is a step only where there is a record").clone();
        next.events.push(Event::Fetched { task: held.task, log, offset: record.base() });
        let fetched = self.set(&held).enqueue(queue, &record).map_err(|error| error.to_string());
        self.keep(next, member, place, fetched);
    }

    fn process(&mut self, next: &mut Next, member: usize, place: usize) {
        let held = next.world.members[member].tasks[place].clone();
        let done = self.set_among(&next.world, member, &held).process();
        if let Ok(Some(done)) = &done {
            let log = self.model.tasks[held.task].inputs[&done.queue];
            next.events.push(Event::Processed { task: held.task, log, offset: done.offset });
        }
        self.keep(next, member, place, done.map(|_| ()).map_err(|error| error.to_string()));
    }

    fn tick(&mut self, next: &mut Next, member: usize, place: usize) {
        next.world.budgets.ticks -= 1;
        let mut held = next.world.members[member].tasks[place].clone();
        held.now = held.now.max(held.timer.unwrap_or(held.now));
        next.world.member_mut(member).tasks[place].now = held.now;
        next.events.push(Event::Ticked { task: held.task });
        let fired = self.set_among(&next.world, member, &held).punctuate_wall_clock();
        self.keep(next, member, place, fired.map(|_| ()).map_err(|error| error.to_string()));
    }

    /// Writes a task down again that has done something, and sends what it wrote.
    fn keep(&mut self, next: &mut Next, member: usize, place: usize, done: Result<(), String>) {
        let held = &next.world.members[member].tasks[place];
        let (number, now) = (held.task, held.now);
        if let Err(error) = done {
            // A task that failed is of no use any more, here as in an application.
            self.tasks[number] = self.make_scratch(number);
            return next.events.push(Event::Failed { task: number, error });
        }
        let written = self.tasks[number].task.state().outputs().take_all();
        let kept = self.write_down(number, now);
        next.world.member_mut(member).tasks[place] = kept;
        self.write(next, member, number, written);
    }

    fn write_down(&mut self, number: usize, now: Timestamp) -> MemberTask {
        let inputs = &self.model.tasks[number].inputs;
        let Scratch { task, set_to } = &mut self.tasks[number];
        let mut bytes = Vec::new();
        task.snapshot(&mut bytes).unwrap_or_else(|error| panic!("{error}"));
        let state: Arc<[u8]> = bytes.into();
        *set_to = Some(state.clone());
        let queues = inputs.last_key_value().map_or(0, |(queue, _)| queue + 1);
        let view = |queue| QueueView { fetched: task.fetch_position(queue), waits: task.buffered(queue) > 0 };
        MemberTask {
            task: number,
            now,
            hash: Fingerprint::of(&state),
            state,
            ready: task.readiness() == Readiness::Ready,
            // How far global stores are is no part of what is committed.
            has_progress: task.has_progress() && !task.is_global(),
            timer: task.wall_clock_due(),
            queues: (0..queues).map(view).collect(),
        }
    }

    /// Sends what a task wrote, record by record.
    fn write(&self, next: &mut Next, member: usize, task: usize, written: Vec<(TopicPartition, Batch)>) {
        let id = next.world.members[member].id;
        for (to, batch) in written {
            let log = self.model.number(&to);
            let is_changelog = self.model.is_changelog(log);
            if is_changelog && !self.model.restores() {
                continue;
            }
            assert!(
                is_changelog || self.model.expects(task, log),
                "task {} writes to `{to}`, which no sink of it names, as a handler of errors may: explore it `without_reductions`",
                self.model.task_name(task)
            );
            for record in one_by_one(batch) {
                let text = text_of(&record);
                if !is_changelog {
                    next.events.push(Event::Wrote { task, log, record: text });
                }
                if self.model.at_once[log] {
                    append(next, log, &record, self.state_of(id));
                } else {
                    next.world.member_mut(member).sending.entry(log).or_default().push_back(record);
                }
            }
        }
    }

    /// What a record of a member is until it commits.
    fn state_of(&self, member: u32) -> RecordState {
        match self.model.rules.guarantee {
            Guarantee::AtLeastOnce => RecordState::Committed,
            Guarantee::ExactlyOnce => RecordState::Pending(member),
        }
    }

    fn arrive(&self, next: &mut Next, member: usize, log: usize) {
        let (id, tasks) = (next.world.members[member].id, tasks_of(&next.world.members[member]));
        let sending = &mut next.world.member_mut(member).sending;
        let Some(waiting) = sending.get_mut(&log) else { return };
        let record = waiting.pop_front();
        if waiting.is_empty() {
            sending.remove(&log);
        }
        let Some(record) = record else { return };
        next.events.push(Event::Arrived { tasks, log, offset: next.world.logs[log].end() });
        append(next, log, &record, self.state_of(id));
    }

    /// Lets all of a member's tasks prepare their commit, and gives their progress.
    fn prepare(&mut self, next: &mut Next, member: usize) -> Progress {
        let mut progress = Progress::default();
        for place in 0..next.world.members[member].tasks.len() {
            let held = next.world.members[member].tasks[place].clone();
            if self.model.tasks[held.task].is_global {
                continue;
            }
            let task = self.set_among(&next.world, member, &held);
            let prepared = task.prepare_commit().map_err(|error| error.to_string());
            if prepared.is_ok() {
                let Progress { inputs, notes } = task.take_progress();
                progress.inputs.extend(inputs);
                progress.notes.extend(notes);
            }
            self.keep(next, member, place, prepared);
        }
        progress
    }

    fn flush(&mut self, next: &mut Next, member: usize) {
        let progress = self.prepare(next, member);
        let member = next.world.member_mut(member);
        member.ending = Some(Arc::new(progress));
        next.events.push(Event::Flushed { tasks: tasks_of(member) });
    }

    fn commit(&mut self, next: &mut Next, member: usize) {
        match self.model.rules.guarantee {
            Guarantee::AtLeastOnce => {
                self.commit_positions(next, member);
                self.compare_flushed(next, member..member + 1);
            }
            Guarantee::ExactlyOnce => {
                let members = if self.model.rules.one_epoch { 0..next.world.members.len() } else { member..member + 1 };
                members.clone().for_each(|member| self.commit_transaction(next, member));
                self.compare_flushed(next, members);
            }
        }
    }

    /// What was sent has arrived; positions follow. The group refuses those of a former owner.
    fn commit_positions(&self, next: &mut Next, member: usize) {
        let member = next.world.member_mut(member);
        let (tasks, zombie, ending) = (tasks_of(member), member.zombie, member.ending.take());
        if zombie {
            return next.events.push(Event::Fenced { tasks });
        }
        if let Some(progress) = ending {
            next.world.commit(&progress);
        }
        next.events.push(Event::Committed { tasks });
    }

    /// Everything arrives, and becomes visible together with the positions.
    fn commit_transaction(&mut self, next: &mut Next, member: usize) {
        let progress = self.prepare(next, member);
        let (id, tasks) = (next.world.members[member].id, tasks_of(&next.world.members[member]));
        let sending = std::mem::take(&mut next.world.member_mut(member).sending);
        for (log, records) in sending {
            for record in records {
                next.events.push(Event::Arrived { tasks: tasks.clone(), log, offset: next.world.logs[log].end() });
                next.world.log_mut(log).push(&record, RecordState::Pending(id));
            }
        }
        next.events.push(Event::Committed { tasks });
        settle(next, id, RecordState::Committed);
        next.world.commit(&progress);
    }

    fn crash(&mut self, next: &mut Next, member: usize) {
        next.world.budgets.crashes -= 1;
        let members = if self.model.rules.one_epoch { 0..next.world.members.len() } else { member..member + 1 };
        for member in members.clone() {
            next.events.push(Event::Crashed { tasks: tasks_of(&next.world.members[member]) });
            self.abort(next, member);
        }
        for member in members {
            let thread = next.world.members[member].thread;
            let (begun, failed) = self.start_member(&mut next.world, thread, Some(member));
            next.world.members[member] = Part::new(begun);
            next.events.extend(failed);
        }
    }

    fn rebalance(&mut self, next: &mut Next, member: usize) {
        next.world.budgets.rebalances -= 1;
        next.events.push(Event::Moved { tasks: tasks_of(&next.world.members[member]) });
        let thread = next.world.members[member].thread;
        let (mut begun, failed) = self.start_member(&mut next.world, thread, None);
        next.events.extend(failed);
        // The other process was there before, and may have read nothing of its global stores' topics since.
        if let Some(global) = &self.first_globals[thread] {
            begun.tasks.iter_mut().filter(|held| held.task == global.task).for_each(|held| held.clone_from(global));
        }
        let mut former = std::mem::replace(&mut next.world.members[member], Part::new(begun));
        former.change().zombie = true;
        next.world.members.push(former);
    }

    fn leave(&self, next: &mut Next, member: usize) {
        next.events.push(Event::Left { tasks: tasks_of(&next.world.members[member]) });
        self.abort(next, member);
        next.world.members.remove(member);
    }

    /// What a member had not committed is gone.
    fn abort(&self, next: &mut Next, member: usize) {
        let id = next.world.members[member].id;
        next.world.member_mut(member).sending.clear();
        if self.model.rules.one_epoch {
            (0..next.world.logs.len()).for_each(|log| next.world.log_mut(log).roll_back());
        } else {
            settle(next, id, RecordState::Aborted);
        }
    }

    /// A member whose tasks are restored from what is committed, by the code that restores them in an application. Gives the
    /// tasks too that would be others with stores that lag. One that takes the place of a member has its disk.
    fn start_member(&mut self, world: &mut World, thread: usize, former: Option<usize>) -> (Member, Vec<Event>) {
        let id = world.next_member;
        world.next_member += 1;
        let log = self.frozen(world);
        let committed = Committed { log: &log, progress: &world.committed, world };
        let globals = self.model.global_stores();
        let others = self.model.threads[thread].iter().copied().filter(|number| !self.model.tasks[*number].is_global);
        let (mut tasks, mut failed) = (Vec::new(), Vec::new());
        for number in self.model.global_task(thread).into_iter().chain(others) {
            let kept =
                is_planted(Mutant::DirtyStoreKept).then(|| former.map(|former| &world.members[former])).flatten();
            let kept = kept.and_then(|former| former.tasks.iter().find(|held| held.task == number)).map(|held| {
                self.images.dirty((number, &held.state), &globals, committed).unwrap_or_else(|error| panic!("{error}"))
            });
            let restored = self.images.started(number, (&globals, kept.as_ref()), committed);
            let bytes = restored.map_err(|error| error.to_string()).and_then(|mut executor| snapshot_of(&mut executor));
            let bytes = bytes.unwrap_or_else(|error| panic!("{error}"));
            if !self.model.threads[thread].contains(&number) {
                continue;
            }
            if self.model.restores()
                && let Err(error) = self.images.compare(number, &globals, committed, &bytes)
            {
                failed.push(Event::Failed { task: number, error });
            }
            let scratch = &mut self.tasks[number].task;
            scratch.state().set_now(Timestamp::ZERO);
            scratch.restore(&bytes).unwrap_or_else(|error| panic!("{error}"));
            tasks.push(self.write_down(number, Timestamp::ZERO));
        }
        (Member { id, thread, zombie: false, tasks, sending: Default::default(), ending: None }, failed)
    }

    /// After a commit of members: what their tasks may write to their disks now is what a restored one would.
    fn compare_flushed(&mut self, next: &mut Next, members: Range<usize>) {
        // What former owners send to changelogs, with at-least-once, is in no running task.
        let is_exact = self.model.rules.guarantee == Guarantee::ExactlyOnce || self.model.budgets.rebalances == 0;
        if !self.model.restores() || !is_exact {
            return;
        }
        let log = self.frozen(&next.world);
        for member in members {
            self.set_globals(&next.world, member);
            let committed = Committed { log: &log, progress: &next.world.committed, world: &next.world };
            // Global stores are as far as their process has read: a restored one reads on.
            let of_tasks = |held: &&MemberTask| !self.model.tasks[held.task].is_global;
            for held in next.world.members[member].tasks.iter().filter(of_tasks) {
                let globals = &self.globals[self.model.tasks[held.task].process];
                if let Err(error) = self.images.compare_flushed(held.task, globals, committed, &held.state) {
                    next.events.push(Event::Failed { task: held.task, error });
                }
            }
        }
    }

    fn frozen(&self, world: &World) -> FrozenLog {
        let partition = |(log, name): (usize, &TopicPartition)| {
            let log = &world.logs[log];
            let records: Vec<Arc<Batch>> = log.committed().cloned().collect();
            (name.clone(), (records.last().map_or(Offset::ZERO, |last| last.end()), records))
        };
        FrozenLog { partitions: Arc::new(self.model.partitions.iter().enumerate().map(partition).collect()) }
    }
}

fn tasks_of(member: &Member) -> Vec<usize> {
    member.tasks.iter().map(|task| task.task).collect()
}

/// Puts a record into its partition.
fn append(next: &mut Next, log: usize, record: &Arc<Batch>, state: RecordState) {
    let offset = next.world.log_mut(log).push(record, state);
    if state == RecordState::Committed {
        next.events.push(Event::Visible { log, offset });
    }
}

/// Ends a member's transaction in all partitions.
fn settle(next: &mut Next, member: u32, state: RecordState) {
    for log in 0..next.world.logs.len() {
        if !next.world.logs[log].has_pending() {
            continue;
        }
        let before: Vec<Offset> = next.world.logs[log].committed().map(|record| record.base()).collect();
        next.world.log_mut(log).settle(member, state);
        // A record becomes visible when nothing before it is open any more.
        let now = next.world.logs[log].committed().map(|record| record.base()).collect::<Vec<_>>();
        next.events.extend(now[before.len()..].iter().map(|offset| Event::Visible { log, offset: *offset }));
    }
}

/// The records of a batch, each as a batch of its own.
pub(super) fn one_by_one(batch: Batch) -> VecDeque<Arc<Batch>> {
    let mut records = VecDeque::new();
    let split = |_, record: StoredRecord<'_>| {
        let mut one = BatchBuilder::default();
        one.push_stored(&record);
        records.push_back(Arc::new(one.finish(Offset::ZERO)));
        Ok::<_, std::convert::Infallible>(())
    };
    let Ok(()) = Arc::new(batch).for_each(split);
    records
}

/// The only record of a batch, in words.
pub(super) fn text_of(record: &Arc<Batch>) -> RecordText {
    record.records().peek().map(|record| RecordText::of(&record)).expect("a batch of one record")
}
