//! Names a versioned store and its types, and puts it into the hands of a processor.

use std::borrow::Cow;
use std::ops::{ControlFlow, RangeInclusive};
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use super::{ChangelogOut, Descriptor, Direction, Put, Version, VersionedState};
use crate::processor::{Flow, ProcessError};
use crate::record::Timestamp;
use crate::serde::{Data, DefaultSerde, SerdeRef};

/// The name of a store that knows what a row was at an earlier time: key type and value type, with their serdes, and how
/// long versions are kept. Can be a constant:
///
/// ```
/// use std::time::Duration;
/// use tidemill_dsl::state::VersionedStore;
///
/// const PRICES: VersionedStore<String, i64> = VersionedStore::of("prices", Duration::from_secs(3600));
/// assert_eq!(PRICES.name(), "prices");
/// ```
///
/// Versions are kept for `retention` back from the greatest time put; what is older than that is not taken any more. The
/// latest version of a row stays for ever.
#[derive(Debug)]
pub struct VersionedStore<K: 'static, V: 'static> {
    name: Cow<'static, str>,
    key: SerdeRef<K>,
    value: SerdeRef<V>,
    retention: Duration,
}

impl<K, V> Clone for VersionedStore<K, V> {
    fn clone(&self) -> Self {
        let (key, value) = (self.key.clone(), self.value.clone());
        VersionedStore { name: self.name.clone(), key, value, retention: self.retention }
    }
}

impl<K: DefaultSerde, V: DefaultSerde> VersionedStore<K, V> {
    /// A store whose key and value have serdes of their own.
    pub const fn of(name: &'static str, retention: Duration) -> Self {
        VersionedStore { name: Cow::Borrowed(name), key: SerdeRef::of(), value: SerdeRef::of(), retention }
    }
}

impl<K, V> VersionedStore<K, V>
where
    K: DefaultSerde,
    V: Data,
    V::Plain: Serialize + DeserializeOwned,
{
    /// A store of JSON values; the key has its own serde.
    pub const fn json(name: &'static str, retention: Duration) -> Self {
        VersionedStore { name: Cow::Borrowed(name), key: SerdeRef::of(), value: SerdeRef::json(), retention }
    }
}

impl<K, V> VersionedStore<K, V> {
    /// A store with a name known at run time, or with serdes of one's own.
    pub fn new(name: impl Into<String>, key: SerdeRef<K>, value: SerdeRef<V>, retention: Duration) -> Self {
        VersionedStore { name: Cow::Owned(name.into()), key, value, retention }
    }

    /// The name. Part of the data format: the changelog is called after it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The serde of keys.
    pub fn key_serde(&self) -> &SerdeRef<K> {
        &self.key
    }

    /// The serde of values.
    pub fn value_serde(&self) -> &SerdeRef<V> {
        &self.value
    }

    /// How long versions are kept, back from the greatest time put.
    pub fn retention(&self) -> Duration {
        self.retention
    }
}

impl<K: 'static, V: Send + 'static> Descriptor for VersionedStore<K, V> {
    type State = VersionedState<K, V>;
    type Access<'a> = VersionedAccess<'a, K, V>;

    fn name(&self) -> &str {
        VersionedStore::name(self)
    }

    fn access<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Access<'a> {
        VersionedAccess { state, out }
    }
}

/// A versioned store in the hands of a processor.
pub struct VersionedAccess<'a, K: 'static, V: 'static> {
    state: &'a mut VersionedState<K, V>,
    out: ChangelogOut<'a>,
}

impl<K: 'static, V: Send + 'static> VersionedAccess<'_, K, V> {
    /// The latest version of a row; `None` when the row is gone, or never was.
    pub fn get(&mut self, key: &K) -> Result<Option<Version<&V>>, ProcessError> {
        Ok(self.state.get(key)?)
    }

    /// The version of a row that was valid at a time. For a time before the retention that is the latest version or none.
    pub fn get_as_of(&mut self, key: &K, time: Timestamp) -> Result<Option<Version<&V>>, ProcessError> {
        Ok(self.state.get_as_of(key, time)?)
    }

    /// Visits the versions of a row that were valid at some time in `times`, both ends included, in the order of times, until
    /// `visit` breaks. Where all of `times` lies before the retention, that is the latest version or none.
    pub fn versions(
        &mut self,
        key: &K,
        times: RangeInclusive<Timestamp>,
        direction: Direction,
        mut visit: impl FnMut(Version<&V>) -> ControlFlow<()>,
    ) -> Flow {
        Ok(self.state.walk_versions(key, &times, direction, &mut visit)?)
    }

    /// Sets the version of a row that is valid from `from` until the next one that is there.
    pub fn put(&mut self, key: &K, value: V, from: Timestamp) -> Result<Put, ProcessError> {
        Ok(self.state.put(key, Some(value), from, &mut self.out)?)
    }

    /// Says that a row is gone from `from` until the next version that is there, and gives the version that was valid then.
    pub fn delete(&mut self, key: &K, from: Timestamp) -> Result<Option<Version<V>>, ProcessError> {
        let old = self.state.fetch_as_of(key, from)?;
        let put = self.state.put(key, None, from, &mut self.out)?;
        Ok(old.filter(|_| put != Put::Dropped))
    }
}
