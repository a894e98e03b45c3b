//! Queries of a store, from any thread.
//!
//! Rule: a committed read takes the rows of the last commit and waits for nobody; only the first one of a store waits, for
//! the commit from which on its rows are published. A dirty read is a message to the worker that owns the rows, answered
//! between two records. Key-value stores are read as bytes, which lie as they are asked for; every other kind is opened as a
//! processor gets it, because the kind knows what its rows mean.

mod dirty;
mod look;
mod owner;
#[cfg(feature = "http")]
mod routed;
mod rows;
mod session;
mod snapshot;
mod stale;
mod table;
mod versioned;
mod watch;
mod window;
mod windowed;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::{Timestamp, partition_of};
use tidemill_dsl::state::{Descriptor, Direction, KeyRange, RowBytes, StoreSpec};
use tokio::sync::oneshot;

use super::app::Handle;
use super::shared::Shared;
use super::waiting::reach;
use super::{AppState, Position};
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::task::Task;

pub use dirty::DirtyTable;
pub use owner::KeyOwner;
pub use rows::{Row, RowsQuery, RowsWithTimes};
pub use session::SessionQuery;
pub use snapshot::{SnapshotRows, StoreSnapshot, TableSnapshot};
pub use table::TableQuery;
pub use versioned::VersionedQuery;
pub use watch::{TableChange, TableChanges, WatchQuery};
pub use window::WindowQuery;
pub use windowed::WindowedRows;

/// A kind of store that a running application can be asked for, by [`App::table`](crate::App::table).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store that an application can be asked for",
    note = "give the descriptor that the store was made with: a `Store`, `WindowStore`, `SessionStore` or `VersionedStore`"
)]
pub trait Queryable: Descriptor {
    /// What can be asked of it.
    type Query;

    /// Puts a store into the hands of whoever asks.
    fn query(&self, store: StoreQuery) -> Self::Query;
}

/// A store of a running application, as bytes: what the queries of every kind are made of.
#[derive(Clone)]
pub struct StoreQuery {
    handle: Arc<Handle>,
    store: Arc<str>,
    /// Whether a store of the topology is of the descriptor's kind and types.
    fits: fn(&StoreSpec) -> bool,
    bound: Option<(Position, Duration)>,
    mode: Mode,
    reach: Reach,
}

/// Whose rows are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Those of all partitions, which must all be here.
    All,
    /// Those of the partitions that are here.
    Here,
    /// Those of all partitions; the process that has them is asked where this one has not, and for so long.
    #[cfg(feature = "http")]
    Routed(Duration),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Committed,
    Dirty,
    /// Of a standby too, if it lacks so many offsets of its changelog at most.
    Stale {
        lag_max: u64,
    },
}

/// Where the rows of a store lie.
struct Place {
    store: Arc<str>,
    /// The sub-topology that has it.
    subtopology: usize,
    /// How many tasks that has.
    tasks: u32,
    /// How many of their partitions its keys are spread over.
    partitions: u32,
}

impl Place {
    /// The partition that records with a key's bytes go to by default; `None` where there is none at all: a source by
    /// pattern may have found no topic.
    fn partition_of(&self, key: &[u8]) -> Option<u32> {
        (self.partitions > 0).then(|| partition_of(key, self.partitions))
    }
}

impl StoreQuery {
    /// A store of the topology, of whatever kind and types.
    pub(super) fn of_bytes(handle: Arc<Handle>, store: &str) -> Self {
        StoreQuery {
            handle,
            store: store.into(),
            fits: |_| true,
            bound: None,
            mode: Mode::Committed,
            reach: Reach::All,
        }
    }

    pub(super) fn new<D: Descriptor>(handle: Arc<Handle>, store: &D) -> Self {
        let fits = |spec: &StoreSpec| spec.is::<D::State>();
        StoreQuery { handle, store: store.name().into(), fits, bound: None, mode: Mode::Committed, reach: Reach::All }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// The same store, asked only once the application has committed everything before `position` and what follows from
    /// it on the way to this store; waits for it at most `limit`, by the application's clock.
    #[must_use]
    pub fn at_least(&self, position: &Position, limit: Duration) -> Self {
        StoreQuery { bound: Some((position.clone(), limit)), ..self.clone() }
    }

    /// The same store, asked for rows as they are now, whether they are committed or not.
    #[must_use]
    pub fn dirty(&self) -> Self {
        StoreQuery { mode: Mode::Dirty, ..self.clone() }
    }

    /// The same store, asked for committed rows that may be old: also where it is on standby, if that lacks `lag_max` offsets of the
    /// store's changelog at most.
    #[must_use]
    pub fn stale(&self, lag_max: u64) -> Self {
        StoreQuery { mode: Mode::Stale { lag_max }, ..self.clone() }
    }

    /// The same store, asked for the rows of the partitions that this process has. See [`TableQuery::local`].
    #[must_use]
    pub fn local(&self) -> Self {
        StoreQuery { reach: Reach::Here, ..self.clone() }
    }

    /// The row of a key, asked of the partition that records with its bytes go to by default.
    pub async fn get(&self, key: &[u8]) -> Result<Option<(Vec<u8>, Timestamp)>, Error> {
        let place = self.place()?;
        let Some(partition) = place.partition_of(key) else { return Ok(None) };
        if self.is_simple() {
            self.ready().await?;
            return self.snapshot_of(&place, &[partition]).await?.get_at(0, key);
        }
        use std::ops::Bound::Included;
        let range = KeyRange { from: Included(key.to_vec()), to: Included(key.to_vec()) };
        let rows = self.wherever(&place, partition, range, (Direction::Forward, 1)).await?;
        Ok(rows.into_iter().next().map(|row| (row.value, row.timestamp)))
    }

    /// Whether it is asked for committed rows of this process.
    fn is_simple(&self) -> bool {
        #[cfg(feature = "http")]
        if matches!(self.reach, Reach::Routed(_)) {
            return false;
        }
        self.mode == Mode::Committed
    }

    /// Rows of one partition, of this process or of the one that has them.
    async fn wherever(
        &self,
        place: &Place,
        partition: u32,
        range: KeyRange,
        (direction, limit): (Direction, usize),
    ) -> Result<Vec<RowBytes>, Error> {
        #[cfg(feature = "http")]
        if let Reach::Routed(within) = self.reach {
            return self.routed(place, partition, range, (direction, limit), within).await;
        }
        self.part(place, partition, range, (direction, limit)).await
    }

    /// Rows of one partition that is here.
    async fn part(
        &self,
        place: &Place,
        partition: u32,
        range: KeyRange,
        (direction, limit): (Direction, usize),
    ) -> Result<Vec<RowBytes>, Error> {
        match self.mode {
            Mode::Stale { lag_max } if !self.is_active(place, partition) => {
                self.on_standby(place, partition, (&range, direction, limit), lag_max).await
            }
            Mode::Committed | Mode::Stale { .. } => {
                self.ready().await?;
                let snapshot = self.snapshot_of(place, &[partition]).await?;
                snapshot.rows(range, direction).take(limit).collect()
            }
            Mode::Dirty => {
                self.ready().await?;
                self.ask(place, partition, range, direction, limit).await
            }
        }
    }

    /// Whether a worker here has the partition.
    fn is_active(&self, place: &Place, partition: u32) -> bool {
        let crew = self.shared().crew();
        crew.is_some_and(|crew| self.shared().worker_of(&crew, place.subtopology, partition).is_some())
    }

    /// The partitions that are asked where all of them are wanted.
    fn partitions(&self, place: &Place) -> Vec<u32> {
        let is_asked = |partition: &u32| self.reach != Reach::Here || self.has(place, *partition);
        (0..place.tasks).filter(is_asked).collect()
    }

    /// Whether this process can answer for a partition.
    fn has(&self, place: &Place, partition: u32) -> bool {
        let is_kept = || self.reached(place, partition).is_ok();
        self.is_active(place, partition) || (matches!(self.mode, Mode::Stale { .. }) && is_kept())
    }

    /// The first `limit` rows of a range over all partitions, in the order of their keys' bytes.
    pub async fn rows(&self, range: KeyRange, direction: Direction, limit: usize) -> Result<Vec<RowBytes>, Error> {
        let place = self.place()?;
        if self.is_simple() {
            let snapshot = self.snapshot().await?;
            return snapshot.rows(range, direction).take(limit).collect();
        }
        let mut rows = Vec::new();
        for partition in self.partitions(&place) {
            match self.wherever(&place, partition, range.clone(), (direction, limit)).await {
                Ok(part) => rows.extend(part),
                // It was taken elsewhere meanwhile, and what is elsewhere is not asked for.
                Err(error)
                    if self.reach == Reach::Here
                        && error.kind() == ErrorKind::Elsewhere
                        && !self.has(&place, partition) => {}
                Err(error) => return Err(error),
            }
        }
        // Each partition is in order; together they are only after this.
        match direction {
            Direction::Forward => rows.sort_by(|a, b| a.key.cmp(&b.key)),
            Direction::Backward => rows.sort_by(|a, b| b.key.cmp(&a.key)),
        }
        rows.truncate(limit);
        Ok(rows)
    }

    /// The rows of all partitions, all as one commit left them.
    pub async fn snapshot(&self) -> Result<StoreSnapshot, Error> {
        let place = self.ready().await?;
        loop {
            let partitions = self.partitions(&place);
            match self.snapshot_of(&place, &partitions).await {
                // One was taken elsewhere meanwhile, and what is elsewhere is not asked for.
                Err(error) if error.kind() == ErrorKind::Elsewhere && self.partitions(&place) != partitions => {}
                found => return found,
            }
        }
    }

    async fn snapshot_of(&self, place: &Place, partitions: &[u32]) -> Result<StoreSnapshot, Error> {
        loop {
            let found = self.shared().committed.snapshot(&place.store, partitions)?;
            match found {
                Some(found) => return Ok(StoreSnapshot::new(found, partitions, place.partitions)),
                None => self.publish(place, partitions).await?,
            }
        }
    }

    /// Where the store is, once the position that was asked for is reached.
    async fn ready(&self) -> Result<Place, Error> {
        let place = self.place()?;
        if let Some((position, limit)) = &self.bound {
            reach(&self.handle, position, place.subtopology, *limit).await?;
        }
        Ok(place)
    }

    fn place(&self) -> Result<Place, Error> {
        let (shared, name) = (self.shared(), &*self.store);
        if matches!(&*shared.state.borrow(), AppState::Closing | AppState::Closed | AppState::Failed(_)) {
            return Err(shared.gone());
        }
        let Some(spec) = shared.topology.stores().iter().find(|spec| **spec.name() == *name) else {
            let known: Vec<&str> = shared.topology.stores().iter().map(|spec| &**spec.name()).collect();
            let message = format!("the topology has no store `{name}`; its stores are {known:?}");
            return Err(Error::new(ErrorKind::Unknown, message));
        };
        if !(self.fits)(spec) {
            let message = format!(
                "store `{name}` is of another kind or has other types than the descriptor that it was asked with ({}): use \
                 the one that the store was made with",
                spec.shape()
            );
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let Some(subtopology) = shared.topology.subtopology_of_store(name) else {
            let message = format!("no processor is connected to store `{name}`, so no task has it");
            return Err(Error::new(ErrorKind::Unknown, message));
        };
        // The rows of a global store are all with one task.
        let shape = shared.shape();
        let tasks = if subtopology.is_global() { 1 } else { shape.tasks[subtopology.id] };
        let partitions = shape.stores[name];
        Ok(Place { store: spec.name().clone(), subtopology: subtopology.id, tasks, partitions })
    }

    /// The error for a partition that is with no worker here.
    fn elsewhere(&self, partition: u32) -> Error {
        self.shared().elsewhere(&format!("partition {partition} of store `{}`", self.store))
    }

    /// Lets the workers publish the rows from their next commit on, which they make at once.
    async fn publish(&self, place: &Place, partitions: &[u32]) -> Result<(), Error> {
        let mut answers: Vec<oneshot::Receiver<Result<(), Error>>> = Vec::new();
        let mut by_worker: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        let Some(first) = partitions.first() else { return Ok(()) };
        let Some(crew) = self.shared().crew() else { return Err(self.elsewhere(*first)) };
        for &partition in partitions {
            let worker = self.shared().worker_of(&crew, place.subtopology, partition);
            let worker = worker.ok_or_else(|| self.elsewhere(partition))?;
            by_worker.entry(worker).or_default().push(partition);
        }
        for (worker, partitions) in by_worker {
            let (done, published) = oneshot::channel();
            let gate = crew.post(worker).gate.number();
            let (shared, store, subtopology) = (self.shared().clone(), place.store.clone(), place.subtopology);
            let publish = move |executor: &mut Executor| {
                executor.commit()?;
                let each = |partition: &u32| {
                    let publish = |task: &mut Task| task.state().store_named(&store).map(|store| store.publish());
                    let task = executor.task(subtopology, *partition);
                    let part = task.and_then(|task| task.with_stores(publish)).transpose()?;
                    part.into_iter().for_each(|part| shared.committed.add(&store, *partition, gate, part));
                    Ok(())
                };
                // Whoever asked may have gone.
                let _ = done.send(partitions.iter().try_for_each(each));
                Ok(())
            };
            if !crew.tell(worker, Box::new(publish)) {
                return Err(self.shared().over().await);
            }
            answers.push(published);
        }
        for published in answers {
            match published.await {
                Ok(published) => published?,
                Err(_) => return Err(self.shared().over().await),
            }
        }
        Ok(())
    }

    /// Asks the worker of a partition for rows as they are now.
    async fn ask(
        &self,
        place: &Place,
        partition: u32,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<RowBytes>, Error> {
        let (answer, answered) = oneshot::channel();
        let (store, subtopology) = (place.store.clone(), place.subtopology);
        let ask = move |executor: &mut Executor| {
            // Whoever asked may have gone.
            let _ = answer.send(rows_now(executor, (subtopology, partition), &store, (&range, direction, limit)));
            Ok(())
        };
        self.shared().tell(place.subtopology, partition, Box::new(ask))?;
        match answered.await {
            Ok(answer) => answer,
            Err(_) => Err(self.shared().over().await),
        }
    }
}

/// Copies rows of a task's store, in the order of their keys.
fn rows_now(
    executor: &mut Executor,
    (subtopology, partition): (usize, u32),
    store: &str,
    (range, direction, limit): (&KeyRange, Direction, usize),
) -> Result<Vec<RowBytes>, Error> {
    match executor.task(subtopology, partition) {
        Some(task) => rows_of(task, store, (range, direction, limit)),
        // It was taken to another worker, or another process, after this was asked.
        None => Err(not_here(partition, store)),
    }
}

/// The error for a task that was here when the question was asked.
fn not_here(partition: u32, store: &str) -> Error {
    let message = format!("partition {partition} of store `{store}` was just taken elsewhere: ask again");
    Error::new(ErrorKind::Elsewhere, message)
}

/// Copies rows of a store of a task, in the order of their keys.
pub(super) fn rows_of(
    task: &mut Task,
    store: &str,
    (range, direction, limit): (&KeyRange, Direction, usize),
) -> Result<Vec<RowBytes>, Error> {
    let mut rows = Vec::new();
    if limit == 0 {
        return Ok(rows);
    }
    task.with_stores(|task| {
        let Some(store) = task.state().store_named(store) else { return Ok(()) };
        store.visit(range, direction, &mut |key, value, timestamp| {
            rows.push(RowBytes { key: key.to_vec(), value: value.to_vec(), timestamp });
            if rows.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    })?;
    Ok(rows)
}
