//! Queries of a store, from any thread.
//!
//! A query is answered by the worker that owns the rows, between two steps and right after a commit: so the answer is
//! committed, and it has everything that the worker had processed when it was asked.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;

use tidemill_dsl::record::{Timestamp, partition_of};
use tidemill_dsl::state::{Direction, KeyRange, KeyValueState, Store, StoreError};
use tokio::sync::oneshot;

use super::app::Handle;
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;

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

    /// The row of a key.
    pub async fn get(&self, key: impl Into<K>) -> Result<Option<V>, Error> {
        let mut bytes = Vec::new();
        self.store.key_serde().write(&key.into(), &mut bytes)?;
        let (subtopology, tasks) = self.place()?;
        let partition = partition_of(&bytes, tasks);
        let range = KeyRange { from: std::ops::Bound::Included(bytes.clone()), to: std::ops::Bound::Included(bytes) };
        let rows = self.ask(subtopology, partition, range, Direction::Forward).await?;
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
        let (subtopology, tasks) = self.place()?;
        let mut rows = Vec::new();
        for partition in 0..tasks {
            rows.extend(self.ask(subtopology, partition, range.clone(), Direction::Forward).await?);
        }
        // Each partition is in order; together they are only after this.
        rows.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let typed = |(key, value, _): (Vec<u8>, Vec<u8>, Timestamp)| {
            Ok((self.store.key_serde().read(&key)?, self.store.value_serde().read(&value)?))
        };
        rows.into_iter().map(typed).collect()
    }

    /// The sub-topology that has the store, and its number of tasks.
    fn place(&self) -> Result<(usize, u32), Error> {
        let (shared, name) = (&self.handle.shared, self.store.name());
        let found = shared.topology.subtopology_of_store(name);
        let subtopology = found.ok_or_else(|| {
            let known: Vec<&str> = shared.topology.stores().iter().map(|spec| &**spec.name()).collect();
            Error::new(ErrorKind::Unknown, format!("the topology has no store `{name}`; its stores are {known:?}"))
        })?;
        Ok((subtopology.id, shared.tasks[subtopology.id]))
    }

    async fn ask(&self, sub: usize, partition: u32, range: KeyRange, direction: Direction) -> Result<RowBytes, Error> {
        let (shared, store) = (&self.handle.shared, self.store.clone());
        let (answer, answered) = oneshot::channel();
        let query = move |executor: &mut Executor| {
            let rows = read_rows(executor, (sub, partition), &store, &range, direction);
            // Whoever asked may have gone.
            let _ = answer.send(rows);
        };
        if !shared.inboxes[shared.worker_of(sub, partition)].ask(Box::new(query)) {
            return Err(shared.gone());
        }
        shared.session.wake();
        answered.await.map_err(|_| shared.gone())?
    }
}

/// Copies rows of a task's store as bytes.
fn read_rows<K: 'static, V: Send + 'static>(
    executor: &mut Executor,
    (subtopology, partition): (usize, u32),
    store: &Store<K, V>,
    range: &KeyRange,
    direction: Direction,
) -> Result<RowBytes, Error> {
    let name = store.name();
    let task =
        executor.tasks().find(|task| task.id().partition == partition && task.id().subtopologies == [subtopology]);
    let found = task.and_then(|task| task.state().store_named(name));
    let any: Option<&mut dyn Any> = found.map(|store| &mut **store as _);
    let Some(typed) = any.and_then(|any| any.downcast_mut::<KeyValueState<K, V>>()) else {
        let message = format!("store `{name}` has other types than the descriptor that it was asked with");
        return Err(Error::new(ErrorKind::Invalid, message));
    };
    let (mut rows, mut failure): (RowBytes, Option<StoreError>) = (Vec::new(), None);
    let values = store.value_serde();
    typed.walk(range, direction, &mut |key, value, timestamp| {
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
