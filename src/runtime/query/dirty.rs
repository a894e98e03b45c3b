//! Rows as they are now, committed or not.

use tidemill_dsl::record::Timestamp;
use tidemill_dsl::state::{KeyRange, Store};

use super::rows::range_of;
use super::{RowsQuery, StoreQuery};
use crate::error::Error;

/// A key-value store, asked for its rows as they are now: also what is not committed yet, and what a crash may take back.
///
/// Each question goes to the worker that owns the rows, which answers between two records. Of several partitions each answers
/// for itself, at its own moment.
pub struct DirtyTable<K: 'static, V: 'static> {
    query: StoreQuery,
    store: Store<K, V>,
}

impl<K: 'static, V: Send + 'static> DirtyTable<K, V> {
    pub(super) fn new(query: StoreQuery, store: &Store<K, V>) -> Self {
        DirtyTable { query, store: store.clone() }
    }

    /// As [`TableQuery::get`](super::TableQuery::get).
    pub async fn get(&self, key: impl Into<K>) -> Result<Option<V>, Error> {
        Ok(self.get_with_time(key).await?.map(|(value, _)| value))
    }

    /// As [`TableQuery::get_with_time`](super::TableQuery::get_with_time).
    pub async fn get_with_time(&self, key: impl Into<K>) -> Result<Option<(V, Timestamp)>, Error> {
        let mut bytes = Vec::new();
        self.store.key_serde().write(&key.into(), &mut bytes)?;
        let row = self.query.get(&bytes).await?;
        row.map(|(value, time)| Ok((self.store.value_serde().read(&value)?, time))).transpose()
    }

    /// As [`TableQuery::range`](super::TableQuery::range).
    pub fn range(&self, from: Option<K>, to: Option<K>) -> RowsQuery<K, V> {
        RowsQuery::new(self.query.clone(), self.store.clone(), range_of(&self.store, from, to))
    }

    /// As [`TableQuery::prefix`](super::TableQuery::prefix).
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> RowsQuery<K, V> {
        RowsQuery::new(self.query.clone(), self.store.clone(), Ok(KeyRange::prefix(prefix.as_ref())))
    }

    /// As [`TableQuery::all`](super::TableQuery::all).
    pub fn all(&self) -> RowsQuery<K, V> {
        RowsQuery::new(self.query.clone(), self.store.clone(), Ok(KeyRange::ALL))
    }
}
