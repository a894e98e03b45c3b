//! Names of stores of windows and of sessions, with their types.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};

use super::{Descriptor, SessionAccess, SessionState, StateStore, WindowAccess, WindowState};
use crate::serde::{Data, DefaultSerde, SerdeRef};
use crate::state::ChangelogOut;

macro_rules! store_descriptor {
    ($(#[$doc:meta])* $store:ident, $state:ident, $access:ident, $example:literal) => {
        $(#[$doc])*
        ///
        /// `K` is the key's own type, without a window. Can be a constant:
        ///
        /// ```
        #[doc = $example]
        /// ```
        #[derive(Debug)]
        pub struct $store<K: 'static, V: 'static> {
            name: Cow<'static, str>,
            key: SerdeRef<K>,
            value: SerdeRef<V>,
        }

        impl<K, V> Clone for $store<K, V> {
            fn clone(&self) -> Self {
                $store { name: self.name.clone(), key: self.key.clone(), value: self.value.clone() }
            }
        }

        impl<K: DefaultSerde, V: DefaultSerde> $store<K, V> {
            /// A store whose key and value have serdes of their own.
            pub const fn of(name: &'static str) -> Self {
                $store { name: Cow::Borrowed(name), key: SerdeRef::of(), value: SerdeRef::of() }
            }
        }

        impl<K, V> $store<K, V>
        where
            K: DefaultSerde,
            V: Data,
            V::Plain: Serialize + DeserializeOwned,
        {
            /// A store of JSON values; the key has its own serde.
            pub const fn json(name: &'static str) -> Self {
                $store { name: Cow::Borrowed(name), key: SerdeRef::of(), value: SerdeRef::json() }
            }
        }

        impl<K, V> $store<K, V> {
            /// A store with a name known at run time, or with serdes of one's own.
            pub fn new(name: impl Into<String>, key: SerdeRef<K>, value: SerdeRef<V>) -> Self {
                $store { name: Cow::Owned(name.into()), key, value }
            }

            /// The name. Part of the data format: the changelog is called after it.
            pub fn name(&self) -> &str {
                &self.name
            }

            /// The serde of keys, without their windows.
            pub fn key_serde(&self) -> &SerdeRef<K> {
                &self.key
            }

            /// The serde of values.
            pub fn value_serde(&self) -> &SerdeRef<V> {
                &self.value
            }
        }

        impl<K: 'static, V: Send + 'static> Descriptor for $store<K, V>
        where
            $state<K, V>: StateStore,
        {
            type State = $state<K, V>;
            type Access<'a> = $access<'a, K, V>;

            fn name(&self) -> &str {
                $store::name(self)
            }

            fn access<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Access<'a> {
                $access::new(state, out)
            }
        }
    };
}

store_descriptor!(
    /// A window store's name, key type and value type, with their serdes: rows by key and start of a window.
    WindowStore,
    WindowState,
    WindowAccess,
    r#"use tidemill_dsl::state::WindowStore;

const COUNTS: WindowStore<String, i64> = WindowStore::of("counts-per-minute");
assert_eq!(COUNTS.name(), "counts-per-minute");"#
);

store_descriptor!(
    /// A session store's name, key type and value type, with their serdes: rows by key, end and start of a session.
    SessionStore,
    SessionState,
    SessionAccess,
    r#"use tidemill_dsl::state::SessionStore;

const VISITS: SessionStore<String, i64> = SessionStore::of("visits");
assert_eq!(VISITS.name(), "visits");"#
);
