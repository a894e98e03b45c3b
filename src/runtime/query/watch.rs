//! What commits change in a store, for those who follow it.
//!
//! Rule: nothing is missed silently. The rows at the beginning and the changes after them fit without a gap; a row that a
//! commit changed several times comes once, as the commit left it; whoever falls too far behind is told, and so is whoever
//! follows partitions of which one goes to another process.

use std::collections::VecDeque;
use std::future::{Future, IntoFuture};
use std::ops::{Bound, ControlFlow};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tidemill_dsl::record::Timestamp;
use tidemill_dsl::state::{Changes, Direction, KeyRange, Lagged, Store, Watcher};

use super::snapshot::MergedRows;
use super::{Place, StoreQuery};
use crate::error::{Error, ErrorKind};
use crate::runtime::committed::{Parts, Watched};
use crate::runtime::waiting::News;

/// How many bytes of changes a slow watcher may leave lying, in each partition.
const BUFFER_BYTES: usize = 16 << 20;

/// What to watch of a store: await it to begin.
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
/// let mut changes = app.table(&COUNTS).watch().key("tide").with_rows().await?;
/// app.send(&WORDS, "tide", 1).await?;
/// let change = changes.next().await.expect("the application runs")?;
/// assert_eq!((change.key.as_str(), change.value), ("tide", Some(1)));
/// # app.close().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "it begins when it is awaited"]
pub struct WatchQuery<K: 'static, V: 'static> {
    query: StoreQuery,
    store: Store<K, V>,
    what: What<K>,
    with_rows: bool,
    buffer_bytes: usize,
}

enum What<K> {
    All,
    Key(K),
    Prefix(Vec<u8>),
}

impl<K: 'static, V: Send + 'static> WatchQuery<K, V> {
    pub(super) fn new(query: StoreQuery, store: Store<K, V>) -> Self {
        WatchQuery { query, store, what: What::All, with_rows: false, buffer_bytes: BUFFER_BYTES }
    }

    /// Only the row of this key.
    pub fn key(self, key: impl Into<K>) -> Self {
        WatchQuery { what: What::Key(key.into()), ..self }
    }

    /// Only rows whose key's bytes begin with `prefix`.
    pub fn prefix(self, prefix: impl AsRef<[u8]>) -> Self {
        WatchQuery { what: What::Prefix(prefix.as_ref().to_vec()), ..self }
    }

    /// First the rows that there are, in the order of their keys' bytes.
    pub fn with_rows(self) -> Self {
        WatchQuery { with_rows: true, ..self }
    }

    /// How many bytes of changes may lie unread in each partition before the watcher is told that it lagged; 16 MiB where
    /// nothing is said. The changes of the last commit are kept however many they are. Watchers of one store share what is
    /// kept, and the greatest number counts.
    pub fn buffer_bytes(self, bytes: usize) -> Self {
        WatchQuery { buffer_bytes: bytes, ..self }
    }

    /// Which of the changes are wanted, and where they are if it is known.
    fn target(what: What<K>, store: &Store<K, V>, place: &Place) -> Result<(Wanted, KeyRange), Error> {
        Ok(match what {
            What::All => (Wanted::All, KeyRange::ALL),
            What::Prefix(prefix) => (Wanted::All, KeyRange::prefix(&prefix)),
            What::Key(key) => {
                let mut bytes = Vec::new();
                store.key_serde().write(&key, &mut bytes)?;
                let wanted = Wanted::One(place.partition_of(&bytes));
                (wanted, KeyRange { from: Bound::Included(bytes.clone()), to: Bound::Included(bytes) })
            }
        })
    }
}

/// Of which partitions changes are wanted.
#[derive(Clone, Copy)]
enum Wanted {
    All,
    /// The one of a key, if there is one.
    One(Option<u32>),
}

impl Wanted {
    /// The partitions to follow now.
    fn partitions(self, query: &StoreQuery, place: &Place) -> Vec<u32> {
        match self {
            Wanted::All => query.partitions(place),
            Wanted::One(partition) => partition.into_iter().collect(),
        }
    }
}

impl<K: Send + 'static, V: Send + 'static> IntoFuture for WatchQuery<K, V> {
    type Output = Result<TableChanges<K, V>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let WatchQuery { query, store, what, with_rows, buffer_bytes } = self;
            let place = query.ready().await?;
            let (wanted, range) = Self::target(what, &store, &place)?;
            let (partitions, watched) = loop {
                let partitions = wanted.partitions(&query, &place);
                match query.shared().committed.watch(&place.store, &partitions, buffer_bytes)? {
                    Some(watched) => break (partitions, watched),
                    None => match query.publish(&place, &partitions).await {
                        // One was taken elsewhere meanwhile, and what is elsewhere is not asked for.
                        Err(error)
                            if error.kind() == ErrorKind::Elsewhere
                                && wanted.partitions(&query, &place) != partitions => {}
                        published => published?,
                    },
                }
            };
            let Watched { rows, watchers, parts } = watched;
            let rows = with_rows.then(|| MergedRows::new(&rows, range.clone(), Direction::Forward));
            let followed = Followed { query, place, wanted, partitions, parts };
            let following = Following { followed, watchers, range, commits: VecDeque::new(), changes: VecDeque::new() };
            let news = News::of(following.followed.query.shared());
            Ok(TableChanges { store, rows, following: Some(following), news: Some(news), waiting: None })
        })
    }
}

/// A row that changed, or one that was there at the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChange<K, V> {
    /// The key.
    pub key: K,
    /// The value; `None`: the row is gone.
    pub value: Option<V>,
    /// The time of the update; 0 in a store without times.
    pub timestamp: Timestamp,
}

/// The committed changes of a store: a stream that ends when the application is closed, and with an error when it fails.
///
/// Changes come commit by commit, those of one commit partition by partition in the order of the keys' bytes. A row that
/// a commit changed several times comes once, as that commit left it: for every single update, write it to a topic and
/// [subscribe](crate::App::subscribe) to that.
///
/// Nothing is read ahead. What is not read yet lies with the store, for all watchers together; past a number of bytes (see
/// [`WatchQuery::buffer_bytes`]) the oldest go, and whoever had not read them gets an error of the kind
/// [`Lagged`](ErrorKind::Lagged), after which the stream ends. It ends as well when a partition goes to another process, or
/// one comes that a [local](crate::TableQuery::local) watch has to follow too: with an error of the kind
/// [`Elsewhere`](ErrorKind::Elsewhere). Go on with a new watch that begins [with the rows](WatchQuery::with_rows).
pub struct TableChanges<K: 'static, V: 'static> {
    store: Store<K, V>,
    rows: Option<MergedRows>,
    /// `None` once the stream has ended.
    following: Option<Following>,
    /// `None` while it is waited for.
    news: Option<News>,
    waiting: Option<Waiting>,
}

type Waiting = Pin<Box<dyn Future<Output = News> + Send>>;

/// A changed row as bytes.
type ChangeBytes = (Vec<u8>, Option<Vec<u8>>, Timestamp);

/// The partitions that are followed.
struct Followed {
    query: StoreQuery,
    place: Place,
    wanted: Wanted,
    partitions: Vec<u32>,
    parts: Parts,
}

impl Followed {
    /// Whether another process has, or had, one of them, or there are more to follow now.
    fn have_changed(&self) -> bool {
        let shared = self.query.shared();
        // In this order: when the application ends, the workers go first and then the rows, and nothing has gone elsewhere.
        let are_all_here = shared.committed.still_has(&self.place.store, &self.partitions, &self.parts);
        let are_those = self.wanted.partitions(&self.query, &self.place) == self.partitions;
        !(are_all_here && are_those) && shared.crew().is_some()
    }

    fn error(&self) -> Error {
        let message = format!(
            "the partitions of store `{}` that are with this process have changed: watch again, beginning with the rows",
            self.place.store
        );
        Error::new(ErrorKind::Elsewhere, message)
    }
}

struct Following {
    followed: Followed,
    watchers: Vec<Watcher>,
    range: KeyRange,
    /// Taken, in the order of the commits.
    commits: VecDeque<Changes>,
    /// Of the commit that is being read.
    changes: VecDeque<ChangeBytes>,
}

impl Following {
    /// The next change, if there is one now.
    fn next(&mut self) -> Result<Option<ChangeBytes>, Lagged> {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return Ok(Some(change));
            }
            if self.commits.is_empty() {
                self.take()?;
            }
            let Some(commit) = self.commits.pop_front() else { return Ok(None) };
            commit.visit(&self.range, |change| {
                self.changes.push_back((change.key.to_vec(), change.value.map(<[u8]>::to_vec), change.timestamp));
                ControlFlow::Continue(())
            });
        }
    }

    fn take(&mut self) -> Result<(), Lagged> {
        let mut taken = Vec::new();
        let watchers = &mut self.watchers;
        // Otherwise one part could be a commit ahead of another.
        let shared = self.followed.query.shared();
        shared.committed.between_commits(|| watchers.iter_mut().try_for_each(|one| one.take(&mut taken)))?;
        taken.sort_by_key(Changes::commit);
        self.commits = taken.into();
        Ok(())
    }

    fn lagged(&self) -> Error {
        let message = "the watcher was too slow, and changes that it had not read were let go of: watch again, beginning \
                       with the rows, read faster, or give it more `buffer_bytes`";
        Error::new(ErrorKind::Lagged, message)
    }
}

impl<K: 'static, V: 'static> TableChanges<K, V> {
    /// The next change; `None` when the application is closed.
    pub async fn next(&mut self) -> Option<Result<TableChange<K, V>, Error>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<TableChange<K, V>, Error>>> {
        if let Some(row) = self.rows.as_mut().and_then(Iterator::next) {
            let change = row.and_then(|row| self.typed((row.key, Some(row.value), row.timestamp)));
            return Poll::Ready(Some(change));
        }
        self.rows = None;
        loop {
            if let Some(waiting) = &mut self.waiting {
                self.news = Some(ready!(waiting.as_mut().poll(context)));
                self.waiting = None;
            }
            let (Some(following), Some(news)) = (&mut self.following, &mut self.news) else { return Poll::Ready(None) };
            let over = news.look();
            match following.next() {
                Ok(Some(change)) => return Poll::Ready(Some(self.typed(change))),
                Ok(None) if over => {
                    let ended = self.following.take();
                    return Poll::Ready(ended.and_then(|ended| ended.followed.query.shared().failure()).map(Err));
                }
                Ok(None) if following.followed.have_changed() => {
                    return Poll::Ready(self.following.take().map(|following| Err(following.followed.error())));
                }
                Ok(None) => {
                    let news = self.news.take();
                    self.waiting = news.map(|news| -> Waiting { Box::pin(news.next()) });
                }
                Err(Lagged) => return Poll::Ready(self.following.take().map(|following| Err(following.lagged()))),
            }
        }
    }

    fn typed(&self, (key, value, timestamp): ChangeBytes) -> Result<TableChange<K, V>, Error> {
        let value = value.map(|bytes| self.store.value_serde().read(&bytes)).transpose()?;
        Ok(TableChange { key: self.store.key_serde().read(&key)?, value, timestamp })
    }
}

impl<K: 'static, V: 'static> Stream for TableChanges<K, V> {
    type Item = Result<TableChange<K, V>, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }
}
