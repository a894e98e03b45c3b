//! Reads a table's row for a join: from its store, or, for a table without one, computed from the row above.

use std::sync::Arc;

use crate::processor::{ProcessError, TaskState};
use crate::record::Timestamp;
use crate::state::{CellId, KeyValueState, KeyedRows, VersionedState};
use crate::topology::{RowSlot, StoreSlot};

/// What is done with a row and its time; the row is lent.
pub(crate) type Visit<'a, V> = &'a mut dyn FnMut(Option<(&V, Timestamp)>) -> Result<(), ProcessError>;

/// A row of one's own with its time, if it is there.
pub(crate) type Fetched<V> = Option<(V, Timestamp)>;

/// Finds the row of a key.
pub(crate) trait ReadRow<K, V>: Send + Sync {
    /// Calls `visit` once, with the row if there is one: that which was valid at the time `as_of` where the table keeps
    /// versions, else the latest.
    fn read(
        &self,
        key: &K,
        as_of: Option<Timestamp>,
        task: &mut TaskState,
        visit: Visit<'_, V>,
    ) -> Result<(), ProcessError>;

    /// As `read`, with a row of one's own: made for this call, or a copy. For what has to read on while it holds the row.
    fn fetch(&self, key: &K, as_of: Option<Timestamp>, task: &mut TaskState) -> Result<Fetched<V>, ProcessError>;
}

/// A row of a store.
pub(crate) struct StoredRow<S>(pub(crate) StoreSlot<S>);

impl<S: KeyedRows> ReadRow<S::Key, S::Value> for StoredRow<S> {
    fn read(
        &self,
        key: &S::Key,
        _: Option<Timestamp>,
        task: &mut TaskState,
        visit: Visit<'_, S::Value>,
    ) -> Result<(), ProcessError> {
        let (store, _) = task.state::<S>(self.0.index);
        if !store.rows().is_cached() {
            return visit(store.get(key)?);
        }
        let Some(row) = place(&self.0, key, task)? else { return visit(None) };
        let (store, _) = task.state::<S>(self.0.index);
        visit(store.row(row))
    }

    fn fetch(
        &self,
        key: &S::Key,
        _: Option<Timestamp>,
        task: &mut TaskState,
    ) -> Result<Fetched<S::Value>, ProcessError> {
        let Some(row) = place(&self.0, key, task)? else { return Ok(None) };
        let (store, _) = task.state::<S>(self.0.index);
        let copy = |(value, timestamp)| store.copy(value).map(|value| (value, timestamp));
        Ok(store.row(row).map(copy).transpose()?)
    }
}

/// A row of a versioned store.
pub(crate) struct VersionedRow<K: 'static, V: 'static>(pub(crate) StoreSlot<VersionedState<K, V>>);

impl<K: 'static, V: Send + 'static> ReadRow<K, V> for VersionedRow<K, V> {
    fn read(
        &self,
        key: &K,
        as_of: Option<Timestamp>,
        task: &mut TaskState,
        visit: Visit<'_, V>,
    ) -> Result<(), ProcessError> {
        let (store, _) = task.state::<VersionedState<K, V>>(self.0.index);
        let version = match as_of {
            Some(time) => store.get_as_of(key, time)?,
            None => store.get(key)?,
        };
        visit(version.map(|version| (version.value, version.from)))
    }

    fn fetch(&self, key: &K, as_of: Option<Timestamp>, task: &mut TaskState) -> Result<Fetched<V>, ProcessError> {
        let (store, _) = task.state::<VersionedState<K, V>>(self.0.index);
        let version = match as_of {
            Some(time) => store.fetch_as_of(key, time)?,
            None => store.fetch_latest(key)?,
        };
        Ok(version.map(|version| (version.value, version.from)))
    }
}

/// Where the row of a key lies. Reading can push other rows out of a full cache, which comes before what is done with this
/// one.
pub(super) fn place<S: KeyedRows>(
    slot: &StoreSlot<S>,
    key: &S::Key,
    task: &mut TaskState,
) -> Result<Option<CellId>, ProcessError> {
    let (store, mut out) = task.state::<S>(slot.index);
    let Some(row) = store.place(key)? else { return Ok(None) };
    if store.rows().is_cached() {
        store.rows().touch(row, &mut out)?;
        task.make_room(slot.index)?;
    }
    Ok(Some(row))
}

/// A row of a global store. Nobody else reads that store while the row is visited.
pub(crate) struct GlobalRow<K: 'static, V: 'static>(pub(crate) RowSlot<K, V>);

impl<K: 'static, V: Send + 'static> ReadRow<K, V> for GlobalRow<K, V> {
    fn read(
        &self,
        key: &K,
        _: Option<Timestamp>,
        task: &mut TaskState,
        visit: Visit<'_, V>,
    ) -> Result<(), ProcessError> {
        task.look_at(self.0.index, |store: &mut KeyValueState<K, V>, _| visit(store.get(key)?))
    }

    fn fetch(&self, key: &K, _: Option<Timestamp>, task: &mut TaskState) -> Result<Fetched<V>, ProcessError> {
        task.look_at(self.0.index, |store: &mut KeyValueState<K, V>, _| {
            let Some(row) = store.place(key)? else { return Ok(None) };
            let copy = |(value, timestamp)| store.copy(value).map(|value| (value, timestamp));
            Ok(store.row(row).map(copy).transpose()?)
        })
    }
}

/// A row that passes a filter.
pub(crate) struct FilteredRow<K, V, F> {
    pub(crate) above: Box<dyn ReadRow<K, V>>,
    pub(crate) predicate: Arc<F>,
}

impl<K, V, F> ReadRow<K, V> for FilteredRow<K, V, F>
where
    F: Fn(&K, &V) -> Result<bool, ProcessError> + Send + Sync,
{
    fn read(
        &self,
        key: &K,
        as_of: Option<Timestamp>,
        task: &mut TaskState,
        visit: Visit<'_, V>,
    ) -> Result<(), ProcessError> {
        self.above.read(key, as_of, task, &mut |row| {
            let passes = row.map(|(value, _)| (self.predicate)(key, value)).transpose()?.unwrap_or(false);
            visit(row.filter(|_| passes))
        })
    }

    fn fetch(&self, key: &K, as_of: Option<Timestamp>, task: &mut TaskState) -> Result<Fetched<V>, ProcessError> {
        let Some((value, timestamp)) = self.above.fetch(key, as_of, task)? else { return Ok(None) };
        Ok((self.predicate)(key, &value)?.then_some((value, timestamp)))
    }
}

/// A row with its value mapped.
pub(crate) struct MappedRow<K, V, F> {
    pub(crate) above: Box<dyn ReadRow<K, V>>,
    pub(crate) map: Arc<F>,
}

impl<K, V, V2, F> ReadRow<K, V2> for MappedRow<K, V, F>
where
    F: Fn(&K, &V) -> Result<Option<V2>, ProcessError> + Send + Sync,
{
    fn read(
        &self,
        key: &K,
        as_of: Option<Timestamp>,
        task: &mut TaskState,
        visit: Visit<'_, V2>,
    ) -> Result<(), ProcessError> {
        self.above.read(key, as_of, task, &mut |row| {
            let Some((value, timestamp)) = row else { return visit(None) };
            visit((self.map)(key, value)?.as_ref().map(|mapped| (mapped, timestamp)))
        })
    }

    fn fetch(&self, key: &K, as_of: Option<Timestamp>, task: &mut TaskState) -> Result<Fetched<V2>, ProcessError> {
        let mut fetched = None;
        self.above.read(key, as_of, task, &mut |row| {
            let Some((value, timestamp)) = row else { return Ok(()) };
            fetched = (self.map)(key, value)?.map(|mapped| (mapped, timestamp));
            Ok(())
        })?;
        Ok(fetched)
    }
}
