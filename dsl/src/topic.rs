//! Names a topic and its types, in one place for builder, driver, application and queries.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};

use crate::serde::{Data, DefaultSerde, SerdeRef};

/// A topic's name, key type and value type, with their serdes. Can be a constant:
///
/// ```
/// use tidemill_dsl::Topic;
///
/// const CLICKS: Topic<String, i64> = Topic::of("clicks");
/// const PAGES: Topic<String, Option<Vec<String>>> = Topic::json("pages"); // nulls allowed
/// assert_eq!((CLICKS.name(), PAGES.name()), ("clicks", "pages"));
/// ```
#[derive(Debug)]
pub struct Topic<K: 'static, V: 'static> {
    name: Cow<'static, str>,
    key: SerdeRef<K>,
    value: SerdeRef<V>,
}

impl<K, V> Clone for Topic<K, V> {
    fn clone(&self) -> Self {
        Topic { name: self.name.clone(), key: self.key.clone(), value: self.value.clone() }
    }
}

impl<K: DefaultSerde, V: DefaultSerde> Topic<K, V> {
    /// A topic whose key and value have serdes of their own.
    pub const fn of(name: &'static str) -> Self {
        Topic { name: Cow::Borrowed(name), key: SerdeRef::of(), value: SerdeRef::of() }
    }
}

impl<K, V> Topic<K, V>
where
    K: DefaultSerde,
    V: Data,
    V::Plain: Serialize + DeserializeOwned,
{
    /// A topic of JSON values; the key has its own serde.
    pub const fn json(name: &'static str) -> Self {
        Topic { name: Cow::Borrowed(name), key: SerdeRef::of(), value: SerdeRef::json() }
    }
}

impl<K, V> Topic<K, V> {
    /// A topic with a name known at run time, or with serdes of one's own.
    pub fn new(name: impl Into<String>, key: SerdeRef<K>, value: SerdeRef<V>) -> Self {
        Topic { name: Cow::Owned(name.into()), key, value }
    }

    /// The name.
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
