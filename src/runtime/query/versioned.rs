//! What can be asked of a versioned store.

use std::ops::{ControlFlow, RangeInclusive};
use std::time::Duration;

use tidemill_dsl::processor::ProcessError;
use tidemill_dsl::record::Timestamp;
use tidemill_dsl::serde::{SerdeError, SerdeRef};
use tidemill_dsl::state::{Direction, Version, VersionedAccess, VersionedStore};

use super::look::{Look, bytes_of, copy_of};
use super::{Queryable, StoreQuery};
use crate::error::Error;
use crate::runtime::Position;

impl<K: Send + 'static, V: Send + 'static> Queryable for VersionedStore<K, V> {
    type Query = VersionedQuery<K, V>;

    fn query(&self, store: StoreQuery) -> VersionedQuery<K, V> {
        VersionedQuery { look: Look::new(store, self) }
    }
}

/// A versioned store, ready to be asked what a row is, and what it was. See [`App::table`](crate::App::table).
///
/// Answers are committed, as those of a [`TableQuery`](crate::TableQuery): wait for what was sent with
/// [`at_least`](Self::at_least), or ask [`dirty`](Self::dirty). A key is asked of the partition that records with its bytes go
/// to by default. Of times before the store's retention only the latest version is known.
///
/// ```
/// # use std::time::Duration;
/// use tidemill::prelude::*;
/// use tidemill::record::Timestamp;
/// use tidemill::state::VersionedStore;
///
/// const PRICES: Topic<String, i64> = Topic::of("prices");
/// const PRICED: VersionedStore<String, i64> = VersionedStore::of("priced", Duration::from_secs(3_600));
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = StreamsBuilder::new();
/// builder.table_with(&PRICES, &PRICED);
/// let app = App::builder("prices", builder.build()?).memory().start().await?;
/// for (time, price) in [(100, 7), (200, 8)] {
///     app.send_with(&PRICES, "tea", price, Timestamp::from_millis(time), &Headers::NONE).await?;
/// }
/// app.settled().await?;
///
/// let prices = app.table(&PRICED);
/// assert_eq!(prices.get("tea").await?.map(|now| now.value), Some(8));
/// assert_eq!(prices.get_as_of("tea", 150).await?.map(|then| then.value), Some(7));
/// let versions = prices.versions("tea", Timestamp::ZERO..=Timestamp::from_millis(1_000)).await?;
/// assert_eq!(versions.iter().map(|version| version.value).collect::<Vec<_>>(), [7, 8]);
/// # app.close().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As those of a [`TableQuery`](crate::TableQuery).
pub struct VersionedQuery<K: 'static, V: 'static> {
    look: Look<VersionedStore<K, V>>,
}

impl<K: Send + 'static, V: Send + 'static> VersionedQuery<K, V> {
    /// The latest version of a row; `None` when the row is gone, or never was.
    pub async fn get(&self, key: impl Into<K>) -> Result<Option<Version<V>>, Error> {
        let (key, values) = (key.into(), self.values());
        let bytes = self.bytes(&key)?;
        let find = move |rows: &mut VersionedAccess<'_, K, V>| copied(&values, rows.get(&key)?);
        Ok(self.look.at(&bytes, find).await?.flatten())
    }

    /// The version of a row that was valid at a time.
    pub async fn get_as_of(&self, key: impl Into<K>, time: impl Into<Timestamp>) -> Result<Option<Version<V>>, Error> {
        let (key, time, values) = (key.into(), time.into(), self.values());
        let bytes = self.bytes(&key)?;
        let find = move |rows: &mut VersionedAccess<'_, K, V>| copied(&values, rows.get_as_of(&key, time)?);
        Ok(self.look.at(&bytes, find).await?.flatten())
    }

    /// The versions of a row that were valid at some time in `times`, both ends included, the oldest first.
    pub async fn versions(
        &self,
        key: impl Into<K>,
        times: RangeInclusive<Timestamp>,
    ) -> Result<Vec<Version<V>>, Error> {
        let (key, values) = (key.into(), self.values());
        let bytes = self.bytes(&key)?;
        let find = move |rows: &mut VersionedAccess<'_, K, V>| {
            let mut found = Vec::new();
            rows.versions(&key, times.clone(), Direction::Forward, |version| {
                found.push(copy(&values, version));
                ControlFlow::Continue(())
            })?;
            Ok(found.into_iter().collect::<Result<Vec<_>, _>>()?)
        };
        Ok(self.look.at(&bytes, find).await?.unwrap_or_default())
    }

    /// As [`TableQuery::at_least`](crate::TableQuery::at_least).
    #[must_use]
    pub fn at_least(&self, position: impl Into<Position>, limit: Duration) -> Self {
        VersionedQuery { look: self.look.by(self.look.query().at_least(&position.into(), limit)) }
    }

    /// As [`TableQuery::dirty`](crate::TableQuery::dirty): also what is not committed yet.
    #[must_use]
    pub fn dirty(&self) -> Self {
        VersionedQuery { look: self.look.by(self.look.query().dirty()) }
    }

    fn values(&self) -> SerdeRef<V> {
        self.look.store().value_serde().clone()
    }

    fn bytes(&self, key: &K) -> Result<Vec<u8>, SerdeError> {
        bytes_of(self.look.store().key_serde(), key)
    }
}

fn copied<V: 'static>(values: &SerdeRef<V>, version: Option<Version<&V>>) -> Result<Option<Version<V>>, ProcessError> {
    Ok(version.map(|version| copy(values, version)).transpose()?)
}

fn copy<V: 'static>(values: &SerdeRef<V>, version: Version<&V>) -> Result<Version<V>, SerdeError> {
    Ok(Version { value: copy_of(values, version.value)?, from: version.from, to: version.to })
}
