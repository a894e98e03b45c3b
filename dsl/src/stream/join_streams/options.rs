//! The options of a join of two streams.

use std::collections::BTreeMap;

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
    keeping: Keeping,
}

impl<K, V, W> Default for StreamJoined<K, V, W> {
    /// Stores on disk with numbered names, and the types' own serdes.
    fn default() -> Self {
        let (names, keeping) = (StoreNames::Numbered, Keeping::default());
        StreamJoined { key: None, left: None, right: None, names, keeping }
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
    pub fn in_memory(mut self) -> Self {
        self.keeping.in_memory = true;
        self
    }

    /// Says what the changelogs get, whatever the application's default is.
    #[must_use]
    pub fn changelog(mut self, changelog: Changelog) -> Self {
        self.keeping.changelog = Some(changelog);
        self
    }

    /// Sets something of the topics that are the stores' changelogs, by its name in Kafka: see
    /// [`StoreSpec::changelog_setting`].
    #[must_use]
    pub fn changelog_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.keeping.settings.insert(name.into(), value.into());
        self
    }

    pub(super) fn keeping(&self) -> Keeping {
        self.keeping.clone()
    }
}

/// How the stores of a join are kept.
#[derive(Clone, Default)]
pub(super) struct Keeping {
    pub(super) in_memory: bool,
    changelog: Option<Changelog>,
    /// Of the changelogs' topics, by their names in Kafka.
    settings: BTreeMap<String, String>,
}

impl Keeping {
    pub(super) fn of(&self, spec: StoreSpec) -> StoreSpec {
        let spec = if self.in_memory { spec.in_memory() } else { spec };
        let set = |spec: StoreSpec, (name, value): (&String, &String)| spec.changelog_setting(name, value);
        let spec = self.settings.iter().fold(spec, set);
        match self.changelog {
            Some(changelog) => spec.changelog(changelog),
            None => spec,
        }
    }
}
