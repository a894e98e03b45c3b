//! A running application, in the hands of its user.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_dsl::Topic;
use tidemill_dsl::record::{Batch, BatchBuilder, Headers, Offset, Timestamp, TopicPartition, partition_of_record};
use tidemill_dsl::serde::Data;
use tidemill_dsl::topology::Topology;
use tokio::sync::{Semaphore, oneshot, watch};

use super::answers::Answers;
use super::ask::AskNames;
use super::feed::feed_scope;
use super::housekeeping::Housekeeping;
#[cfg(feature = "http")]
use super::http::Net;
use super::instances::{Instance, RegistryThread};
use super::keeper::Event;
use super::memory::{MemoryUse, Shares};
use super::metrics::Publisher;
use super::posted::Posted;
use super::sender::{Outbox, Parcel};
use super::shared::Shared;
use super::subscription::unknown_topic;
use super::term::{Staffing, workers};
use super::timer::Timer;
use super::waiting::{News, next_news};
use super::{AppBuilder, AppState, Feed, Position, Queryable, Restores, Sent, SettingsInUse, StoreQuery, Subscription};
use crate::error::{Error, ErrorKind};
use crate::exec::Held;

/// How long `close` waits for the last commit.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// What feeds and queries share with the application.
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
    /// `None` once the application is closing.
    outbox: Mutex<Option<Outbox>>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    /// The way to the keeper.
    pub(super) tell: Sender<Event>,
    sender: Mutex<Option<JoinHandle<()>>>,
    housekeeping: Mutex<Option<Housekeeping>>,
    registry: Mutex<Option<RegistryThread>>,
    pub(super) publisher: Mutex<Option<Publisher>>,
    #[cfg(feature = "http")]
    net: Mutex<Option<Arc<Net>>>,
    pub(super) timer: Timer,
    pub(super) answers: Answers,
    pub(super) ask_names: AskNames,
    /// For records that were sent and are not written yet, in bytes.
    room: Arc<Semaphore>,
    shares: Shares,
}

impl Handle {
    pub(super) fn new(
        shared: Arc<Shared>,
        outbox: Outbox,
        (sender, shares): (JoinHandle<()>, Shares),
        (keeper, tell): (JoinHandle<()>, Sender<Event>),
        (housekeeping, registry): (Housekeeping, Option<RegistryThread>),
    ) -> Arc<Self> {
        let (outbox, sender) = (Mutex::new(Some(outbox)), Mutex::new(Some(sender)));
        let (keeper, housekeeping) = (Mutex::new(Some(keeper)), Mutex::new(Some(housekeeping)));
        let registry = Mutex::new(registry);
        let (room, timer) = (Arc::new(Semaphore::new(shares.sending() as usize)), Timer::default());
        let (answers, ask_names) = (Answers::default(), AskNames::default());
        Arc::new(Handle {
            shared,
            outbox,
            keeper,
            tell,
            sender,
            housekeeping,
            registry,
            publisher: Mutex::default(),
            #[cfg(feature = "http")]
            net: Mutex::default(),
            timer,
            answers,
            ask_names,
            room,
            shares,
        })
    }

    /// What asks other processes, and answers them.
    #[cfg(feature = "http")]
    pub(super) fn net(&self) -> Result<Arc<Net>, Error> {
        let mut net = self.net.lock().unwrap_or_else(PoisonError::into_inner);
        match &*net {
            Some(net) => Ok(net.clone()),
            None => Ok(net.insert(Arc::new(Net::start()?)).clone()),
        }
    }

    /// Where the positions of an application's feeds are stored.
    pub(super) fn scope(&self) -> String {
        feed_scope(&self.shared.application)
    }

    /// A record as bytes, with its place.
    pub(super) fn encode<K: Data, V: Data>(
        &self,
        topic: &Topic<K, V>,
        (key, value): (&K, &V),
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(TopicPartition, Batch), Error> {
        let spec = self.shared.log.topic(topic.name())?.ok_or_else(|| unknown_topic(topic.name()))?;
        let (key, value) = (topic.key_serde().to_nullable_bytes(key)?, topic.value_serde().to_nullable_bytes(value)?);
        let (key, value) = (key.as_deref(), value.as_deref());
        let partition = partition_of_record(key, value, spec.partitions);
        let mut builder = BatchBuilder::default();
        builder.push(timestamp, key, value, headers);
        Ok((TopicPartition { topic: spec.name, partition }, builder.finish(Offset::ZERO)))
    }

    /// Gives records to the sender's thread, which appends them all or none, in the order of these calls; waits before while
    /// as many are on their way as there is memory for.
    pub(super) async fn post(
        &self,
        records: Vec<(TopicPartition, Batch)>,
        position: Option<(String, Vec<u8>)>,
    ) -> Result<Posted, Error> {
        // A failed application's log would still take them, and nobody would process them.
        if self.shared.state.borrow().is_over() {
            return Err(self.shared.gone());
        }
        let bytes: usize = records.iter().map(|(_, batch)| batch.bytes().len()).sum();
        // What is larger than all the room goes alone.
        let share = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.shares.sending());
        let room = self.room.clone().acquire_many_owned(share).await.map_err(|_| self.shared.gone())?;
        let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (done, sent) = oneshot::channel();
        let posted = outbox.is_some_and(|outbox| outbox.post(Parcel { records, position, done, _room: room }));
        if posted { Ok(Posted::new(self.shared.clone(), sent)) } else { Err(self.shared.gone()) }
    }

    /// What is held in memory.
    pub(super) fn memory(&self) -> MemoryUse {
        let Handle { shared, room, shares, .. } = self;
        let held: Vec<Held> = shared.crew().map(|crew| crew.held()).unwrap_or_default();
        let sending = (shares.sending() as usize).saturating_sub(room.available_permits());
        MemoryUse {
            limit: shares.whole,
            rows: held.iter().map(|held| held.rows).sum(),
            rows_on_disk: held.iter().map(|held| held.rows_on_disk).sum(),
            sending: sending as u64,
        }
    }

    /// Tells the threads to make their last commit and end.
    fn begin_close(&self) {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.room.close();
        self.shared.enter(AppState::Closing);
        // A keeper that is gone has nothing left to close.
        let _ = self.tell.send(Event::Close);
    }

    /// Waits for the threads.
    fn join(&self) {
        drop(self.housekeeping.lock().unwrap_or_else(PoisonError::into_inner).take());
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in sender.into_iter().chain(keeper) {
            if thread.join().is_err() {
                self.shared.fail(&Error::new(
                    ErrorKind::Processing,
                    "a thread of the application panicked; see the message on standard error",
                ));
            }
        }
        // Others may take over now, and need not wait until the row counts no more.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).take().into_iter().for_each(RegistryThread::leave);
        #[cfg(feature = "http")]
        drop(self.net.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.publisher.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.publish();
        // The last commit may have answered somebody.
        self.answers.close();
    }
}

/// A running application: topology, topics and stores of one application id.
///
/// Everything that its tasks do between two commits becomes visible in one atomic step, or, after a crash, never. Call
/// [`close`](App::close) to end it with a last commit; dropping it without is like a crash: safe, but the next start has
/// more to do.
///
/// ```
/// use tidemill::state::Store;
/// use tidemill::stream::StreamsBuilder;
/// use tidemill::{App, Topic};
///
/// const WORDS: Topic<String, String> = Topic::of("words");
/// const COUNTS: Store<String, i64> = Store::of("counts");
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path().join("data");
/// let builder = StreamsBuilder::new();
/// builder.stream(&WORDS).group_by_key().count_with(&COUNTS);
///
/// let app = App::builder("word-count", builder.build()?).embedded(folder).start().await?;
/// app.send(&WORDS, "tide", "a line").await?;
/// app.settled().await?;
/// assert_eq!(app.table(&COUNTS).get("tide").await?, Some(1));
/// app.close().await?;
/// # Ok(())
/// # }
/// ```
pub struct App {
    pub(super) handle: Arc<Handle>,
    restored: u64,
}

impl App {
    /// An application to be started; `application` is its id, which goes before the names of its own topics.
    pub fn builder(application: &str, topology: Topology) -> AppBuilder {
        AppBuilder::new(application, topology)
    }

    pub(super) fn new(handle: Arc<Handle>, restored: u64) -> Self {
        App { handle, restored }
    }

    /// How many changelog records the start had to restore: none after a close of stores on disk, else what lay behind
    /// their checkpoints, and all of it for stores in memory.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// Sends a record with the clock's time; returns when the log's durability policy is met, with the place that it got.
    ///
    /// # Errors
    ///
    /// `Unknown` when there is no such topic, `Closed` or the application's own error when it has stopped.
    pub async fn send<K: Data, V: Data>(
        &self,
        topic: &Topic<K, V>,
        key: impl Into<K>,
        value: impl Into<V>,
    ) -> Result<Sent, Error> {
        let now = self.handle.shared.clock.now();
        self.send_with(topic, key, value, now, &Headers::NONE).await
    }

    /// Sends a record with a time and headers of its own.
    pub async fn send_with<K: Data, V: Data>(
        &self,
        topic: &Topic<K, V>,
        key: impl Into<K>,
        value: impl Into<V>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<Sent, Error> {
        let record = self.handle.encode(topic, (&key.into(), &value.into()), timestamp, headers)?;
        let partition = record.0.clone();
        let behind = self.handle.post(vec![record], None).await?.await?;
        let next = behind.next(&partition).unwrap_or_default();
        Ok(Sent { partition, offset: Offset::new(next.get().saturating_sub(1)) })
    }

    /// A named outside input whose position is stored together with the records sent from it.
    pub fn feed(&self, name: &str) -> Feed {
        Feed::new(self.handle.clone(), name)
    }

    /// A store to be asked; what can be asked depends on its kind: see [`TableQuery`](crate::TableQuery),
    /// [`WindowQuery`](crate::WindowQuery), [`SessionQuery`](crate::SessionQuery) and
    /// [`VersionedQuery`](crate::VersionedQuery).
    pub fn table<D: Queryable>(&self, store: &D) -> D::Query {
        store.query(StoreQuery::new(self.handle.clone(), store))
    }

    /// Reads the committed records of a topic, from the first that is kept, and those that come later as they come.
    ///
    /// # Errors
    ///
    /// `Unknown` when there is no such topic, `Closed` or the application's own error when it has stopped.
    pub fn subscribe<K: Data, V: Data>(&self, topic: &Topic<K, V>) -> Result<Subscription<K, V>, Error> {
        Subscription::new(self.handle.shared.clone(), topic)
    }

    /// How far the application's inputs were at its last commit.
    pub fn position(&self) -> Position {
        (*self.handle.shared.committed.position()).clone()
    }

    /// Adds a worker thread, and has it take over some of the tasks; gives the number of workers that there are then. The group of
    /// processes does not hear of it. Of more workers than the process has tasks some have nothing to do.
    ///
    /// ```
    /// # use tidemill::{App, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let app = App::builder("counts", builder.build()?).memory().topic(&IN, 4).start().await?;
    /// assert_eq!(app.add_worker().await?, 2);
    /// assert_eq!(app.remove_worker().await?, 1);
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Elsewhere` while the process has no share of the work, as it joins again: ask again in a moment. `Closed` or the application's
    /// own error when it has stopped.
    pub async fn add_worker(&self) -> Result<usize, Error> {
        self.staff(Staffing::More).await
    }

    /// Ends a worker thread, the one that was added last; gives the number of workers that are left, once its tasks are with those and
    /// it has ended. Tasks whose [calls](tidemill_dsl::stream::Stream::map_async) are open wait for them before they go.
    ///
    /// # Errors
    ///
    /// As [`add_worker`](App::add_worker), and `Invalid` for the last one.
    pub async fn remove_worker(&self) -> Result<usize, Error> {
        self.staff(Staffing::Fewer).await
    }

    /// How many worker threads there are; none while the process has no share of the work.
    pub fn workers(&self) -> usize {
        workers(self.handle.shared.crew())
    }

    async fn staff(&self, staffing: Staffing) -> Result<usize, Error> {
        let (staffed, answered) = oneshot::channel();
        self.handle.tell.send(Event::Staff(staffing, staffed)).map_err(|_| self.handle.shared.gone())?;
        match answered.await {
            Ok(answer) => answer,
            Err(_) if self.state().is_over() => Err(self.handle.shared.gone()),
            Err(_) => Err(self.handle.shared.elsewhere("a share of the work")),
        }
    }

    /// The state now.
    pub fn state(&self) -> AppState {
        self.handle.shared.state.borrow().clone()
    }

    /// The states, the one now and all that follow: a listener that can be waited on.
    pub fn states(&self) -> watch::Receiver<AppState> {
        self.handle.shared.state.subscribe()
    }

    /// Waits until everything that lies in the topology's input topics now has been processed and committed, and what
    /// followed from it too; while the application is [paused](App::pause), that is after [`resume`](App::resume). It asks for the commits, and so does not wait for their interval. It does not wait for timers, nor for
    /// the calls of `map_async`: what they will write is no record of an input topic yet.
    pub async fn settled(&self) -> Result<(), Error> {
        let shared = &self.handle.shared;
        let mut news = News::of(shared);
        let mut target: Option<Position> = None;
        loop {
            if news.look() {
                return Err(shared.gone());
            }
            // The progress is read before the ends: where they are equal, nothing was left to do at that moment.
            if backlog(shared)? == 0 {
                return Ok(());
            }
            // What comes of the records is asked for only when those are committed: asking anew after each commit would make
            // the workers commit without a pause.
            let position = shared.committed.position();
            if target.as_ref().is_none_or(|target| position.covers(target)) {
                target = Some(ends(shared)?);
            }
            // Workers that came since have not heard of what is missing.
            if let Some(target) = &target {
                shared.want(&position.missing(target).map(|(input, next)| (input.clone(), next)).collect());
            }
            news = next_news(&self.handle, news).await?;
        }
    }

    /// The processes of the application, by id: what each runs, and what it keeps of others. What others say of themselves may be
    /// some seconds old, and one that was killed stays in the list until its word counts no more, some twelve seconds later. Where one
    /// process has the log for itself, it is the only one.
    ///
    /// ```
    /// # use tidemill::{App, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let app = App::builder("counts", builder.build()?).memory().start().await?;
    /// let all = app.instances();
    /// assert_eq!((all.len(), all[0].is_here), (1, true));
    /// assert_eq!(all[0].active[0].task.to_string(), "0_0");
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn instances(&self) -> Vec<Instance> {
        self.handle.shared.instances()
    }

    /// Which tasks are being restored now, and how many records restores took.
    pub fn restores(&self) -> Restores {
        self.handle.shared.restores.clone()
    }

    /// What the application holds in memory, and what it may.
    ///
    /// ```
    /// # use tidemill::{App, Settings, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let topology = builder.build()?;
    /// let settings = Settings { memory_bytes: 64 << 20, ..Settings::default() };
    /// let app = App::builder("counts", topology).settings(settings).memory().start().await?;
    /// assert_eq!((app.memory().limit, app.memory().rows), (64 << 20, 0));
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn memory(&self) -> MemoryUse {
        self.handle.memory()
    }

    /// The settings that it runs with, each with where it comes from. `Display` shows them as a table, without secrets.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill::{App, SettingOrigin, Settings, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let topology = builder.build()?;
    /// let settings = Settings { commit_interval: Duration::from_millis(20), ..Settings::default() };
    /// let app = App::builder("counts", topology).settings(settings).memory().start().await?;
    /// let commits = app.settings().get("commit_interval").unwrap();
    /// assert_eq!((&*commits.value, &commits.origin), ("20ms", &SettingOrigin::Program));
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn settings(&self) -> &SettingsInUse {
        &self.handle.shared.settings
    }

    /// How many committed records lie in the topology's input topics and are not processed and committed yet; 0 when the
    /// application is settled.
    ///
    /// # Errors
    ///
    /// The application's own error when it has stopped.
    pub fn backlog(&self) -> Result<u64, Error> {
        let shared = &self.handle.shared;
        if shared.state.borrow().is_over() {
            return Err(shared.gone());
        }
        backlog(shared)
    }

    /// Waits until the application is over: closed, or failed with the error that this returns.
    pub async fn ended(&self) -> Result<(), Error> {
        let mut states = self.states();
        match states.wait_for(AppState::is_over).await.as_deref() {
            Ok(AppState::Failed(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Commits what was processed, flushes the stores and ends; waits 30 seconds for it at most.
    ///
    /// One that has failed commits nothing more, and this gives its error. When this returns, its folders are free for the next
    /// start; one that is only dropped may hold them for a moment longer.
    pub async fn close(self) -> Result<(), Error> {
        self.close_within(CLOSE_LIMIT).await
    }

    /// As [`close`](App::close), with a time limit of one's own. After `TimedOut` the threads go on closing by themselves;
    /// ending the process then is safe.
    pub async fn close_within(self, limit: Duration) -> Result<(), Error> {
        let (done, closed) = oneshot::channel();
        let handle = self.handle.clone();
        let close = move || {
            // Whoever closed it may have gone.
            let _ = done.send(close(handle, limit));
        };
        std::thread::Builder::new()
            .name("tidemill-close".into())
            .spawn(close)
            .map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        closed.await.map_err(|_| self.handle.shared.gone())?
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if !matches!(self.state(), AppState::Starting | AppState::Running | AppState::Paused | AppState::Rebalancing) {
            return;
        }
        // The workers see that they are to stop, and commit nothing more.
        let dropped =
            "the application was dropped without `close`: what was not committed is processed at the next start";
        self.handle.shared.fail(&Error::new(ErrorKind::Closed, dropped));
        self.handle.begin_close();
    }
}

fn close(handle: Arc<Handle>, limit: Duration) -> Result<(), Error> {
    handle.begin_close();
    let (done, joined) = channel();
    let joining = handle.clone();
    let join = move || {
        joining.join();
        joining.shared.enter(AppState::Closed);
        // Whoever is told may start again at once, and finds the folder locked as long as anybody here has the log.
        drop(joining);
        // The closer may have given up waiting.
        let _ = done.send(());
    };
    std::thread::Builder::new()
        .name("tidemill-join".into())
        .spawn(join)
        .map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
    if joined.recv_timeout(limit).is_err() {
        let message = format!("the application did not close within {limit:?}; it goes on closing in the background");
        return Err(Error::new(ErrorKind::TimedOut, message));
    }
    match &*handle.shared.state.borrow() {
        AppState::Failed(error) => Err(error.clone()),
        _ => Ok(()),
    }
}

/// Where the input topics end now.
fn ends(shared: &Shared) -> Result<Position, Error> {
    let mut ends = Position::new();
    for input in &shared.shape().inputs {
        ends.reach(input, shared.log.bounds(input)?.end);
    }
    Ok(ends)
}

/// How many records lie in the partitions that the tasks read behind the application's progress, and in those of the global
/// stores behind what they have.
fn backlog(shared: &Shared) -> Result<u64, Error> {
    let progress = shared.log.progress(&shared.application)?;
    let mut records = 0;
    // What the global stores have is no part of the progress. It is read before the first end: where they are equal, nothing
    // was left to do at that moment.
    let position = shared.committed.position();
    for input in &shared.shape().inputs {
        let bounds = shared.log.bounds(input)?;
        let committed = progress.inputs.get(input).map(|at| at.next);
        let next = committed.or_else(|| position.next(input)).unwrap_or(bounds.start);
        records += bounds.end.get().saturating_sub(next.get());
    }
    Ok(records)
}
