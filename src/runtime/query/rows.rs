//! Rows of a range, with the types of a key-value store.

use std::future::{Future, IntoFuture};
use std::ops::Bound;
use std::pin::Pin;

use tidemill_dsl::record::Timestamp;
use tidemill_dsl::state::{Direction, KeyRange, RowBytes, Store};

use super::StoreQuery;
use crate::error::Error;

/// A row of a key-value store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// The time of the last update; 0 in a store without times.
    pub timestamp: Timestamp,
}

/// A question for rows: await it. They come in the order of their keys' bytes, over all partitions.
#[must_use = "it is asked when it is awaited"]
pub struct RowsQuery<K: 'static, V: 'static> {
    query: StoreQuery,
    store: Store<K, V>,
    range: Result<KeyRange, Error>,
    direction: Direction,
    limit: usize,
}

impl<K: 'static, V: Send + 'static> RowsQuery<K, V> {
    pub(super) fn new(query: StoreQuery, store: Store<K, V>, range: Result<KeyRange, Error>) -> Self {
        RowsQuery { query, store, range, direction: Direction::Forward, limit: usize::MAX }
    }

    /// From the greatest key down.
    pub fn backward(self) -> Self {
        RowsQuery { direction: Direction::Backward, ..self }
    }

    /// So many rows at most.
    pub fn limit(self, rows: usize) -> Self {
        RowsQuery { limit: rows, ..self }
    }

    /// With the times of their last updates.
    pub fn with_times(self) -> RowsWithTimes<K, V> {
        RowsWithTimes(self)
    }

    async fn ask(self) -> Result<Vec<Row<K, V>>, Error> {
        let rows = self.query.rows(self.range?, self.direction, self.limit).await?;
        rows.into_iter().map(|row| typed(&self.store, row)).collect()
    }
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Vec<T>, Error>> + Send>>;

impl<K: 'static, V: Send + 'static> IntoFuture for RowsQuery<K, V> {
    type Output = Result<Vec<(K, V)>, Error>;
    type IntoFuture = Answer<(K, V)>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { Ok(self.ask().await?.into_iter().map(|row| (row.key, row.value)).collect()) })
    }
}

/// A question for rows with their times: await it.
#[must_use = "it is asked when it is awaited"]
pub struct RowsWithTimes<K: 'static, V: 'static>(RowsQuery<K, V>);

impl<K: 'static, V: Send + 'static> IntoFuture for RowsWithTimes<K, V> {
    type Output = Result<Vec<Row<K, V>>, Error>;
    type IntoFuture = Answer<Row<K, V>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.0.ask())
    }
}

/// Gives a row its types.
pub(super) fn typed<K: 'static, V: 'static>(store: &Store<K, V>, row: RowBytes) -> Result<Row<K, V>, Error> {
    let (key, value) = (store.key_serde().read(&row.key)?, store.value_serde().read(&row.value)?);
    Ok(Row { key, value, timestamp: row.timestamp })
}

/// The bytes of the keys from `from` to `to`, both included.
pub(super) fn range_of<K: 'static, V: 'static>(
    store: &Store<K, V>,
    from: Option<K>,
    to: Option<K>,
) -> Result<KeyRange, Error> {
    let bound = |key: Option<K>| {
        let write = |key: K| {
            let mut bytes = Vec::new();
            store.key_serde().write(&key, &mut bytes).map(|()| Bound::Included(bytes))
        };
        key.map_or(Ok(Bound::Unbounded), write)
    };
    Ok(KeyRange { from: bound(from)?, to: bound(to)? })
}
