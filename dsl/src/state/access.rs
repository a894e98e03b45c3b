//! Stores in the hands of a processor: found by their descriptor, with the verbs of their kind.

use std::ops::{ControlFlow, Deref, DerefMut};

use super::{ChangelogOut, Direction, KeyRange, KeyValueState, StateStore, Store};
use crate::processor::{Flow, ProcessError};
use crate::record::Timestamp;

/// Names a store and its types, and says what a processor can do with it.
pub trait Descriptor {
    /// What a task keeps.
    type State: StateStore;
    /// What a processor gets.
    type Access<'a>;

    /// The store's name.
    fn name(&self) -> &str;

    /// Puts a task's store into the hands of a processor.
    fn access<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Access<'a>;
}

/// A store that can be looked at without being changed.
pub trait Readable: Descriptor {
    /// What a look gets.
    type Reader<'a>;

    /// Lends a task's store for a look.
    fn reader<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Reader<'a>;
}

impl<K: 'static, V: Send + 'static> Readable for Store<K, V> {
    type Reader<'a> = StoreReader<'a, K, V>;

    fn reader<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Reader<'a> {
        StoreReader { state, out }
    }
}

/// Something that names a store, as the lists of connected stores have it (`&[&COUNTS, &SEEN]`): its descriptor, whatever its kind and types, or a name known only at run time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a store",
    note = "list the stores' descriptors: `&[&COUNTS, &SEEN]`; a name known only at run time: `&[&name]`"
)]
pub trait StoreName {
    /// The store's name.
    fn store_name(&self) -> &str;
}

impl<D: Descriptor> StoreName for D {
    fn store_name(&self) -> &str {
        self.name()
    }
}

impl StoreName for &str {
    fn store_name(&self) -> &str {
        self
    }
}

impl StoreName for String {
    fn store_name(&self) -> &str {
        self
    }
}

impl<K: 'static, V: Send + 'static> Descriptor for Store<K, V> {
    type State = KeyValueState<K, V>;
    type Access<'a> = StoreAccess<'a, K, V>;

    fn name(&self) -> &str {
        Store::name(self)
    }

    fn access<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Access<'a> {
        StoreAccess(StoreReader { state, out })
    }
}

/// A key-value store in the hands of a processor: it reads as a [`StoreReader`] does, and writes.
pub struct StoreAccess<'a, K: 'static, V: 'static>(StoreReader<'a, K, V>);

impl<'a, K: 'static, V: 'static> Deref for StoreAccess<'a, K, V> {
    type Target = StoreReader<'a, K, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: 'static, V: 'static> DerefMut for StoreAccess<'_, K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// A key-value store that is looked at.
pub struct StoreReader<'a, K: 'static, V: 'static> {
    state: &'a mut KeyValueState<K, V>,
    /// Where changes go that a cache lets out, because rows that are read take room in it.
    out: ChangelogOut<'a>,
}

impl<K: 'static, V: Send + 'static> StoreAccess<'_, K, V> {
    /// Sets the value of a key, as of the time `at`.
    pub fn put(&mut self, key: &K, value: V, at: Timestamp) -> Flow {
        let StoreReader { state, out } = &mut self.0;
        let row = state.claim(key)?;
        state.rows().note(row)?;
        Ok(state.set(row, Some(value), at, out)?)
    }

    /// Sets the value of a key that has none, as of the time `at`; gives the one that it had.
    pub fn put_if_absent(&mut self, key: &K, value: V, at: Timestamp) -> Result<Option<&V>, ProcessError> {
        if self.get(key)?.is_none() {
            self.put(key, value, at)?;
            return Ok(None);
        }
        self.get(key)
    }

    /// Deletes a key and gives the value that it had.
    pub fn delete(&mut self, key: &K, at: Timestamp) -> Result<Option<V>, ProcessError> {
        let StoreReader { state, out } = &mut self.0;
        let row = state.claim(key)?;
        state.rows().touch(row, out)?;
        state.rows().note(row)?;
        let old = state.take(row)?.map(|(value, _)| value);
        state.set(row, None, at, out)?;
        Ok(old)
    }
}

impl<K: 'static, V: Send + 'static> StoreReader<'_, K, V> {
    /// The value of a key.
    pub fn get(&mut self, key: &K) -> Result<Option<&V>, ProcessError> {
        Ok(self.get_with_time(key)?.map(|(value, _)| value))
    }

    /// The value of a key and the time of its last update.
    pub fn get_with_time(&mut self, key: &K) -> Result<Option<(&V, Timestamp)>, ProcessError> {
        let Some(row) = self.state.place(key)? else { return Ok(None) };
        self.state.rows().touch(row, &mut self.out)?;
        Ok(self.state.row(row))
    }

    /// Visits the rows from `from` to `to`, both included, in the order of the keys' bytes, until `visit` breaks.
    /// An absent bound is open.
    pub fn range(
        &mut self,
        from: Option<&K>,
        to: Option<&K>,
        direction: Direction,
        visit: impl FnMut(K, &V) -> ControlFlow<()>,
    ) -> Flow {
        let range = self.key_range(from, to)?;
        self.walk(&range, direction, without_time(visit))
    }

    /// Visits the rows whose key's bytes begin with `prefix`.
    pub fn prefix(&mut self, prefix: &[u8], direction: Direction, visit: impl FnMut(K, &V) -> ControlFlow<()>) -> Flow {
        self.walk(&KeyRange::prefix(prefix), direction, without_time(visit))
    }

    /// Visits all rows.
    pub fn all(&mut self, direction: Direction, visit: impl FnMut(K, &V) -> ControlFlow<()>) -> Flow {
        self.walk(&KeyRange::ALL, direction, without_time(visit))
    }

    /// Visits all rows with the times of their last updates.
    pub fn all_with_times(
        &mut self,
        direction: Direction,
        visit: impl FnMut(K, &V, Timestamp) -> ControlFlow<()>,
    ) -> Flow {
        self.walk(&KeyRange::ALL, direction, visit)
    }

    fn key_range(&self, from: Option<&K>, to: Option<&K>) -> Result<KeyRange, ProcessError> {
        use std::ops::Bound::{Included, Unbounded};
        let bytes = |key: Option<&K>| key.map(|key| self.state.encode_key(key)).transpose();
        Ok(KeyRange { from: bytes(from)?.map_or(Unbounded, Included), to: bytes(to)?.map_or(Unbounded, Included) })
    }

    fn walk(
        &mut self,
        range: &KeyRange,
        direction: Direction,
        mut visit: impl FnMut(K, &V, Timestamp) -> ControlFlow<()>,
    ) -> Flow {
        let mut undecodable = None;
        let keys = self.state.key_serde();
        self.state.walk(range, direction, &mut |key, value, time| match keys.read(key) {
            Ok(key) => visit(key, value, time),
            Err(error) => {
                undecodable = Some(error);
                ControlFlow::Break(())
            }
        })?;
        undecodable.map_or(Ok(()), |error| Err(error.into()))
    }
}

fn without_time<K, V>(
    mut visit: impl FnMut(K, &V) -> ControlFlow<()>,
) -> impl FnMut(K, &V, Timestamp) -> ControlFlow<()> {
    move |key, value, _| visit(key, value)
}
