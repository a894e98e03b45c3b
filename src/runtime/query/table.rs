//! What can be asked of a key-value store.

use std::time::Duration;

use tidemill_dsl::record::Timestamp;
use tidemill_dsl::state::{KeyRange, Store};

use super::rows::range_of;
use super::{DirtyTable, KeyOwner, Queryable, RowsQuery, StoreQuery, TableSnapshot, WatchQuery};
use crate::error::Error;
use crate::runtime::{Instance, Position};

impl<K: 'static, V: Send + 'static> Queryable for Store<K, V> {
    type Query = TableQuery<K, V>;

    fn query(&self, store: StoreQuery) -> TableQuery<K, V> {
        TableQuery { query: store, store: self.clone() }
    }
}

/// A key-value store, ready to be asked. See [`App::table`](crate::App::table).
///
/// Answers are committed: they are the rows of the last commit, and no crash takes them back. They are read in the calling
/// thread and wait for no worker, except the first one of a store in an application's life, which waits for a commit.
/// What was sent or processed but not committed is not in them: wait for it with [`at_least`](Self::at_least), or ask
/// [`dirty`](Self::dirty).
///
/// # Errors
///
/// Of all questions: `Unknown` for a store that the topology does not have, `Invalid` for one of another kind or with other
/// types than the descriptor, `Closed` or the application's own error when it is over, `Unavailable` or `Corrupt` when rows
/// on disk cannot be read, `TimedOut` when a position was not reached in time.
pub struct TableQuery<K: 'static, V: 'static> {
    query: StoreQuery,
    store: Store<K, V>,
}

impl<K: 'static, V: Send + 'static> TableQuery<K, V> {
    /// The row of a key, asked of the partition that records with its bytes go to by default: rows that a partitioner of
    /// one's own placed elsewhere are found by [`range`](Self::range).
    pub async fn get(&self, key: impl Into<K>) -> Result<Option<V>, Error> {
        Ok(self.get_with_time(key).await?.map(|(value, _)| value))
    }

    /// The row of a key and the time of its last update; a store without times says 0.
    pub async fn get_with_time(&self, key: impl Into<K>) -> Result<Option<(V, Timestamp)>, Error> {
        let mut bytes = Vec::new();
        self.store.key_serde().write(&key.into(), &mut bytes)?;
        let row = self.query.get(&bytes).await?;
        row.map(|(value, time)| Ok((self.store.value_serde().read(&value)?, time))).transpose()
    }

    /// The rows from `from` to `to`, both included, in the order of the keys' bytes; an absent bound is open. Await it, or
    /// say first how many and in which direction. The rows of all partitions are of one commit.
    pub fn range(&self, from: Option<K>, to: Option<K>) -> RowsQuery<K, V> {
        RowsQuery::new(self.query.clone(), self.store.clone(), range_of(&self.store, from, to))
    }

    /// The rows whose key's bytes begin with `prefix`.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> RowsQuery<K, V> {
        RowsQuery::new(self.query.clone(), self.store.clone(), Ok(KeyRange::prefix(prefix.as_ref())))
    }

    /// All rows in the order of the keys' bytes.
    pub fn all(&self) -> RowsQuery<K, V> {
        RowsQuery::new(self.query.clone(), self.store.clone(), Ok(KeyRange::ALL))
    }

    /// About how many rows there are: exact in memory; on disk, rows that were changed or deleted may count twice.
    pub async fn approximate_count(&self) -> Result<u64, Error> {
        Ok(self.query.snapshot().await?.approximate_count())
    }

    /// The rows of all partitions as the last commit left them, to be read again and again, or walked without having all in
    /// memory.
    pub async fn snapshot(&self) -> Result<TableSnapshot<K, V>, Error> {
        Ok(TableSnapshot::new(self.query.snapshot().await?, &self.store))
    }

    /// What commits change from now on, in one row, in rows with a prefix, or in all.
    pub fn watch(&self) -> WatchQuery<K, V> {
        WatchQuery::new(self.query.clone(), self.store.clone())
    }

    /// Which processes have the row of a key: the one that runs its partition, and those that keep it on standby.
    ///
    /// ```
    /// # use tidemill::{App, Topic, state::Store, stream::StreamsBuilder};
    /// # const WORDS: Topic<String, i64> = Topic::of("words");
    /// # const COUNTS: Store<String, i64> = Store::of("counts");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&WORDS).group_by_key().count_with(&COUNTS);
    /// # let app = App::builder("app", builder.build()?).memory().start().await?;
    /// let owner = app.table(&COUNTS).owner("tide")?.expect("the topic has partitions");
    /// assert_eq!(owner.partition, 0);
    /// assert!(owner.active.is_some_and(|instance| instance.is_here));
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn owner(&self, key: impl Into<K>) -> Result<Option<KeyOwner>, Error> {
        let mut bytes = Vec::new();
        self.store.key_serde().write(&key.into(), &mut bytes)?;
        self.query.owner(&bytes)
    }

    /// The processes that have a part of the store, to run it or on standby, by id.
    pub fn instances(&self) -> Result<Vec<Instance>, Error> {
        self.query.instances()
    }

    /// The same store, asked only once the application has committed everything before `position`, and what followed from it
    /// on the way to this store; waits at most `limit` by the application's clock, then gives `TimedOut`. So what was sent
    /// is seen:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{App, Topic, state::Store, stream::StreamsBuilder};
    /// # const WORDS: Topic<String, i64> = Topic::of("words");
    /// # const COUNTS: Store<String, i64> = Store::of("counts");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&WORDS).group_by_key().count_with(&COUNTS);
    /// # let app = App::builder("app", builder.build()?).memory().start().await?;
    /// let sent = app.send(&WORDS, "tide", 1).await?;
    /// let counts = app.table(&COUNTS).at_least(sent, Duration::from_secs(5));
    /// assert_eq!(counts.get("tide").await?, Some(1));
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The workers commit as soon as they are there, so this is quick however long the commit interval is. Records that an
    /// operator holds back on purpose, such as `suppress`, are not waited for.
    #[must_use]
    pub fn at_least(&self, position: impl Into<Position>, limit: Duration) -> Self {
        TableQuery { query: self.query.at_least(&position.into(), limit), store: self.store.clone() }
    }

    /// The same store, asked in whichever process has the rows: in this one without a detour, else by HTTP (feature `http`, with
    /// [`AppBuilder::query_server`](crate::AppBuilder::query_server) in the others). [`get`](Self::get), [`range`](Self::range),
    /// [`prefix`](Self::prefix) and [`all`](Self::all) go there; while the partition is on its way from one process to another, or
    /// its owner does not answer, it is asked again until `within` is over. Of several partitions each answers for itself, at its own
    /// moment.
    ///
    /// # Errors
    ///
    /// `Elsewhere` when nobody answered in time, with the owner and what it said last.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn routed(&self, within: Duration) -> Self {
        TableQuery { query: self.query.routed_within(within), store: self.store.clone() }
    }

    /// The same store, asked for what is here: [`range`](Self::range), [`prefix`](Self::prefix), [`all`](Self::all),
    /// [`snapshot`](Self::snapshot) and [`approximate_count`](Self::approximate_count) give the rows of the partitions that this process
    /// runs, with [`stale`](Self::stale) also of those that it keeps, and [`watch`](Self::watch) follows those. There may be none: while
    /// partitions are on their way, nobody has them. Put together, what all processes have at one moment is all that there is.
    ///
    /// ```
    /// # use tidemill::{App, Topic, state::Store, stream::StreamsBuilder};
    /// # const WORDS: Topic<String, i64> = Topic::of("words");
    /// # const COUNTS: Store<String, i64> = Store::of("counts");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&WORDS).group_by_key().count_with(&COUNTS);
    /// # let app = App::builder("app", builder.build()?).memory().start().await?;
    /// app.send(&WORDS, "tide", 1).await?;
    /// app.settled().await?;
    /// // The only process has them all.
    /// let here = app.table(&COUNTS).local().all().await?;
    /// assert_eq!(here, [("tide".to_owned(), 1)]);
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Elsewhere` of a single key whose partition is not here: that it is not here does not say that there is no such row.
    #[must_use]
    pub fn local(&self) -> Self {
        TableQuery { query: self.query.local(), store: self.store.clone() }
    }

    /// The same store, asked for committed rows that may be old: [`get`](Self::get), [`range`](Self::range),
    /// [`prefix`](Self::prefix) and [`all`](Self::all) are also answered where the rows are on standby (`Settings::standbys`), as
    /// long as that lacks `lag_max` offsets of the store's changelog at most. With [`at_least`](Self::at_least) it is waited until
    /// the standby has what the application made of everything before the position.
    ///
    /// # Errors
    ///
    /// `Elsewhere` when neither the rows nor a standby that is near enough are here.
    #[must_use]
    pub fn stale(&self, lag_max: u64) -> Self {
        TableQuery { query: self.query.stale(lag_max), store: self.store.clone() }
    }

    /// The same store, asked for rows as they are now, whether they are committed or not.
    #[must_use]
    pub fn dirty(&self) -> DirtyTable<K, V> {
        DirtyTable::new(self.query.dirty(), &self.store)
    }
}
