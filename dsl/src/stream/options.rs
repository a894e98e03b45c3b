//! Options of the verbs: the trailing argument of those that end in `_with`.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use crate::Topic;
use crate::record::Partitioner;
use crate::serde::SerdeRef;
use crate::state::{
    Changelog, Emit, RowFormat, SessionKeeping, SessionStore, Store, StoreSpec, VersionedStore, WindowKeeping,
    WindowStore,
};
use crate::topology::{OffsetReset, TimestampExtractor};
use crate::window::millis;

/// How a source reads its topic.
pub struct Consumed<K: 'static, V: 'static> {
    pub(super) timestamps: TimestampExtractor<K, V>,
    pub(super) reset: Option<OffsetReset>,
}

impl<K, V> Default for Consumed<K, V> {
    fn default() -> Self {
        Consumed { timestamps: TimestampExtractor::FailOnInvalid, reset: None }
    }
}

impl<K, V> Consumed<K, V> {
    /// Takes the records' times from elsewhere than the stored ones.
    pub fn timestamps(timestamps: TimestampExtractor<K, V>) -> Self {
        Consumed { timestamps, ..Consumed::default() }
    }

    /// Says where to begin in a partition that the application has no place in, in place of the application's setting.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::stream::Consumed;
    /// use tidemill_dsl::topology::OffsetReset;
    ///
    /// let builder = StreamsBuilder::new();
    /// // What was there before the first start is none of its business.
    /// builder.stream_with(&IN, Consumed::default().reset(OffsetReset::Latest)).for_each(|_, _| {});
    /// # builder.build()?;
    /// # Ok::<(), tidemill_dsl::topology::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn reset(self, reset: OffsetReset) -> Self {
        Consumed { reset: Some(reset), ..self }
    }
}

/// How a sink writes its topic.
pub struct Produced<K, V> {
    pub(super) partitioner: Box<dyn Partitioner<K, V>>,
}

impl<K: 'static, V: 'static> Produced<K, V> {
    /// Chooses partitions otherwise than by the key's bytes.
    pub fn partitioner(partitioner: impl Partitioner<K, V>) -> Self {
        Produced { partitioner: Box::new(partitioner) }
    }
}

/// How a grouping travels when it has to go through a repartition topic.
pub struct Grouped<K: 'static, V: 'static> {
    pub(super) key: Option<SerdeRef<K>>,
    pub(super) value: Option<SerdeRef<V>>,
}

impl<K, V> Grouped<K, V> {
    /// With these serdes, in place of those that the types or the source have.
    pub fn with(key: SerdeRef<K>, value: SerdeRef<V>) -> Self {
        Grouped { key: Some(key), value: Some(value) }
    }
}

/// How a stream is joined with a table.
pub struct Joined<K: 'static, V: 'static> {
    pub(super) key: Option<SerdeRef<K>>,
    pub(super) value: Option<SerdeRef<V>>,
    pub(super) grace: Option<Duration>,
}

impl<K, V> Default for Joined<K, V> {
    fn default() -> Self {
        Joined { key: None, value: None, grace: None }
    }
}

impl<K, V> Joined<K, V> {
    /// Lets records wait until one has come that is later by `grace`, so that the table can learn what was valid at their
    /// time.
    pub fn grace(grace: Duration) -> Self {
        Joined { grace: Some(grace), ..Joined::default() }
    }

    /// With these serdes for the stream, in place of those that the types or the source have.
    #[must_use]
    pub fn serdes(self, key: SerdeRef<K>, value: SerdeRef<V>) -> Self {
        Joined { key: Some(key), value: Some(value), ..self }
    }
}

/// How `repartition` makes its topic.
pub struct Repartitioned<K: 'static, V: 'static> {
    pub(super) key: Option<SerdeRef<K>>,
    pub(super) value: Option<SerdeRef<V>>,
    pub(super) partitions: Option<u32>,
}

impl<K, V> Default for Repartitioned<K, V> {
    fn default() -> Self {
        Repartitioned { key: None, value: None, partitions: None }
    }
}

impl<K, V> Repartitioned<K, V> {
    /// With these serdes, in place of those that the types or the source have.
    pub fn with(key: SerdeRef<K>, value: SerdeRef<V>) -> Self {
        Repartitioned { key: Some(key), value: Some(value), partitions: None }
    }

    /// With this number of partitions, in place of the greatest number upstream.
    #[must_use]
    pub fn partitions(self, partitions: u32) -> Self {
        Repartitioned { partitions: Some(partitions), ..self }
    }
}

/// How a table's rows are kept. A `&Store` is one: on disk, with a changelog, under its name; for tables of windows and of
/// sessions a `&WindowStore` and a `&SessionStore`.
///
/// `Kind` says what kind of store it is for.
pub struct Materialized<K: 'static, V: 'static, Kind = KeyValue> {
    pub(super) name: Option<String>,
    pub(super) key: Option<SerdeRef<K>>,
    pub(super) value: Option<SerdeRef<V>>,
    in_memory: bool,
    changelog: Option<Changelog>,
    /// Of the changelog's topic, by their names in Kafka.
    settings: BTreeMap<String, String>,
    /// The topic to restore from, in place of a changelog.
    source: Option<Box<str>>,
    emit: Emit,
    kind: Kind,
    types: PhantomData<fn(K, V)>,
}

/// The kind of a [`Materialized`] for rows by key.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyValue {
    /// How long versions are kept, where they are.
    versions: Option<Duration>,
}

/// The kind of a [`Materialized`] for rows by key and window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Windows {
    retention: Option<Duration>,
}

/// The kind of a [`Materialized`] for rows by key and session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sessions {
    retention: Option<Duration>,
}

impl<K, V, Kind: Default> Default for Materialized<K, V, Kind> {
    /// A store with a numbered name and the types' own serdes.
    fn default() -> Self {
        Materialized {
            name: None,
            key: None,
            value: None,
            in_memory: false,
            changelog: None,
            settings: BTreeMap::new(),
            source: None,
            emit: Emit::default(),
            kind: Kind::default(),
            types: PhantomData,
        }
    }
}

impl<K, V, Kind> Materialized<K, V, Kind> {
    /// Keeps the rows in memory only: after a start the whole changelog is read.
    #[must_use]
    pub fn in_memory(self) -> Self {
        Materialized { in_memory: true, ..self }
    }

    /// Says what the changelog gets, whatever the application's default is.
    #[must_use]
    pub fn changelog(self, changelog: Changelog) -> Self {
        Materialized { changelog: Some(changelog), ..self }
    }

    /// Sets something of the topic that is the store's changelog, by its name in Kafka: see
    /// [`StoreSpec::changelog_setting`].
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// use tidemill_dsl::state::Store;
    /// use tidemill_dsl::stream::Materialized;
    ///
    /// const COUNTS: Store<String, i64> = Store::of("counts");
    /// # let builder = StreamsBuilder::new();
    /// let safe = Materialized::store(&COUNTS).changelog_setting("min.insync.replicas", "2");
    /// builder.stream(&ORDERS).group_by_key().count_with(safe);
    /// # builder.build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn changelog_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Restores the rows from the topic that they come from, unless the changelog was asked for or something of it set, or the bytes of the two would
    /// not be the same.
    pub(super) fn restore_from(&mut self, topic: &Topic<K, V>) {
        let same_key = self.key.as_ref().is_some_and(|key| key.name() == topic.key_serde().name());
        let same_value = self.value.as_ref().is_some_and(|value| value.name() == topic.value_serde().name());
        if self.changelog.is_none() && self.settings.is_empty() && same_key && same_value {
            self.source = Some(topic.name().into());
        }
    }

    /// The name with the rest, or `None` where there is none: a table that could compute its rows keeps them under a name only.
    pub(super) fn under_name(self) -> Option<(String, Self)> {
        self.name.clone().map(|name| (name, self))
    }

    /// Says when changes come out, and when the changelog gets them. Reads see a change at once in any case.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use tidemill_dsl::state::{Emit, Store};
    /// use tidemill_dsl::stream::Materialized;
    /// use tidemill_testkit::{Commit, TestDriver};
    ///
    /// const SUMS: Store<String, i64> = Store::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// let last_per_commit = Materialized::store(&SUMS).emit(Emit::OnCommit);
    /// builder.stream(&IN).group_by_key().reduce_with(last_per_commit, |sum, v| sum + v).to_stream().to(&OUT);
    ///
    /// let mut driver = TestDriver::new(&builder.build()?).commits(Commit::Every(3));
    /// driver.input(&IN).send("a", 1).send("a", 2).send("a", 3);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(6)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn emit(self, emit: Emit) -> Self {
        Materialized { emit, ..self }
    }

    /// Says whether the application's record cache, if it has one, may hold changes back: it may unless told otherwise.
    /// Short for [`emit`](Self::emit) with [`Emit::Cached`] or [`Emit::EveryUpdate`].
    #[must_use]
    pub fn caching(self, caching: bool) -> Self {
        self.emit(if caching { Emit::Cached } else { Emit::EveryUpdate })
    }

    fn named(name: &str, key: &SerdeRef<K>, value: &SerdeRef<V>) -> Self
    where
        Kind: Default,
    {
        let (name, key, value) = (Some(name.to_owned()), Some(key.clone()), Some(value.clone()));
        Materialized { name, key, value, ..Materialized::default() }
    }

    /// Says of another store that belongs to the table that it is kept where the rows are, with a changelog if they have one.
    pub(super) fn keeping_beside(&self, spec: StoreSpec) -> StoreSpec {
        self.beside().keep(spec)
    }

    /// How a store is kept that belongs to the table.
    pub(super) fn beside(&self) -> Beside {
        Beside { in_memory: self.in_memory, changelog: self.changelog }
    }

    fn keeping(&self, spec: StoreSpec) -> StoreSpec {
        let spec = spec.emit(self.emit);
        let spec = if self.in_memory { spec.in_memory() } else { spec };
        let set = |spec: StoreSpec, (name, value): (&String, &String)| spec.changelog_setting(name, value);
        let spec = self.settings.iter().fold(spec, set);
        match (self.changelog, &self.source) {
            (Some(changelog), _) => spec.changelog(changelog),
            (None, Some(source)) => spec.restored_from(source),
            (None, None) => spec,
        }
    }
}

/// How a store is kept that belongs to a table: where its rows are, with a changelog if they have one.
#[derive(Clone, Copy)]
pub(super) struct Beside {
    in_memory: bool,
    changelog: Option<Changelog>,
}

impl Beside {
    pub(super) fn keep(self, spec: StoreSpec) -> StoreSpec {
        let spec = if self.in_memory { spec.in_memory() } else { spec };
        self.changelog.map_or(spec.clone(), |changelog| spec.changelog(changelog))
    }

    /// For a store that nobody else follows: the last value per commit is enough, whatever the rows' changelog gets.
    #[must_use]
    pub(super) fn for_nobody_else(self) -> Self {
        let changelog = self.changelog.map(|changelog| match changelog {
            Changelog::EveryUpdate => Changelog::LastPerCommit,
            other => other,
        });
        Beside { changelog, ..self }
    }
}

impl<K, V: Send> Materialized<K, V> {
    /// In the store that the descriptor names.
    pub fn store(store: &Store<K, V>) -> Self {
        Materialized::named(store.name(), store.key_serde(), store.value_serde())
    }

    /// In the store that the descriptor names, which knows what a row was at an earlier time.
    ///
    /// A stream that is joined with the table meets the row that was valid at the record's own time. A change with an earlier
    /// time than the latest row's is put where it belongs, and does not count as the latest one below.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const RATES: Topic<String, i64> = Topic::of("rates");
    /// # const SALES: Topic<String, i64> = Topic::of("sales");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::VersionedStore;
    ///
    /// const KNOWN: VersionedStore<String, i64> = VersionedStore::of("known", Duration::from_secs(60));
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.table_with(&RATES, &KNOWN);
    /// builder.stream(&SALES).join(&rates, |sale, rate| sale * rate).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&RATES).at(10).send("usd", 2);
    /// driver.input(&RATES).at(20).send("usd", 3);
    /// driver.input(&SALES).at(15).send("usd", 100);
    /// assert_eq!(driver.output(&OUT).values(), [200]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn versioned(store: &VersionedStore<K, V>) -> Self {
        let kind = KeyValue { versions: Some(store.retention()) };
        Materialized { kind, ..Materialized::named(store.name(), store.key_serde(), store.value_serde()) }
    }

    /// How long versions of rows are kept, where they are.
    pub(super) fn versions(&self) -> Option<Duration> {
        self.kind.versions
    }

    /// In a store with a numbered name and these serdes.
    pub fn with(key: &SerdeRef<K>, value: &SerdeRef<V>) -> Self {
        Materialized { key: Some(key.clone()), value: Some(value.clone()), ..Materialized::default() }
    }

    pub(super) fn spec(&self, name: &str, key: SerdeRef<K>, value: SerdeRef<V>) -> StoreSpec {
        self.keeping(match self.kind.versions {
            Some(retention) => StoreSpec::versioned(&VersionedStore::new(name, key, value, retention)),
            None => StoreSpec::timestamped(&Store::new(name, key, value)).of_table(),
        })
    }
}

impl<K: Send, V: Send> Materialized<K, V, Windows> {
    /// In the window store that the descriptor names.
    pub fn windows(store: &WindowStore<K, V>) -> Self {
        Materialized::named(store.name(), store.key_serde(), store.value_serde())
    }

    /// How long rows are kept behind the greatest start of a window, in record time; at least, and if it is not said, as long
    /// as windows take records.
    #[must_use]
    pub fn retention(self, retention: Duration) -> Self {
        Materialized { kind: Windows { retention: Some(retention) }, ..self }
    }

    /// What is wrong with the retention, if windows take records for `needed` milliseconds.
    pub(super) fn fault(&self, needed: i64) -> Option<String> {
        too_short(self.kind.retention, needed)
    }

    pub(super) fn spec(&self, name: &str, key: SerdeRef<K>, value: SerdeRef<V>, keeping: WindowKeeping) -> StoreSpec {
        let retention = self.kind.retention.map_or(keeping.retention, millis);
        let keeping = WindowKeeping { retention, ..keeping };
        let store = WindowStore::new(name, key, value);
        uncached_if(
            keeping.closing,
            self.keeping(StoreSpec::windowed(&store, RowFormat::Timestamped, keeping).of_table()),
        )
    }
}

impl<K: Send, V: Send> Materialized<K, V, Sessions> {
    /// In the session store that the descriptor names.
    pub fn sessions(store: &SessionStore<K, V>) -> Self {
        Materialized::named(store.name(), store.key_serde(), store.value_serde())
    }

    /// How long rows are kept behind the greatest end of a session, in record time; at least, and if it is not said, as long
    /// as sessions take records.
    #[must_use]
    pub fn retention(self, retention: Duration) -> Self {
        Materialized { kind: Sessions { retention: Some(retention) }, ..self }
    }

    /// What is wrong with the retention, if sessions take records for `needed` milliseconds.
    pub(super) fn fault(&self, needed: i64) -> Option<String> {
        too_short(self.kind.retention, needed)
    }

    pub(super) fn spec(&self, name: &str, key: SerdeRef<K>, value: SerdeRef<V>, keeping: SessionKeeping) -> StoreSpec {
        let retention = self.kind.retention.map_or(keeping.retention, millis);
        let keeping = SessionKeeping { retention, ..keeping };
        uncached_if(
            keeping.closing,
            self.keeping(StoreSpec::sessions(&SessionStore::new(name, key, value), keeping).of_table()),
        )
    }
}

/// Rows that come out once, when their window is closed, are not held back besides.
fn uncached_if(closing: bool, spec: StoreSpec) -> StoreSpec {
    if closing { spec.emit(Emit::EveryUpdate) } else { spec }
}

fn too_short(retention: Option<Duration>, needed: i64) -> Option<String> {
    let retention = retention.map(millis).filter(|retention| *retention < needed)?;
    Some(format!("their store keeps rows for {retention} ms, and they take records for {needed} ms: keep rows longer"))
}

/// What says how a table's rows are kept: a [`Materialized`], or the descriptor of a store, which keeps them on disk, with a
/// changelog, under its name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how rows of `{V}` by `{K}` are kept",
    label = "neither a descriptor of a store nor options",
    note = "`const ROWS: Store<Key, Row> = Store::of(\"rows\")` is a descriptor: pass `&ROWS`; or pass `Materialized` with options",
    note = "rows by window take a `&WindowStore`, rows by session a `&SessionStore`; descriptor and table have the same types"
)]
pub trait IntoMaterialized<K: 'static, V: 'static, Kind = KeyValue> {
    /// The options.
    fn into_materialized(self) -> Materialized<K, V, Kind>;
}

impl<K, V, Kind> IntoMaterialized<K, V, Kind> for Materialized<K, V, Kind> {
    fn into_materialized(self) -> Self {
        self
    }
}

impl<K, V: Send> IntoMaterialized<K, V> for &Store<K, V> {
    fn into_materialized(self) -> Materialized<K, V> {
        Materialized::store(self)
    }
}

impl<K, V: Send> IntoMaterialized<K, V> for &VersionedStore<K, V> {
    fn into_materialized(self) -> Materialized<K, V> {
        Materialized::versioned(self)
    }
}

impl<K: Send, V: Send> IntoMaterialized<K, V, Windows> for &WindowStore<K, V> {
    fn into_materialized(self) -> Materialized<K, V, Windows> {
        Materialized::windows(self)
    }
}

impl<K: Send, V: Send> IntoMaterialized<K, V, Sessions> for &SessionStore<K, V> {
    fn into_materialized(self) -> Materialized<K, V, Sessions> {
        Materialized::sessions(self)
    }
}
