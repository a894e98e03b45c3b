//! What can be asked of a session store.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::Timestamp;
use tidemill_dsl::state::{Direction, SessionAccess, SessionStore};
use tidemill_dsl::window::{Window, Windowed};

use super::look::{Look, bytes_of, copy_of};
use super::windowed::{Gathering, OrderedBy, WindowedRows};
use super::{Queryable, StoreQuery};
use crate::error::Error;
use crate::runtime::Position;

impl<K: Send + 'static, V: Send + 'static> Queryable for SessionStore<K, V> {
    type Query = SessionQuery<K, V>;

    fn query(&self, store: StoreQuery) -> SessionQuery<K, V> {
        SessionQuery { look: Arc::new(Look::new(store, self)) }
    }
}

/// A session store, ready to be asked. See [`App::table`](crate::App::table).
///
/// Answers are committed, as those of a [`TableQuery`](crate::TableQuery): wait for what was sent with
/// [`at_least`](Self::at_least), or ask [`dirty`](Self::dirty). Sessions of which the end is the retention or more behind the
/// greatest end are gone.
///
/// # Errors
///
/// As those of a [`TableQuery`](crate::TableQuery).
pub struct SessionQuery<K: 'static, V: 'static> {
    look: Arc<Look<SessionStore<K, V>>>,
}

impl<K: Send + 'static, V: Send + 'static> SessionQuery<K, V> {
    /// The value of one session; the key is asked of the partition that records with its bytes go to by default.
    pub async fn get(&self, key: impl Into<K>, session: Window) -> Result<Option<V>, Error> {
        let (key, values) = (key.into(), self.look.store().value_serde().clone());
        let bytes = bytes_of(self.look.store().key_serde(), &key)?;
        let find = move |rows: &mut SessionAccess<'_, K, V>| {
            Ok(rows.get(&key, session)?.map(|value| copy_of(&values, value)).transpose()?)
        };
        Ok(self.look.at(&bytes, find).await?.flatten())
    }

    /// The sessions of a key that overlap `times`, both ends included.
    pub fn find(&self, key: impl Into<K>, times: RangeInclusive<Timestamp>) -> WindowedRows<K, V> {
        let (look, key) = (self.look.clone(), key.into());
        WindowedRows::new(move |direction, limit| async move {
            let gathering = gathering(look.store(), direction, limit);
            let own = bytes_of(&gathering.keys, &key)?;
            let (how, bytes) = (gathering.clone(), own.clone());
            let find = move |rows: &mut SessionAccess<'_, K, V>| {
                how.gather(|visit| {
                    rows.find(&key, times.clone(), direction, |window, value| {
                        visit(how.keys.read(&bytes).map(|key| Windowed { key, window }), value)
                    })
                })
            };
            Ok(gathering.together(look.at(&own, find).await?))
        })
    }

    /// All sessions of a key.
    pub fn fetch(&self, key: impl Into<K>) -> WindowedRows<K, V> {
        self.find(key, ALL_TIMES)
    }

    /// The sessions that end in `ends` of the keys from `from` to `to`, both included, in the order of the keys' bytes; an
    /// absent bound is open.
    pub fn fetch_range(&self, from: Option<K>, to: Option<K>, ends: RangeInclusive<Timestamp>) -> WindowedRows<K, V> {
        let look = self.look.clone();
        WindowedRows::new(move |direction, limit| async move {
            let gathering = gathering(look.store(), direction, limit);
            let how = gathering.clone();
            let find = move |rows: &mut SessionAccess<'_, K, V>| {
                how.gather(|visit| {
                    let visit = |key, value: &V| visit(Ok(key), value);
                    rows.fetch_range(from.as_ref(), to.as_ref(), ends.clone(), direction, visit)
                })
            };
            Ok(gathering.together(look.everywhere(find).await?))
        })
    }

    /// All sessions of all keys.
    pub fn all(&self) -> WindowedRows<K, V> {
        self.fetch_range(None, None, ALL_TIMES)
    }

    /// As [`TableQuery::at_least`](crate::TableQuery::at_least).
    #[must_use]
    pub fn at_least(&self, position: impl Into<Position>, limit: Duration) -> Self {
        SessionQuery { look: Arc::new(self.look.by(self.look.query().at_least(&position.into(), limit))) }
    }

    /// As [`TableQuery::dirty`](crate::TableQuery::dirty): also what is not committed yet.
    #[must_use]
    pub fn dirty(&self) -> Self {
        SessionQuery { look: Arc::new(self.look.by(self.look.query().dirty())) }
    }
}

const ALL_TIMES: RangeInclusive<Timestamp> = Timestamp::ZERO..=Timestamp::from_millis(i64::MAX);

fn gathering<K, V>(store: &SessionStore<K, V>, direction: Direction, limit: usize) -> Gathering<K, V> {
    Gathering {
        keys: store.key_serde().clone(),
        values: store.value_serde().clone(),
        order: OrderedBy::End,
        direction,
        limit,
    }
}
