//! What can happen next.

use tidemill::mutants::{Mutant, is_planted};

use super::backend::Guarantee;
use super::model::Model;
use super::world::{Member, World};

/// Something that can happen. Members are named by their place in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What was sent first to a partition arrives there.
    Arrive { member: usize, log: usize },
    /// A task fetches the next record of a queue that has none.
    Fetch { member: usize, task: usize, queue: usize },
    /// A task processes the record whose turn it is.
    Process { member: usize, task: usize },
    /// The next record of a script is sent.
    Send { script: usize },
    /// A member begins to commit: caches and changelogs are sent.
    Flush { member: usize },
    /// A commit ends. On the embedded log it is that of all members.
    Commit { member: usize },
    /// The wall clock of a task moves on to its next timer.
    Tick { member: usize, task: usize },
    /// A member dies and begins anew.
    Crash { member: usize },
    /// A member's tasks go to another one; it does not notice.
    Rebalance { member: usize },
    /// A member without tasks notices, or dies.
    Leave { member: usize },
}

impl Step {
    /// Whether it is one of those that happen seldom.
    pub(super) fn is_fault(self) -> bool {
        matches!(self, Step::Crash { .. } | Step::Rebalance { .. } | Step::Tick { .. })
    }
}

impl Model {
    /// What can happen in a world, the most ordinary first: what was sent arrives, tables are fetched before streams, records
    /// are processed, and commits come late. Before anything else: a task that fails has no further steps.
    ///
    /// A fetch brings one record, and only into an empty queue: a record behind another one changes neither the head, nor
    /// whether the task may run, nor what it chooses. So "what had a poll brought?" is the question whether the next record
    /// of an empty queue is there yet.
    pub(super) fn steps(&self, world: &World, ready: impl Fn(usize, usize) -> bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let members = || world.members.iter().enumerate();
        for (place, member) in members() {
            steps.extend(member.sending.keys().map(|log| Step::Arrive { member: place, log: *log }));
        }
        for (place, member) in members().filter(|(_, member)| member.ending.is_none()) {
            self.fetches(world, place, member, &mut steps);
        }
        for (place, member) in members().filter(|(_, member)| member.ending.is_none()) {
            let tasks = (0..member.tasks.len()).filter(|task| ready(place, *task));
            steps.extend(tasks.map(|task| Step::Process { member: place, task }));
        }
        for (script, sent) in world.sent.iter().enumerate() {
            // On the embedded log a send waits for the epoch that has staged records in the partition.
            let blocked = self.rules.one_epoch && world.logs[self.scripts[script].log].has_pending();
            if *sent < self.scripts[script].records.len() && !blocked {
                steps.push(Step::Send { script });
            }
        }
        self.commits(world, &mut steps);
        for (place, member) in members() {
            self.faults(world, place, member, &mut steps);
        }
        steps
    }

    fn fetches(&self, world: &World, place: usize, member: &Member, steps: &mut Vec<Step>) {
        for (task, held) in member.tasks.iter().enumerate() {
            for (queue, log) in &self.tasks[held.task].fetch_order {
                let view = held.queues[*queue];
                if (!view.waits || !self.reduces) && world.logs[*log].next_readable(view.fetched, self.rules).is_some()
                {
                    steps.push(Step::Fetch { member: place, task, queue: *queue });
                }
            }
        }
    }

    fn commits(&self, world: &World, steps: &mut Vec<Step>) {
        if self.rules.one_epoch {
            let due = world.members.iter().any(|member| member.has_progress());
            steps.extend(due.then_some(Step::Commit { member: 0 }));
            return;
        }
        if !self.commits_show {
            return;
        }
        for (place, member) in world.members.iter().enumerate() {
            match self.rules.guarantee {
                // What a transaction sends is read by nobody before its end, so its parts are one step.
                Guarantee::ExactlyOnce
                    if member.has_progress() && (!member.zombie || is_planted(Mutant::ZombieCommits)) =>
                {
                    steps.push(Step::Commit { member: place });
                }
                Guarantee::AtLeastOnce
                    if member.ending.is_some() && (member.sending.is_empty() || is_planted(Mutant::PositionsFirst)) =>
                {
                    steps.push(Step::Commit { member: place });
                }
                Guarantee::AtLeastOnce if member.ending.is_none() && member.has_progress() => {
                    steps.push(Step::Flush { member: place });
                }
                _ => {}
            }
        }
    }

    fn faults(&self, world: &World, place: usize, member: &Member, steps: &mut Vec<Step>) {
        let budgets = world.budgets;
        for (task, held) in member.tasks.iter().enumerate() {
            if budgets.ticks > 0 && held.timer.is_some() && member.ending.is_none() {
                steps.push(Step::Tick { member: place, task });
            }
        }
        if member.zombie {
            steps.push(Step::Leave { member: place });
            return;
        }
        // On the embedded log one process has all members, so one crash is that of all.
        if budgets.crashes > 0 && (place == 0 || !self.rules.one_epoch) {
            steps.push(Step::Crash { member: place });
        }
        if budgets.rebalances > 0 && !self.rules.one_epoch {
            steps.push(Step::Rebalance { member: place });
        }
    }
}
