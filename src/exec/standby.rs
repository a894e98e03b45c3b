//! Keeps the stores of a task that runs in another process close behind it.
//!
//! Rule: a standby only ever has what is committed, and nothing of the program runs in it; so when its task comes here, the stores
//! are as a restore would have made them up to there, and only what lies behind is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_dsl::record::{Batch, Offset, Timestamp, TopicPartition};
use tidemill_dsl::state::Checkpoint;

use super::Settings;
use super::origin::Origin;
use super::ready::Origins;
use super::restore::{self, FLUSH_ROWS};
use crate::error::Error;
use crate::log::{Bounds, Log, Progress};
use crate::task::{Task, TaskId};

/// The stores of a task that is not run here, restored from their changelogs again and again.
pub struct Standby {
    pub(super) task: Task,
    origins: Origins,
    /// How far each store is that has been begun.
    pub(super) reached: BTreeMap<usize, Checkpoint>,
}

/// A store of a standby, and where it is restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandbyOrigin {
    /// The number of the store.
    pub number: usize,
    /// Its name.
    pub store: Arc<str>,
    /// Its changelog, or the topic that takes its place.
    pub from: TopicPartition,
}

impl Standby {
    /// A standby of a task whose stores are as they were left.
    pub fn new(mut task: Task, application: &str) -> Standby {
        let numbers: Vec<usize> = task.state().stores().map(|(number, _)| number).collect();
        let origins = numbers.into_iter().map(|number| (number, Origin::of(&mut task, number, application))).collect();
        Standby { task, origins, reached: BTreeMap::new() }
    }

    /// Which task it is.
    pub fn id(&self) -> &TaskId {
        self.task.id()
    }

    /// The task, to look into its stores.
    pub fn task(&mut self) -> &mut Task {
        &mut self.task
    }

    /// The stores that it restores. Those that a topic fills through a processor are not among them: records would have to be
    /// processed for that.
    pub fn origins(&mut self) -> Vec<StandbyOrigin> {
        let Standby { task, origins, .. } = self;
        let of = |(number, origin): &(usize, Option<Origin>)| {
            let (_, store) = task.state().stores().find(|(other, _)| other == number)?;
            let (store, from) = (store.name().clone(), origin.as_ref()?.partition().clone());
            Some(StandbyOrigin { number: *number, store, from })
        };
        origins.iter().filter_map(of).collect()
    }

    /// Whether a store is restored from a topic that the task reads: it has what the task has processed, which the application's
    /// progress says.
    pub fn needs_progress(&self) -> bool {
        self.origins.iter().any(|(_, origin)| matches!(origin, Some(Origin::Source { .. })))
    }

    /// The offset to read a store's origin from and what can be read of it, given what that has `now`. A store that it cannot have
    /// made any more is wiped.
    pub fn next(
        &mut self,
        number: usize,
        (log, bounds, now): (&dyn Log, Bounds, Timestamp),
        progress: &Progress,
    ) -> Result<Option<(Offset, Bounds)>, Error> {
        let Some((_, Some(origin))) = self.origins.iter().find(|(other, _)| *other == number) else { return Ok(None) };
        let bounds = match origin {
            Origin::Changelog(_) => bounds,
            Origin::Source { input, .. } => {
                let Bounds { start, end } = bounds;
                let committed = progress.inputs.get(input).map_or(start, |at| at.next);
                Bounds { start, end: committed.clamp(start, end) }
            }
        };
        let reached = self.reached.get(&number).copied();
        let from = origin.partition();
        let next = self.task.with_stores(|task| {
            let store = restore::store_of(task, number);
            store.map(|store| restore::begin(store, reached, (bounds, from), (log, now))).transpose()
        })?;
        let Some(next) = next else { return Ok(None) };
        self.reach(number, next, (bounds.end, now));
        Ok(Some((next.next, bounds)))
    }

    /// Notes how far a store is, whose origin ended at `end` at that time. Who has everything up to there has missed nothing.
    fn reach(&mut self, number: usize, at: Checkpoint, (end, now): (Offset, Timestamp)) -> Checkpoint {
        let at = if at.next >= end { Checkpoint { at: now, ..at } } else { at };
        self.reached.insert(number, at);
        at
    }

    /// Applies what was read of a store's origin from where [`next`](Self::next) said, which ended at `end` at that time. Gives the
    /// number of records.
    pub fn apply(
        &mut self,
        number: usize,
        batches: &[Arc<Batch>],
        (end, asked_at): (Offset, Timestamp),
        settings: &Settings,
    ) -> Result<u64, Error> {
        let Standby { task, origins, reached } = self;
        let Some((_, Some(origin))) = origins.iter().find(|(other, _)| *other == number) else { return Ok(0) };
        let Some(mut at) = reached.get(&number).copied() else { return Ok(0) };
        let mut applied = 0;
        task.with_stores(|task| {
            for batch in batches {
                applied += restore::apply(task, number, origin, batch, &mut at.next, end)?;
            }
            Ok::<_, Error>(())
        })?;
        let at = self.reach(number, at, (end, asked_at));
        self.task.with_stores(|task| match restore::store_of(task, number) {
            Some(store) if store.unflushed() >= settings.flush_rows.min(FLUSH_ROWS) => {
                store.flush(at)?;
                store.shrink(settings.row_bytes / 4);
                Ok(applied)
            }
            _ => Ok(applied),
        })
    }

    /// Writes what the stores have to disk, so that whoever opens them next goes on from there.
    pub fn flush(&mut self) -> Result<(), Error> {
        let Standby { task, reached, .. } = self;
        task.with_stores(|task| {
            for (number, at) in &*reached {
                if let Some(store) = restore::store_of(task, *number) {
                    store.flush(*at)?;
                }
            }
            Ok(())
        })
    }
}
