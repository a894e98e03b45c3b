//! The options of a join of two streams.

use crate::serde::SerdeRef;
use crate::state::{Changelog, StoreSpec, WindowStore};

/// What the stores of a join are called.
pub(super) enum StoreNames {
    /// After the join's nodes, with their numbers.
    Numbered,
    /// After a name of the author's.
    After(String),
    /// Each by its own name.
    Each(String, String),
}

/// How two streams are joined: what their stores are called and how they are kept, and the serdes.
///
/// The types are those of keys and values that are there, without `Option`.
pub struct StreamJoined<K: 'static, V: 'static, W: 'static> {
    pub(super) key: Option<SerdeRef<K>>,
    pub(super) left: Option<SerdeRef<V>>,
    pub(super) right: Option<SerdeRef<W>>,
    pub(super) names: StoreNames,
    in_memory: bool,
    changelog: Option<Changelog>,
}

impl<K, V, W> Default for StreamJoined<K, V, W> {
    /// Stores on disk with numbered names, and the types' own serdes.
    fn default() -> Self {
        let names = StoreNames::Numbered;
        StreamJoined { key: None, left: None, right: None, names, in_memory: false, changelog: None }
    }
}

impl<K, V, W> StreamJoined<K, V, W> {
    /// In stores called after this name: `<name>-this-join-store`, `<name>-other-join-store` and, for the records that wait
    /// until they can meet none any more, `<name>-left-shared-join-store`. Sides whose records come out unmatched have
    /// `-outer-other-join-store` and `-outer-this-join-store`, both `-outer-shared-join-store`.
    pub fn store(name: &str) -> Self {
        StreamJoined { names: StoreNames::After(name.to_owned()), ..StreamJoined::default() }
    }

    /// In the stores that the descriptors name, with their serdes; the key's is the left one's. The store of the records that
    /// wait is called after the left one.
    pub fn stores(left: &WindowStore<K, V>, right: &WindowStore<K, W>) -> Self {
        StreamJoined {
            key: Some(left.key_serde().clone()),
            left: Some(left.value_serde().clone()),
            right: Some(right.value_serde().clone()),
            names: StoreNames::Each(left.name().to_owned(), right.name().to_owned()),
            ..StreamJoined::default()
        }
    }

    /// With these serdes, for the stores and for repartition topics, in place of those that the types or the sources have.
    #[must_use]
    pub fn serdes(self, key: SerdeRef<K>, left: SerdeRef<V>, right: SerdeRef<W>) -> Self {
        StreamJoined { key: Some(key), left: Some(left), right: Some(right), ..self }
    }

    /// Keeps the records in memory only: after a start the whole changelogs are read.
    #[must_use]
    pub fn in_memory(self) -> Self {
        StreamJoined { in_memory: true, ..self }
    }

    /// Says what the changelogs get, whatever the application's default is.
    #[must_use]
    pub fn changelog(self, changelog: Changelog) -> Self {
        StreamJoined { changelog: Some(changelog), ..self }
    }

    pub(super) fn keeping(&self) -> Keeping {
        Keeping { in_memory: self.in_memory, changelog: self.changelog }
    }
}

/// How the stores of a join are kept.
#[derive(Clone, Copy)]
pub(super) struct Keeping {
    pub(super) in_memory: bool,
    changelog: Option<Changelog>,
}

impl Keeping {
    pub(super) fn of(self, spec: StoreSpec) -> StoreSpec {
        let spec = if self.in_memory { spec.in_memory() } else { spec };
        match self.changelog {
            Some(changelog) => spec.changelog(changelog),
            None => spec,
        }
    }
}
