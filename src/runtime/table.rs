//! Queries of a store, from any thread.
//!
//! A query is answered by the worker that owns the rows, between two steps and right after a commit: so the answer is
//! committed, and it has everything that the worker had processed when it was asked.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;

use tidemill_dsl::record::{Timestamp, partition_of};
use tidemill_dsl::state::{Direction, KeyRange, KeyValueState, StateStore, Store, StoreError};
use tokio::sync::oneshot;

use super::app::Handle;
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::task::Task;

/// Bytes of rows: key, value, time.
type RowBytes = Vec<(Vec<u8>, Vec<u8>, Timestamp)>;

/// A store, ready to be asked. See [`App::table`](crate::App::table).
pub struct TableQuery<K: 'static, V: 'static> {
    handle: Arc<Handle>,
    store: Store<K, V>,
}

impl<K: 'static, V: Send + 'static> TableQuery<K, V> {
    pub(super) fn new(handle: Arc<Handle>, store: &Store<K, V>) -> Self {
        TableQuery { handle, store: store.clone() }
    }

    /// The row of a key, asked of the partition that records with its bytes go to by default: rows that a partitioner of
    /// one's own placed elsewhere are found by [`range`](Self::range).
    pub async fn get(&self, key: impl Into<K>) -> Result<Option<V>, Error> {
        let mut bytes = Vec::new();
        self.store.key_serde().write(&key.into(), &mut bytes)?;
        let place = self.place()?;
        // A source by pattern may have found no topic; then there are no rows.
        if place.partitions == 0 {
            return Ok(None);
        }
        let partition = partition_of(&bytes, place.partitions);
        let range = KeyRange { from: std::ops::Bound::Included(bytes.clone()), to: std::ops::Bound::Included(bytes) };
        let rows = self.ask(place.subtopology, partition, range).await?;
        rows.into_iter().next().map(|(_, value, _)| Ok(self.store.value_serde().read(&value)?)).transpose()
    }

    /// The rows from `from` to `to`, both included, in the order of the keys' bytes; an absent bound is open.
    pub async fn range(&self, from: Option<K>, to: Option<K>) -> Result<Vec<(K, V)>, Error> {
        use std::ops::Bound::{Included, Unbounded};
        let bytes = |key: Option<K>| {
            let write = |key: K| {
                let mut bytes = Vec::new();
                self.store.key_serde().write(&key, &mut bytes).map(|()| Included(bytes))
            };
            key.map_or(Ok(Unbounded), write)
        };
        self.rows(KeyRange { from: bytes(from)?, to: bytes(to)? }).await
    }

    /// All rows in the order of the keys' bytes.
    pub async fn all(&self) -> Result<Vec<(K, V)>, Error> {
        self.rows(KeyRange::ALL).await
    }

    async fn rows(&self, range: KeyRange) -> Result<Vec<(K, V)>, Error> {
        let place = self.place()?;
        let mut rows = Vec::new();
        for partition in 0..place.tasks {
            rows.extend(self.ask(place.subtopology, partition, range.clone()).await?);
        }
        // Each partition is in order; together they are only after this.
        rows.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let typed = |(key, value, _): (Vec<u8>, Vec<u8>, Timestamp)| {
            Ok((self.store.key_serde().read(&key)?, self.store.value_serde().read(&value)?))
        };
        rows.into_iter().map(typed).collect()
    }

    fn place(&self) -> Result<Place, Error> {
        let (shared, name) = (&self.handle.shared, self.store.name());
        let found = shared.topology.subtopology_of_store(name);
        let subtopology = found.ok_or_else(|| {
            let known: Vec<&str> = shared.topology.stores().iter().map(|spec| &**spec.name()).collect();
            Error::new(ErrorKind::Unknown, format!("the topology has no store `{name}`; its stores are {known:?}"))
        })?;
        let (subtopology, global, partitions) = (subtopology.id, subtopology.is_global(), shared.stores[name]);
        // The rows of a global store are all with one task.
        let tasks = if global { 1 } else { shared.tasks[subtopology] };
        Ok(Place { subtopology, tasks, partitions })
    }

    async fn ask(&self, subtopology: usize, partition: u32, range: KeyRange) -> Result<RowBytes, Error> {
        let (shared, store) = (&self.handle.shared, self.store.clone());
        let (answer, answered) = oneshot::channel();
        let query = move |executor: &mut Executor| {
            let rows = read_rows(executor, (subtopology, partition), &store, &range);
            // Whoever asked may have gone.
            let _ = answer.send(rows);
        };
        if !shared.inboxes[shared.worker_of(subtopology, partition)].ask(Box::new(query)) {
            return Err(shared.gone());
        }
        shared.session.wake();
        answered.await.map_err(|_| shared.gone())?
    }
}

/// Where the rows of a store lie.
struct Place {
    /// The sub-topology that has it.
    subtopology: usize,
    /// How many tasks that has.
    tasks: u32,
    /// How many of their partitions its keys are spread over.
    partitions: u32,
}

/// Copies rows of a task's store as bytes, in the order of their keys.
fn read_rows<K: 'static, V: Send + 'static>(
    executor: &mut Executor,
    (subtopology, partition): (usize, u32),
    store: &Store<K, V>,
    range: &KeyRange,
) -> Result<RowBytes, Error> {
    let of_task = |task: &&mut Task| {
        let id = task.id();
        id.partition == partition && id.subtopologies.contains(&subtopology)
    };
    match executor.tasks().find(of_task) {
        Some(task) => task.with_stores(|task| rows_of(task.state().store_named(store.name()), store, range)),
        None => rows_of(None, store, range),
    }
}

/// The same of a store that was found.
fn rows_of<K: 'static, V: Send + 'static>(
    found: Option<&mut Box<dyn StateStore>>,
    store: &Store<K, V>,
    range: &KeyRange,
) -> Result<RowBytes, Error> {
    let name = store.name();
    let any: Option<&mut dyn Any> = found.map(|store| &mut **store as _);
    let Some(typed) = any.and_then(|any| any.downcast_mut::<KeyValueState<K, V>>()) else {
        let message = format!(
            "store `{name}` has other types than the descriptor that it was asked with: use the one that the store was made \
             with"
        );
        return Err(Error::new(ErrorKind::Invalid, message));
    };
    let (mut rows, mut failure): (RowBytes, Option<StoreError>) = (Vec::new(), None);
    let values = store.value_serde();
    typed.walk(range, Direction::Forward, &mut |key, value, timestamp| {
        let mut bytes = Vec::new();
        match values.write(value, &mut bytes) {
            Ok(()) => {
                rows.push((key.to_vec(), bytes, timestamp));
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(StoreError::new(tidemill_dsl::state::StoreErrorKind::Invalid, error.to_string()));
                ControlFlow::Break(())
            }
        }
    })?;
    failure.map_or(Ok(rows), |error| Err(error.into()))
}
