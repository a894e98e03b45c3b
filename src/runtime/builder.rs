//! Says what an application runs on and how, and starts it.

use std::path::PathBuf;
use std::sync::Arc;

use tidemill_dsl::Topic;
use tidemill_dsl::processor::ErrorSettings;
use tidemill_dsl::topology::Topology;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

#[cfg(feature = "http")]
use super::QueryServer;
use super::on_error::Decide;
use super::program::Decisions;
use super::settings::Configuration;
use super::{App, AppState, OnError, Restores, SettingSources, Settings, SettingsInUse, start};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::log::Log;
#[cfg(feature = "kafka")]
use crate::log::kafka::KafkaSettings;

/// What an application's topics and stores lie in.
pub(super) enum Place {
    Folder(PathBuf),
    Memory,
    Log(Arc<dyn Log>),
    #[cfg(feature = "kafka")]
    Kafka(Box<KafkaSettings>),
}

/// An application that is not running yet. Parts, such as the log and the clock, are arguments; settings are plain data.
pub struct AppBuilder {
    pub(super) application: String,
    pub(super) topology: Topology,
    pub(super) place: Option<Place>,
    pub(super) state_folder: Option<PathBuf>,
    pub(super) settings: Settings,
    sources: SettingSources,
    /// What was said by itself, which holds whatever the settings say.
    threads: Option<usize>,
    errors: Option<ErrorSettings>,
    /// What the program says about errors that no handler takes.
    pub(super) on_error: Option<Decide>,
    pub(super) topics: Vec<(String, u32)>,
    pub(super) decisions: Decisions,
    pub(super) clock: Arc<dyn Clock>,
    #[cfg(feature = "http")]
    pub(super) server: Option<QueryServer>,
    pub(super) restores: Restores,
    pub(super) state: watch::Sender<AppState>,
    /// The async runtime that `start` is called in.
    pub(super) runtime: Option<Handle>,
}

impl AppBuilder {
    pub(super) fn new(application: &str, topology: Topology) -> Self {
        AppBuilder {
            application: application.into(),
            topology,
            place: None,
            state_folder: None,
            settings: Settings::default(),
            sources: SettingSources::default(),
            threads: None,
            errors: None,
            on_error: None,
            topics: Vec::new(),
            decisions: Decisions::default(),
            clock: Arc::new(SystemClock),
            #[cfg(feature = "http")]
            server: None,
            restores: Restores::default(),
            state: watch::Sender::new(AppState::Starting),
            runtime: None,
        }
    }

    /// Runs on the embedded log in this folder, with stores beside it. The folder is created if it is missing; one process
    /// at a time can have it open.
    #[must_use]
    pub fn embedded(self, folder: impl Into<PathBuf>) -> Self {
        AppBuilder { place: Some(Place::Folder(folder.into())), ..self }
    }

    /// Runs in memory: everything is gone when the application is.
    #[must_use]
    pub fn memory(self) -> Self {
        AppBuilder { place: Some(Place::Memory), ..self }
    }

    /// Runs on an Apache Kafka cluster, with the application's other processes: each gets a share of the partitions. `kafka` is
    /// the address of a broker, `host:port`, or [`KafkaSettings`].
    ///
    /// Stores lie in memory and are restored from their changelogs at each start, unless there is a
    /// [`state_folder`](Self::state_folder), which every program in earnest wants: without it a restart takes longer, and the
    /// group sees another process each time. Topics that the program reads or writes have to be there, but for those that
    /// [`topic`](Self::topic) names and for its own.
    ///
    /// ```no_run
    /// # use tidemill::{App, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let topology = builder.build()?;
    /// let app = App::builder("counts", topology).kafka("localhost:9092").state_folder("counts-data").start().await?;
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "kafka")]
    #[must_use]
    pub fn kafka(self, kafka: impl Into<KafkaSettings>) -> Self {
        AppBuilder { place: Some(Place::Kafka(Box::new(kafka.into()))), ..self }
    }

    /// Runs on a log that is open already, such as one that several applications of this process share. Stores lie in
    /// memory and are restored from the log at each start, unless there is a [`state_folder`](Self::state_folder).
    #[must_use]
    pub fn log(self, log: Arc<dyn Log>) -> Self {
        AppBuilder { place: Some(Place::Log(log)), ..self }
    }

    /// Keeps stores on disk in this folder, which is created if it is missing, and what tells this process from others that run
    /// the application with it. One process at a time can have it; each has one of its own. On the embedded log the stores lie
    /// beside it, and there is no need to call this.
    #[must_use]
    pub fn state_folder(self, folder: impl Into<PathBuf>) -> Self {
        AppBuilder { state_folder: Some(folder.into()), ..self }
    }

    /// Sets all settings, but for those that [`threads`](Self::threads) and [`errors`](Self::errors) say, in whichever order they
    /// are called.
    #[must_use]
    pub fn settings(self, settings: Settings) -> Self {
        AppBuilder { settings, ..self }
    }

    /// Sets what files and the environment say, which goes before what the program says. They are read at the start.
    #[must_use]
    pub fn settings_from(self, sources: SettingSources) -> Self {
        AppBuilder { sources, ..self }
    }

    /// The settings that the application would start with, to be printed by a program that is asked for them; a running one has
    /// [`App::settings`].
    ///
    /// # Errors
    ///
    /// `Invalid` when a file or a variable says what cannot be.
    pub fn settings_in_use(&self) -> Result<SettingsInUse, Error> {
        let mut configuration = self.configuration();
        let origins = self.sources.apply(&mut configuration)?;
        Ok(SettingsInUse::of(&configuration, origins))
    }

    /// Sets how many threads run tasks.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        AppBuilder { threads: Some(threads), ..self }
    }

    /// Says what becomes of records that cannot be read, processed or written. By default they stop the application.
    ///
    /// ```
    /// use tidemill::processor::{ErrorHandler, ErrorSettings};
    /// # use tidemill::{App, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).to(&OUT);
    /// # let topology = builder.build()?;
    ///
    /// let app = App::builder("orders", topology).memory().errors(ErrorSettings::all(ErrorHandler::dead_letter("dead")));
    /// # Ok::<(), tidemill::topology::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn errors(self, errors: ErrorSettings) -> Self {
        AppBuilder { errors: Some(errors), ..self }
    }

    /// Has a function say what is done after each error that no handler took, in place of the response in
    /// [`Settings::on_error`](crate::Settings::on_error), whose bounds hold. It is asked only where there is a choice: see
    /// [`ErrorPolicy`](crate::ErrorPolicy).
    ///
    /// ```
    /// use tidemill::OnError;
    /// # use tidemill::{App, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).to(&OUT);
    /// # let topology = builder.build()?;
    ///
    /// let app = App::builder("orders", topology).memory().on_error(|error| {
    ///     if error.to_string().contains("timed out") { OnError::ReplaceWorkers } else { OnError::StopClient }
    /// });
    /// # Ok::<(), tidemill::topology::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn on_error(self, decide: impl Fn(&Error) -> OnError + Send + Sync + 'static) -> Self {
        AppBuilder { on_error: Some(Arc::new(decide)), ..self }
    }

    /// Creates this topic with this number of partitions if it is missing, in place of the number in the settings.
    #[must_use]
    pub fn topic<K, V>(mut self, topic: &Topic<K, V>, partitions: u32) -> Self {
        self.topics.push((topic.name().into(), partitions));
        self
    }

    /// Answers queries of the application's other processes, by HTTP, so that they can ask for rows that are here
    /// ([`TableQuery::routed`](crate::TableQuery::routed)). Read what [`QueryServer`] says about who may connect.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn query_server(self, server: QueryServer) -> Self {
        AppBuilder { server: Some(server), ..self }
    }

    /// Takes the rows of a store that was declared with other serdes as the program declares it now. That is right if the new serdes
    /// read what the old ones wrote; nothing is converted. Otherwise such a program is refused.
    #[must_use]
    pub fn adopt(mut self, store: impl Into<String>) -> Self {
        self.decisions.adopted.insert(store.into());
        self
    }

    /// Deletes what an earlier program kept under this name, a store's or a repartition topic's, if this one does not fit it:
    /// because it has none of this name, or another kind of it. A store that is still declared begins without rows. Nothing is done
    /// where everything fits, so the call may stay. Other processes of the application have to be closed.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tidemill::{App, Topic, log::{Log, MemoryLog}, state::Store, stream::StreamsBuilder, topology::Topology};
    /// const IN: Topic<String, i64> = Topic::of("in");
    /// const COUNTS: Store<String, i64> = Store::of("counts");
    ///
    /// fn counts() -> Topology {
    ///     let builder = StreamsBuilder::new();
    ///     builder.stream(&IN).group_by_key().count_with(&COUNTS);
    ///     builder.build().expect("it fits together")
    /// }
    ///
    /// fn nothing_kept() -> Topology {
    ///     let builder = StreamsBuilder::new();
    ///     builder.stream(&IN).for_each(|_, _| {});
    ///     builder.build().expect("it fits together")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
    /// App::builder("app", counts()).log(log.clone()).start().await?.close().await?;
    ///
    /// let refused = App::builder("app", nothing_kept()).log(log.clone()).start().await.err().expect("rows would be lost");
    /// assert!(refused.to_string().contains("to delete its rows call `drop_state(\"counts\")`"), "{refused}");
    ///
    /// let app = App::builder("app", nothing_kept()).log(log.clone()).drop_state("counts").start().await?;
    /// assert_eq!(log.topic("app-counts-changelog")?, None);
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn drop_state(mut self, name: impl Into<String>) -> Self {
        self.decisions.dropped.insert(name.into());
        self
    }

    /// Lets a store that this program names `to` go on with the rows of the one that an earlier program named `from`: they are moved to the
    /// changelog of the new name, and the old one is deleted. The stores must be of one kind, with the same serdes (or see
    /// [`adopt`](Self::adopt), with the new name) and partitions, and have changelogs; the new name must not have been used before.
    /// Nothing is done where there is nothing of the old name, so the call may stay. Other processes of the application have to be
    /// closed. A process that ends in the middle has moved nothing: the next start begins again.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tidemill::{App, Topic, log::{Log, MemoryLog}, state::Store, stream::StreamsBuilder, topology::Topology};
    /// const IN: Topic<String, i64> = Topic::of("in");
    ///
    /// fn counts_as(name: &'static str) -> Topology {
    ///     let builder = StreamsBuilder::new();
    ///     builder.stream(&IN).group_by_key().count_with(&Store::of(name));
    ///     builder.build().expect("it fits together")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
    /// let app = App::builder("app", counts_as("counts")).log(log.clone()).start().await?;
    /// app.send(&IN, "alice", 7).await?;
    /// app.settled().await?;
    /// app.close().await?;
    ///
    /// let app = App::builder("app", counts_as("by-name")).log(log.clone()).rename_state("counts", "by-name").start().await?;
    /// assert_eq!(app.restored(), 1);
    /// assert_eq!(log.topic("app-counts-changelog")?, None);
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rename_state(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.decisions.renamed.insert(from.into(), to.into());
        self
    }

    /// Replaces the machine's clock.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        AppBuilder { clock: Arc::new(clock), ..self }
    }

    /// The application's states, the one now and all that follow: a listener that can be waited on.
    pub fn states(&self) -> watch::Receiver<AppState> {
        self.state.subscribe()
    }

    /// Which tasks are being restored, while the application starts and later.
    pub fn restores(&self) -> Restores {
        self.restores.clone()
    }

    /// Opens the log, creates missing topics, restores the stores, and begins to process. Returns when it does, so a store is
    /// never read before it is restored; how many records that took says [`App::restored`].
    ///
    /// # Errors
    ///
    /// `Invalid` for a topology, topics or settings that do not fit, or a folder that is not ours or cannot be written;
    /// `Locked` when another process has the folder; `Corrupt` for damaged files; `Asked` when `tidemill plan` or `tidemill describe`
    /// runs the program: it has answered them then, and nothing has begun.
    pub async fn start(mut self) -> Result<App, Error> {
        self.runtime = Handle::try_current().ok();
        let (done, started) = oneshot::channel();
        // Opening and restoring block, so they have a thread of their own; this needs no particular async runtime.
        let begin = move || {
            // Whoever started it may have gone; the application then closes with its handle.
            let _ = done.send(start::start(self));
        };
        std::thread::Builder::new()
            .name("tidemill-start".into())
            .spawn(begin)
            .map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        started.await.map_err(|_| Error::new(ErrorKind::Invalid, "the start panicked; see the message above"))?
    }

    /// What the program says.
    fn configuration(&self) -> Configuration {
        let mut settings = self.settings.clone();
        if let Some(threads) = self.threads {
            settings.threads = threads;
        }
        if let Some(errors) = &self.errors {
            settings.tasks.errors = errors.clone();
        }
        Configuration {
            settings,
            #[cfg(feature = "kafka")]
            kafka: if let Some(Place::Kafka(kafka)) = &self.place { Some((**kafka).clone()) } else { None },
        }
    }

    /// Puts what was said by itself, by files and by variables into the settings.
    pub(super) fn configured(mut self) -> Result<(Self, SettingsInUse), Error> {
        let mut configuration = self.configuration();
        let origins = self.sources.apply(&mut configuration)?;
        let in_use = SettingsInUse::of(&configuration, origins);
        self.settings = configuration.settings;
        #[cfg(feature = "kafka")]
        if let Some(kafka) = configuration.kafka {
            self.place = Some(Place::Kafka(Box::new(kafka)));
        }
        Ok((self, in_use))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidemill_dsl::processor::ErrorHandler;
    use tidemill_dsl::stream::StreamsBuilder;

    use super::*;

    #[test]
    fn what_is_said_by_itself_holds_whatever_the_order() {
        let settings = || Settings { threads: 1, commit_interval: Duration::from_secs(7), ..Settings::default() };
        let errors = || ErrorSettings::all(ErrorHandler::skip());
        let begun = || {
            let builder = StreamsBuilder::new();
            builder.stream(&Topic::<String, i64>::of("in")).for_each(|_, _| ());
            AppBuilder::new("app", builder.build().unwrap())
        };
        let orders = [
            begun().threads(3).errors(errors()).settings(settings()),
            begun().settings(settings()).errors(errors()).threads(3),
        ];
        for builder in orders {
            let Settings { threads, commit_interval, tasks, .. } = builder.configured().unwrap().0.settings;
            assert_eq!((threads, commit_interval), (3, Duration::from_secs(7)));
            assert!(format!("{:?}", tasks.errors).contains("Skip"), "{:?}", tasks.errors);
        }
    }
}
