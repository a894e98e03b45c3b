//! What operators do with rows that have a typed key, whatever kind of store keeps them.

use super::typed_rows::TypedRows;
use super::{CellId, ChangelogOut, KeyValueState, StateStore, StoreError};
use crate::record::Timestamp;

/// Rows by a typed key.
pub(crate) trait KeyedRows: StateStore {
    type Key: 'static;
    type Value: Send + 'static;

    /// The row's value and time.
    fn get(&mut self, key: &Self::Key) -> Result<Option<(&Self::Value, Timestamp)>, StoreError>;

    /// The row's place, if it is there.
    fn place(&mut self, key: &Self::Key) -> Result<Option<CellId>, StoreError>;

    /// The row's place; a row that is not there gets one, without a value.
    fn claim(&mut self, key: &Self::Key) -> Result<CellId, StoreError>;

    /// The value at a place.
    fn value(&self, id: CellId) -> &Option<Self::Value>;

    /// Value and time of the row at a place.
    fn row(&self, id: CellId) -> Option<(&Self::Value, Timestamp)>;

    /// The key of the row at a place.
    fn key_at(&self, id: CellId) -> Result<Self::Key, StoreError>;

    /// The time of a row's deletion by a record of this time.
    fn deletion_time(&self, _key: &Self::Key, record: Timestamp) -> Timestamp {
        record
    }

    /// Says that those below are told of the change of the row at a place. Gives whether they can still know how it was: a
    /// store without a cache would have forgotten a row whose time is over by what they were told of before.
    fn tell_of(&mut self, _id: CellId) -> bool {
        true
    }

    /// Sets the row at a place; `None` deletes it.
    fn set(
        &mut self,
        id: CellId,
        value: Option<Self::Value>,
        timestamp: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError>;

    /// A copy of a value, by way of its bytes.
    fn copy(&self, value: &Self::Value) -> Result<Self::Value, StoreError>;

    /// The rows, for what all kinds of stores have in common.
    fn rows(&mut self) -> &mut TypedRows<Self::Value>;
}

impl<K: 'static, V: Send + 'static> KeyedRows for KeyValueState<K, V> {
    type Key = K;
    type Value = V;

    #[inline]
    fn get(&mut self, key: &K) -> Result<Option<(&V, Timestamp)>, StoreError> {
        KeyValueState::get(self, key)
    }

    fn place(&mut self, key: &K) -> Result<Option<CellId>, StoreError> {
        KeyValueState::place(self, key)
    }

    #[inline]
    fn claim(&mut self, key: &K) -> Result<CellId, StoreError> {
        KeyValueState::claim(self, key)
    }

    #[inline]
    fn value(&self, id: CellId) -> &Option<V> {
        KeyValueState::value(self, id)
    }

    fn row(&self, id: CellId) -> Option<(&V, Timestamp)> {
        KeyValueState::row(self, id)
    }

    fn key_at(&self, id: CellId) -> Result<K, StoreError> {
        KeyValueState::key_at(self, id)
    }

    #[inline]
    fn set(
        &mut self,
        id: CellId,
        value: Option<V>,
        timestamp: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<(), StoreError> {
        KeyValueState::set(self, id, value, timestamp, out)
    }

    fn copy(&self, value: &V) -> Result<V, StoreError> {
        KeyValueState::copy(self, value)
    }

    #[inline]
    fn rows(&mut self) -> &mut TypedRows<V> {
        KeyValueState::rows(self)
    }
}
