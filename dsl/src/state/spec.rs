//! How a store is kept: where its rows lie and what its changelog gets.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::cache::{CacheLimit, CacheSpec};
use super::{
    BufferState, ByteStore, Kept, KeptHeaders, KeyValueState, RowFormat, SessionKeeping, SessionState, SessionStore,
    StateStore, Store, VersionedState, VersionedStore, WindowKeeping, WindowState, WindowStore,
};
use crate::serde::SerdeRef;
use crate::topology::{TaskSettings, TopicKind};
use crate::window::{WindowEnds, millis};

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

/// When the nodes below a store, and its changelog, get a change of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Emit {
    /// At once: every update, in order.
    EveryUpdate,
    /// When the application's record cache lets go of it, as in Kafka Streams: at the commit, or earlier when the cache is
    /// full. An application without a cache, which is the default, sends it at once.
    #[default]
    Cached,
    /// At the commit: the last update of each row, in the order of those.
    OnCommit,
}

/// How long a store keeps what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lifetime {
    /// Rows until they are deleted.
    UntilDeleted,
    /// Rows of windows or sessions so long, in record time.
    Windows(Duration),
    /// As windows, and several rows of one key and window.
    Duplicates(Duration),
    /// What rows were so long ago, in record time.
    Versions(Duration),
}

type MakeStore = dyn Fn(Kept) -> Box<dyn StateStore> + Send + Sync;

/// A store of a topology: name, types, and how it is kept.
#[derive(Clone)]
pub struct StoreSpec {
    name: Arc<str>,
    persistence: Persistence,
    changelog: Option<Changelog>,
    /// Of the changelog's topic, by their names in Kafka.
    settings: BTreeMap<String, String>,
    source: Option<Arc<str>>,
    rows_in_memory: Option<usize>,
    emit: Emit,
    kept: Lifetime,
    headers: Option<KeptHeaders>,
    /// Whether the program's `StoreFormat` decides on the headers.
    of_table: bool,
    state: TypeId,
    shape: String,
    make: Arc<MakeStore>,
}

impl StoreSpec {
    /// A key-value store whose rows carry a time: what tables and aggregations use. It is kept on disk, and the
    /// application's default says what its changelog gets.
    pub fn timestamped<K: 'static, V: Send + 'static>(store: &Store<K, V>) -> Self {
        StoreSpec::key_value(store, RowFormat::Timestamped)
    }

    /// A key-value store without times, for processors.
    pub fn plain<K: 'static, V: Send + 'static>(store: &Store<K, V>) -> Self {
        StoreSpec::key_value(store, RowFormat::Plain)
    }

    fn key_value<K: 'static, V: Send + 'static>(store: &Store<K, V>, format: RowFormat) -> Self {
        let kind = match format {
            RowFormat::Timestamped => "timestamped key-value",
            _ => "key-value",
        };
        let shape = format!("{kind} {} -> {}", store.key_serde().name(), store.value_serde().name());
        let (name, store): (Arc<str>, _) = (store.name().into(), store.clone());
        StoreSpec::new(name.clone(), shape, move |kept| KeyValueState::new(name.clone(), &store, format, kept))
    }

    /// A store that knows what its rows were, for tables and processors. No cache ever holds its changes back.
    pub fn versioned<K: 'static, V: Send + 'static>(store: &VersionedStore<K, V>) -> Self {
        let (key, value) = (store.key_serde().name(), store.value_serde().name());
        let shape = format!("versioned key-value {key} -> {value}");
        let kept = Lifetime::Versions(store.retention());
        let (name, store): (Arc<str>, _) = (store.name().into(), store.clone());
        let make = StoreSpec::new(name.clone(), shape, move |kept| VersionedState::new(name.clone(), &store, kept));
        StoreSpec { kept, ..make }
    }

    /// A window store whose rows carry no times, for processors: windows of `size`, kept for `retention` of record time behind
    /// the greatest start.
    pub fn window<K: Send + 'static, V: Send + 'static>(
        store: &WindowStore<K, V>,
        size: Duration,
        retention: Duration,
    ) -> Self {
        let (size, retention) = (millis(size), millis(retention));
        let keeping = WindowKeeping { ends: WindowEnds::Size(size), retention, duplicates: None, closing: false };
        StoreSpec::windowed(store, RowFormat::Plain, keeping)
    }

    /// A window store of any keeping.
    pub(crate) fn windowed<K: Send + 'static, V: Send + 'static>(
        store: &WindowStore<K, V>,
        format: RowFormat,
        keeping: WindowKeeping,
    ) -> Self {
        let kind = if format.has_time() { "timestamped window" } else { "window" };
        let (size, retention) = (keeping.ends.size(), keeping.retention);
        let (key, value) = (store.key_serde().name(), store.value_serde().name());
        let shape = format!("{kind} of {size} ms {key} -> {value}");
        let duplicates = keeping.duplicates.is_some();
        let (name, store): (Arc<str>, _) = (store.name().into(), store.clone());
        let make = StoreSpec::new(name.clone(), shape, move |kept| {
            WindowState::new(name.clone(), &store, format, keeping.clone(), kept)
        });
        let make = make.retained(retention);
        match make.kept {
            Lifetime::Windows(retention) if duplicates => StoreSpec { kept: Lifetime::Duplicates(retention), ..make },
            _ => make,
        }
    }

    /// A session store, for processors: sessions are kept for `retention` of record time behind the greatest end.
    pub fn session<K: Send + 'static, V: Send + 'static>(store: &SessionStore<K, V>, retention: Duration) -> Self {
        StoreSpec::sessions(store, SessionKeeping { retention: millis(retention), closing: false })
    }

    /// A session store of any keeping.
    pub(crate) fn sessions<K: Send + 'static, V: Send + 'static>(
        store: &SessionStore<K, V>,
        keeping: SessionKeeping,
    ) -> Self {
        let shape = format!("session {} -> {}", store.key_serde().name(), store.value_serde().name());
        let (name, store): (Arc<str>, _) = (store.name().into(), store.clone());
        let make =
            StoreSpec::new(name.clone(), shape, move |kept| SessionState::new(name.clone(), &store, keeping, kept));
        make.retained(keeping.retention)
    }

    /// A buffer of changes that wait. Its changelog gets the last state of a key at each commit, as in Kafka Streams.
    pub(crate) fn buffer<K: Send + 'static, V: Clone + Send + 'static>(
        name: &Arc<str>,
        serdes: (SerdeRef<K>, SerdeRef<V>),
        counts_bytes: bool,
    ) -> Self {
        let shape = format!("buffer {} -> {}", serdes.0.name(), serdes.1.name());
        let buffer = name.clone();
        let make = move |kept| BufferState::new(buffer.clone(), serdes.clone(), counts_bytes, kept);
        StoreSpec::new(name.clone(), shape, make).changelog(Changelog::LastPerCommit)
    }

    fn retained(self, retention: i64) -> Self {
        StoreSpec { kept: Lifetime::Windows(Duration::from_millis(retention.max(0).unsigned_abs())), ..self }
    }

    /// A store of any kind: its name, its kind and serdes in words, and what makes one for a task.
    pub(crate) fn new<S: StateStore>(
        name: Arc<str>,
        shape: String,
        make: impl Fn(Kept) -> S + Send + Sync + 'static,
    ) -> Self {
        StoreSpec {
            name,
            shape,
            state: TypeId::of::<S>(),
            persistence: Persistence::default(),
            changelog: None,
            settings: BTreeMap::new(),
            source: None,
            rows_in_memory: None,
            emit: Emit::EveryUpdate,
            kept: Lifetime::UntilDeleted,
            headers: None,
            of_table: false,
            make: Arc::new(move |kept| Box::new(make(kept))),
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

    /// Sets something of the changelog's topic, by its name in Kafka: `withLoggingEnabled` of Kafka Streams. It counts when the
    /// topic is created. The logs of this engine know `cleanup.policy`, `retention.ms`, `retention.bytes`, `delete.retention.ms` and
    /// `min.compaction.lag.ms`; what else there is, brokers know.
    ///
    /// ```
    /// use tidemill_dsl::state::{Store, StoreSpec};
    ///
    /// const SEEN: Store<String, i64> = Store::of("seen");
    ///
    /// // A delete is told for a week, to those who follow the changelog.
    /// let spec = StoreSpec::plain(&SEEN).changelog_setting("delete.retention.ms", "604800000");
    /// assert_eq!(spec.changelog_settings()["delete.retention.ms"], "604800000");
    /// ```
    #[must_use]
    pub fn changelog_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Says how many rows of a task's part all stay in memory when the store is kept on disk; of more, those not used
    /// between two flushes go. Without this call only the application's memory limits them.
    #[must_use]
    pub fn rows_in_memory(self, rows: usize) -> Self {
        StoreSpec { rows_in_memory: Some(rows), ..self }
    }

    /// Says when the nodes below and the changelog get a change. A store for processors gets each at once unless told
    /// otherwise; nothing is below it, so there it is a matter of the changelog alone.
    #[must_use]
    pub fn emit(self, emit: Emit) -> Self {
        StoreSpec { emit, ..self }
    }

    /// Keeps headers with rows, as Kafka Streams' stores with headers do (KIP-1271): those that a processor gives with a row.
    /// The changelog has them as the headers of its records.
    #[must_use]
    pub fn with_headers(self) -> Self {
        self.keeping_headers(KeptHeaders::Given)
    }

    /// Keeps these headers with rows.
    #[must_use]
    pub(crate) fn keeping_headers(self, headers: KeptHeaders) -> Self {
        let shape = format!("{} with headers", self.shape);
        StoreSpec { headers: Some(headers), shape, ..self }
    }

    /// Restores the rows from the topic that they are read from, in place of a changelog of their own: a table's, with the
    /// serdes of that topic.
    #[must_use]
    pub(crate) fn restored_from(self, topic: &str) -> Self {
        StoreSpec { source: Some(topic.into()), changelog: Some(Changelog::Off), ..self }
    }

    /// Says that the store is a table's, of a kind that can keep headers.
    #[must_use]
    pub(crate) fn of_table(self) -> Self {
        StoreSpec { of_table: true, ..self }
    }

    pub(crate) fn is_of_table(&self) -> bool {
        self.of_table
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

    /// What the topology sets of the changelog's topic.
    pub fn changelog_settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// How long rows are kept, in record time; `None`: until they are deleted.
    pub fn retention(&self) -> Option<Duration> {
        match self.kept {
            Lifetime::Windows(retention) | Lifetime::Duplicates(retention) => Some(retention),
            Lifetime::UntilDeleted | Lifetime::Versions(_) => None,
        }
    }

    /// What a changelog of the store has to keep.
    pub fn changelog_kind(&self) -> TopicKind {
        match self.kept {
            Lifetime::UntilDeleted => TopicKind::Changelog,
            Lifetime::Windows(retention) => TopicKind::WindowChangelog { retention },
            Lifetime::Duplicates(retention) => TopicKind::DuplicatesChangelog { retention },
            Lifetime::Versions(retention) => TopicKind::VersionedChangelog { retention },
        }
    }

    /// The topic that the rows are read from and restored from, where that takes the place of a changelog.
    pub fn source_topic(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Kind and serdes in words: `timestamped key-value string -> json`.
    pub fn shape(&self) -> &str {
        &self.shape
    }

    /// Whether the store is of this kind, with these types.
    pub fn is<S: StateStore>(&self) -> bool {
        self.state == TypeId::of::<S>()
    }

    /// Whether both describe the same store: of one name, kind and types, kept the same way.
    pub(crate) fn is_same(&self, other: &StoreSpec) -> bool {
        let of = |spec: &StoreSpec| {
            (spec.state, spec.persistence, spec.changelog, spec.rows_in_memory, spec.emit, spec.kept)
        };
        let named = |spec: &StoreSpec| (spec.name.clone(), spec.shape.clone(), spec.source.clone());
        named(self) == named(other) && of(self) == of(other) && self.settings == other.settings
    }

    /// Makes the store over the rows that a commit left.
    pub(super) fn open_committed(&self, rows: Box<dyn ByteStore>) -> Box<dyn StateStore> {
        (self.make)(Kept {
            changelog: Changelog::Off,
            below: Some(rows),
            rows_in_memory: None,
            headers: self.headers,
            cache: None,
        })
    }

    /// Makes the store of one task, over the bytes of an earlier run if it is kept on disk. `keeps_old` says that a node
    /// below wants to know rows as they were before their change.
    pub(crate) fn open(
        &self,
        settings: &TaskSettings,
        keeps_old: bool,
        below: Option<Box<dyn ByteStore>>,
    ) -> Box<dyn StateStore> {
        let limit = match self.emit {
            Emit::EveryUpdate => None,
            Emit::Cached => (settings.cache_bytes > 0).then_some(CacheLimit::Bytes),
            Emit::OnCommit => Some(CacheLimit::Commit),
        };
        (self.make)(Kept {
            changelog: self.changelog.unwrap_or(settings.changelog),
            below,
            rows_in_memory: self.rows_in_memory,
            headers: self.headers,
            cache: limit.map(|limit| CacheSpec { limit, keeps_old, enters_reads: true }),
        })
    }
}

impl fmt::Debug for StoreSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreSpec({}: {})", self.name, self.shape)
    }
}
