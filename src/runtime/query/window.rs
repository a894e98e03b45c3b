//! What can be asked of a window store.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::Timestamp;
use tidemill_dsl::state::{Direction, WindowAccess, WindowStore};
use tidemill_dsl::window::Windowed;

use super::look::{Look, bytes_of, copy_of};
use super::windowed::{Gathering, OrderedBy, WindowedRows};
use super::{Queryable, StoreQuery};
use crate::error::Error;
use crate::runtime::Position;

impl<K: Send + 'static, V: Send + 'static> Queryable for WindowStore<K, V> {
    type Query = WindowQuery<K, V>;

    fn query(&self, store: StoreQuery) -> WindowQuery<K, V> {
        WindowQuery { look: Arc::new(Look::new(store, self)) }
    }
}

/// A window store, ready to be asked. See [`App::table`](crate::App::table).
///
/// Answers are committed, as those of a [`TableQuery`](crate::TableQuery): wait for what was sent with
/// [`at_least`](Self::at_least), or ask [`dirty`](Self::dirty). Times in ranges are starts of windows, both ends included.
/// Windows of which the start is the retention or more behind the greatest start are gone.
///
/// ```
/// # use std::time::Duration;
/// use tidemill::prelude::*;
/// use tidemill::record::Timestamp;
///
/// const CLICKS: Topic<String, i64> = Topic::of("clicks");
/// const PER_MINUTE: WindowStore<String, i64> = WindowStore::of("per-minute");
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = StreamsBuilder::new();
/// let minutes = Tumbling::of(Duration::from_secs(60));
/// let kept = Materialized::windows(&PER_MINUTE).retention(Duration::from_secs(3_600));
/// builder.stream(&CLICKS).group_by_key().windowed_by(minutes).count_with(kept);
/// let app = App::builder("clicks", builder.build()?).memory().start().await?;
/// for time in [1_000, 2_000, 61_000] {
///     app.send_with(&CLICKS, "home", 1, Timestamp::from_millis(time), &Headers::NONE).await?;
/// }
/// app.settled().await?;
///
/// let per_minute = app.table(&PER_MINUTE);
/// assert_eq!(per_minute.get("home", 60_000).await?, Some(1));
/// let first = Timestamp::ZERO..=Timestamp::from_millis(59_999);
/// let counts: Vec<i64> = per_minute.fetch("home", first).await?.into_iter().map(|(_, count)| count).collect();
/// assert_eq!(counts, [2]);
/// # app.close().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As those of a [`TableQuery`](crate::TableQuery).
pub struct WindowQuery<K: 'static, V: 'static> {
    look: Arc<Look<WindowStore<K, V>>>,
}

impl<K: Send + 'static, V: Send + 'static> WindowQuery<K, V> {
    /// The value of a key in the window that begins at `start`; the key is asked of the partition that records with its bytes
    /// go to by default.
    pub async fn get(&self, key: impl Into<K>, start: impl Into<Timestamp>) -> Result<Option<V>, Error> {
        Ok(self.get_with_time(key, start).await?.map(|(value, _)| value))
    }

    /// The value of a key in a window, and the time of its last update; a store without times says 0.
    pub async fn get_with_time(
        &self,
        key: impl Into<K>,
        start: impl Into<Timestamp>,
    ) -> Result<Option<(V, Timestamp)>, Error> {
        let (key, start, values) = (key.into(), start.into(), self.look.store().value_serde().clone());
        let bytes = bytes_of(self.look.store().key_serde(), &key)?;
        let find = move |rows: &mut WindowAccess<'_, K, V>| {
            let found = rows.get_with_time(&key, start)?;
            Ok(found.map(|(value, time)| copy_of(&values, value).map(|value| (value, time))).transpose()?)
        };
        Ok(self.look.at(&bytes, find).await?.flatten())
    }

    /// The windows of a key that begin in `starts`.
    pub fn fetch(&self, key: impl Into<K>, starts: RangeInclusive<Timestamp>) -> WindowedRows<K, V> {
        let (look, key) = (self.look.clone(), key.into());
        WindowedRows::new(move |direction, limit| async move {
            let gathering = gathering(look.store(), direction, limit);
            let own = bytes_of(&gathering.keys, &key)?;
            let (how, bytes) = (gathering.clone(), own.clone());
            let find = move |rows: &mut WindowAccess<'_, K, V>| {
                how.gather(|visit| {
                    rows.fetch(&key, starts.clone(), direction, |window, value| {
                        visit(how.keys.read(&bytes).map(|key| Windowed { key, window }), value)
                    })
                })
            };
            Ok(gathering.together(look.at(&own, find).await?))
        })
    }

    /// The windows that begin in `starts` of the keys from `from` to `to`, both included, in the order of the keys' bytes; an
    /// absent bound is open.
    pub fn fetch_range(&self, from: Option<K>, to: Option<K>, starts: RangeInclusive<Timestamp>) -> WindowedRows<K, V> {
        let look = self.look.clone();
        WindowedRows::new(move |direction, limit| async move {
            let gathering = gathering(look.store(), direction, limit);
            let how = gathering.clone();
            let find = move |rows: &mut WindowAccess<'_, K, V>| {
                how.gather(|visit| {
                    let visit = |key, value: &V| visit(Ok(key), value);
                    rows.fetch_range(from.as_ref(), to.as_ref(), starts.clone(), direction, visit)
                })
            };
            Ok(gathering.together(look.everywhere(find).await?))
        })
    }

    /// The windows that begin in `starts`, of all keys.
    pub fn fetch_all(&self, starts: RangeInclusive<Timestamp>) -> WindowedRows<K, V> {
        self.fetch_range(None, None, starts)
    }

    /// All windows of all keys.
    pub fn all(&self) -> WindowedRows<K, V> {
        self.fetch_all(Timestamp::ZERO..=Timestamp::from_millis(i64::MAX))
    }

    /// As [`TableQuery::at_least`](crate::TableQuery::at_least).
    #[must_use]
    pub fn at_least(&self, position: impl Into<Position>, limit: Duration) -> Self {
        WindowQuery { look: Arc::new(self.look.by(self.look.query().at_least(&position.into(), limit))) }
    }

    /// As [`TableQuery::dirty`](crate::TableQuery::dirty): also what is not committed yet.
    #[must_use]
    pub fn dirty(&self) -> Self {
        WindowQuery { look: Arc::new(self.look.by(self.look.query().dirty())) }
    }
}

fn gathering<K, V>(store: &WindowStore<K, V>, direction: Direction, limit: usize) -> Gathering<K, V> {
    Gathering {
        keys: store.key_serde().clone(),
        values: store.value_serde().clone(),
        order: OrderedBy::Start,
        direction,
        limit,
    }
}
