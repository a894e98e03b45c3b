//! Names a store and its types, in one place for builder, driver, application and queries.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};

use crate::serde::{Data, DefaultSerde, SerdeRef};

/// A store's name, key type and value type, with their serdes. Can be a constant:
///
/// ```
/// use tidemill_dsl::state::Store;
///
/// const COUNTS: Store<String, i64> = Store::of("counts");
/// assert_eq!(COUNTS.name(), "counts");
/// ```
#[derive(Debug)]
pub struct Store<K: 'static, V: 'static> {
    name: Cow<'static, str>,
    key: SerdeRef<K>,
    value: SerdeRef<V>,
}

impl<K, V> Clone for Store<K, V> {
    fn clone(&self) -> Self {
        Store { name: self.name.clone(), key: self.key.clone(), value: self.value.clone() }
    }
}

impl<K: DefaultSerde, V: DefaultSerde> Store<K, V> {
    /// A store whose key and value have serdes of their own.
    pub const fn of(name: &'static str) -> Self {
        Store { name: Cow::Borrowed(name), key: SerdeRef::of(), value: SerdeRef::of() }
    }
}

impl<K, V> Store<K, V>
where
    K: DefaultSerde,
    V: Data,
    V::Plain: Serialize + DeserializeOwned,
{
    /// A store of JSON values; the key has its own serde.
    pub const fn json(name: &'static str) -> Self {
        Store { name: Cow::Borrowed(name), key: SerdeRef::of(), value: SerdeRef::json() }
    }
}

impl<K, V> Store<K, V> {
    /// A store with a name known at run time, or with serdes of one's own.
    pub fn new(name: impl Into<String>, key: SerdeRef<K>, value: SerdeRef<V>) -> Self {
        Store { name: Cow::Owned(name.into()), key, value }
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
}
