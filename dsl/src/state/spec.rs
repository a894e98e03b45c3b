//! How a store is kept: where its rows lie and what its changelog gets.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use super::{ByteStore, KeyValueState, StateStore, Store};

/// What a store writes to its changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Changelog {
    /// Every update, in order, as Kafka Streams does. Other programs can follow it like a stream.
    EveryUpdate,
    /// At each commit the last value of every row that changed. Enough to restore, and much less to write.
    LastPerCommit,
    /// Nothing: what the store's checkpoint does not have is lost with the process, an in-memory store as a whole.
    Off,
}

/// Where a store's rows lie between two starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Persistence {
    /// In the application's folder; after a start only what came after the checkpoint is restored.
    #[default]
    Disk,
    /// In memory; after a start the whole changelog is restored.
    Memory,
}

type MakeStore = dyn Fn(Changelog, Option<Box<dyn ByteStore>>, Option<usize>) -> Box<dyn StateStore> + Send + Sync;

/// A store of a topology: name, types, and how it is kept.
#[derive(Clone)]
pub struct StoreSpec {
    name: Arc<str>,
    persistence: Persistence,
    changelog: Option<Changelog>,
    rows_in_memory: Option<usize>,
    types: (TypeId, TypeId),
    shape: String,
    make: Arc<MakeStore>,
}

impl StoreSpec {
    /// A key-value store whose rows carry a time: what tables and aggregations use. It is kept on disk, and the
    /// application's default says what its changelog gets.
    pub fn timestamped<K: 'static, V: Send + 'static>(store: &Store<K, V>) -> Self {
        StoreSpec::key_value(store, true)
    }

    /// A key-value store without times, for processors.
    pub fn plain<K: 'static, V: Send + 'static>(store: &Store<K, V>) -> Self {
        StoreSpec::key_value(store, false)
    }

    fn key_value<K: 'static, V: Send + 'static>(store: &Store<K, V>, timestamped: bool) -> Self {
        let name: Arc<str> = store.name().into();
        let (store, kept_name) = (store.clone(), name.clone());
        let kind = if timestamped { "timestamped key-value" } else { "key-value" };
        StoreSpec {
            shape: format!("{kind} {} -> {}", store.key_serde().name(), store.value_serde().name()),
            types: (TypeId::of::<K>(), TypeId::of::<V>()),
            persistence: Persistence::default(),
            changelog: None,
            rows_in_memory: None,
            make: Arc::new(move |changelog, below, rows| {
                let state = KeyValueState::new(kept_name.clone(), &store, timestamped, changelog, below);
                Box::new(match rows {
                    Some(rows) => state.rows_in_memory(rows),
                    None => state,
                })
            }),
            name,
        }
    }

    /// Keeps the rows in memory only.
    #[must_use]
    pub fn in_memory(self) -> Self {
        StoreSpec { persistence: Persistence::Memory, ..self }
    }

    /// Says what the changelog gets, whatever the application's default is.
    #[must_use]
    pub fn changelog(self, changelog: Changelog) -> Self {
        StoreSpec { changelog: Some(changelog), ..self }
    }

    /// Says how many rows of a task's part all stay in memory when the store is kept on disk; of more, those not used
    /// between two flushes go. Without this call it is 100,000.
    #[must_use]
    pub fn rows_in_memory(self, rows: usize) -> Self {
        StoreSpec { rows_in_memory: Some(rows), ..self }
    }

    /// The name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where the rows lie.
    pub fn persistence(&self) -> Persistence {
        self.persistence
    }

    /// What the changelog gets, if the topology says so.
    pub fn changelog_declared(&self) -> Option<Changelog> {
        self.changelog
    }

    /// Kind and serdes in words: `timestamped key-value string -> json`.
    pub fn shape(&self) -> &str {
        &self.shape
    }

    pub(crate) fn holds<K: 'static, V: 'static>(&self) -> bool {
        self.types == (TypeId::of::<K>(), TypeId::of::<V>())
    }

    /// Makes the store of one task, over the bytes of an earlier run if it is kept on disk.
    pub fn open(&self, default: Changelog, below: Option<Box<dyn ByteStore>>) -> Box<dyn StateStore> {
        (self.make)(self.changelog.unwrap_or(default), below, self.rows_in_memory)
    }
}

impl fmt::Debug for StoreSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreSpec({}: {})", self.name, self.shape)
    }
}
