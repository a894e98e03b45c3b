//! The steps of a start: log, topics, stores, tasks, threads.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, RwLock};

use tidemill_dsl::record::{TopicName, TopicPartition, name_fault};
use tidemill_dsl::state::Persistence;
use tidemill_dsl::topology::TopicRef;

use super::app::Handle;
use super::asked;
use super::builder::{AppBuilder, Place};
use super::committed::Committed;
use super::feed::feed_scope;
use super::home::{self, Home};
use super::housekeeping::Housekeeping;
use super::instances::{Registry, RegistryThread};
use super::keeper::Keeper;
use super::memory::Shares;
use super::metrics::Numbers;
use super::on_error::Failures;
use super::pause::Pause;
use super::program::{self, Accepted};
use super::sender::Outbox;
use super::shape::{self, Shape};
use super::shared::{LogTopics, Shared};
use super::task_maker::TaskMaker;
use super::topic_watch::TopicWatch;
use super::{App, AppState, Position};
use crate::error::{Error, ErrorKind};
use crate::log::{EmbeddedLog, Log, Member, MemoryLog, Progress, TopicSpec};
use crate::store::{Stores, state_folder};

pub(super) fn start(builder: AppBuilder) -> Result<App, Error> {
    let state = builder.state.clone();
    let started = start_checked(builder);
    if let Err(error) = &started {
        state.send_replace(AppState::Failed(error.clone()));
    }
    started
}

fn start_checked(builder: AppBuilder) -> Result<App, Error> {
    let (builder, in_use) = builder.configured()?;
    asked::answer(&builder)?;
    check(&builder)?;
    for (setting, origin) in in_use.without_effect() {
        tracing::warn!(application = builder.application, setting, %origin, "it has no effect: the application is not on Kafka");
    }
    for warning in builder.topology.warnings(builder.settings.tasks.changelog) {
        tracing::warn!(application = builder.application, "{warning}");
    }
    let shares = Shares::of(&builder.settings);
    let log = open(&builder, shares)?;
    create_topics(&builder, &*log)?;
    let topics = Arc::new(LogTopics::new(log.clone()));
    let changelog = builder.settings.tasks.changelog;
    let mut accepted = Accepted::default();
    let described = (&builder.topology, &*builder.application);
    let shape = Shape::make(described.0, described.1, changelog, &topics, shape::names_in(&*log)?, |plan| {
        accepted = program::accept(&*log, described, changelog, plan, &builder.decisions)?;
        Ok(())
    })?;
    let home = builder.state_folder.as_deref().map(Home::open).transpose()?;
    let stores = open_stores(&builder, home.as_ref(), shares, &shape)?;
    accepted.keep(&*log, &builder.application)?;
    let workers = builder.settings.threads.clamp(1, (shape.tasks_in_all() as usize).max(1));
    let settings = shares.exec(&builder.settings, workers, shape.inputs.len());
    let committed = Committed::new(position(&shape.inputs, &log.progress(&builder.application)?, &*log)?);
    let member = Member {
        application: builder.application.clone(),
        instance: home.as_ref().map_or_else(home::random_instance, |home| home.instance().to_owned()),
        topics: shape.reads.shared_topics().into_iter().collect(),
        workers,
    };
    let known = match log.is_shared() {
        true => Some(Registry::open(&*log, &builder.application, &member.instance)?),
        false => None,
    };
    let (registry, told) = known.unzip();
    #[cfg(feature = "http")]
    let server = builder.server.as_ref().map(super::QueryServer::listen).transpose()?;
    #[cfg(feature = "http")]
    let address = server.as_ref().map(|(_, address)| address.clone());
    #[cfg(not(feature = "http"))]
    let address = None;
    let maker = TaskMaker {
        topology: builder.topology.clone(),
        application: builder.application.clone(),
        names: RwLock::new(shape.names.as_slice().into()),
        topics,
        settings: builder.settings.tasks.clone(),
        stores,
        decisions: builder.decisions,
        _home: home,
    };
    let shared = Arc::new(Shared {
        application: builder.application,
        instance: member.instance.clone(),
        address,
        registry: registry.clone(),
        standbys_wanted: builder.settings.standbys,
        topology: builder.topology,
        log: log.clone(),
        clock: builder.clock.clone(),
        committed,
        crew: Mutex::default(),
        standbys: Mutex::default(),
        shape: RwLock::new(Arc::new(shape)),
        restores: builder.restores,
        settings: in_use,
        numbers: Numbers::default(),
        pause: Pause::new(builder.settings.start_paused),
        state: builder.state,
        runtime: builder.runtime,
    });
    let housekeeping = Housekeeping::start(log.clone(), builder.clock, builder.settings.clean_interval)?;
    let registry = registry.zip(told).map(|(registry, told)| RegistryThread::start(registry, told, shared.clone()));
    let registry = registry.transpose()?;
    let (outbox, sender) = Outbox::start(log, feed_scope(&shared.application))?;
    let watch = TopicWatch::of(&shared, builder.settings.topics_interval);
    let failures = Failures::new(builder.settings.on_error, builder.on_error);
    let started =
        Keeper::start(shared.clone(), maker, member, (settings, failures), (builder.settings.stuck_after, watch));
    let (thread, keeper, restored) = match started {
        Ok(started) => started,
        Err(error) => {
            // The next start finds the folder locked as long as any thread of this one has the log.
            drop((outbox, housekeeping, registry));
            let _ = sender.join();
            return Err(error);
        }
    };
    tracing::info!(application = shared.application, workers, restored, "the application runs");
    let handle = Handle::new(shared, outbox, (sender, shares), (thread, keeper), (housekeeping, registry));
    // If the rest fails, it is closed with what is dropped.
    let app = App::new(handle, restored);
    app.handle.start_publishing()?;
    #[cfg(feature = "http")]
    if let Some((listener, _)) = server {
        app.handle.net()?.serve(listener, Arc::downgrade(&app.handle))?;
    }
    Ok(app)
}

/// How far the application has read its inputs.
fn position(inputs: &[TopicPartition], progress: &Progress, log: &dyn Log) -> Result<Position, Error> {
    let next = |input: &TopicPartition| match progress.inputs.get(input) {
        Some(at) => Ok((input.clone(), at.next)),
        None => Ok((input.clone(), log.bounds(input)?.start)),
    };
    inputs.iter().map(next).collect()
}

fn check(builder: &AppBuilder) -> Result<(), Error> {
    let name = &builder.application;
    if name_fault(name, 100).is_some() {
        let message = format!(
            "the application id `{name}` is not allowed: it goes before the names of topics, so use 1 to 100 ASCII letters, \
             digits, `.`, `_` and `-`"
        );
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let partitions = builder.topics.iter().map(|(_, count)| *count).chain([builder.settings.partitions]);
    if partitions.into_iter().any(|count| count == 0) {
        return Err(Error::new(ErrorKind::Invalid, "a topic with 0 partitions was asked for: give it at least 1"));
    }
    Ok(())
}

fn open(builder: &AppBuilder, shares: Shares) -> Result<Arc<dyn Log>, Error> {
    match &builder.place {
        Some(Place::Folder(folder)) => Ok(Arc::new(EmbeddedLog::open(folder, shares.log(builder.settings.log))?)),
        Some(Place::Memory) => Ok(Arc::new(MemoryLog::default())),
        Some(Place::Log(log)) => Ok(log.clone()),
        #[cfg(feature = "kafka")]
        Some(Place::Kafka(settings)) => Ok(Arc::new(crate::log::kafka::KafkaLog::open((**settings).clone())?)),
        None => Err(Error::new(
            ErrorKind::Invalid,
            "nothing says where the application's topics are: call `embedded(folder)`, `memory()`, `log(..)` or, with the feature `kafka`, `kafka(broker)`",
        )),
    }
}

/// Opens the stores on disk, if there are any.
fn open_stores(
    builder: &AppBuilder,
    home: Option<&Home>,
    shares: Shares,
    shape: &Shape,
) -> Result<Option<Stores>, Error> {
    let folder = match (&builder.place, home) {
        (_, Some(home)) => home.stores(&builder.application),
        // The log's lock on the folder covers them.
        (Some(Place::Folder(folder)), None) => state_folder(folder, &builder.application),
        _ => return Ok(None),
    };
    let on_disk = builder.topology.stores().iter().filter(|store| store.persistence() == Persistence::Disk);
    let count: usize = on_disk.map(|store| shape.stores.get(store.name()).map_or(1, |count| *count as usize)).sum();
    // What the program gives up may be all that lies there.
    let gives_up = !builder.decisions.given_up().is_empty() && folder.exists();
    if count == 0 && !gives_up {
        return Ok(None);
    }
    let settings = &builder.settings;
    let stores = Stores::open(settings.store_engine, &folder, shares.stores(settings.stores, count.max(1)))?;
    let is_declared = |name: &str| builder.topology.stores().iter().any(|store| &**store.name() == name);
    for name in builder.decisions.given_up().into_iter().filter(|name| !is_declared(name)) {
        stores.remove_all(name)?;
    }
    Ok(Some(stores))
}

/// Creates the topics that the topology reads and writes, those of dead letters, and those that were asked for, where they
/// are missing.
fn create_topics(builder: &AppBuilder, log: &dyn Log) -> Result<(), Error> {
    // What was asked for must be so: a topic that is there with another number of partitions is an error.
    for (name, partitions) in &builder.topics {
        log.create_topic(&TopicSpec::new(name.as_str(), *partitions))?;
    }
    let mut missing = Vec::new();
    for name in external_topics(builder) {
        if log.topic(&name)?.is_none() {
            missing.push(name);
        }
    }
    if log.is_shared() {
        // Others have a say in how many partitions a topic has, and a name that was mistyped is no topic to be made.
        return if missing.is_empty() { Ok(()) } else { Err(not_there(&missing)) };
    }
    if builder.settings.create_topics {
        let create = |name: TopicName| log.create_topic(&TopicSpec::new(name, builder.settings.partitions));
        return Ok(missing.into_iter().try_for_each(create)?);
    }
    // The first dead letter may come after months: it should not find out then. Of the others the plan tells.
    match builder.settings.tasks.errors.dead_letter_topics().find(|name| missing.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let message =
                format!("topic `{name}` for dead letters does not exist: create it, or leave `create_topics` on");
            Err(Error::new(ErrorKind::Invalid, message))
        }
    }
}

/// The topics that are not the application's own, by name.
pub(super) fn external_topics(builder: &AppBuilder) -> BTreeSet<TopicName> {
    let named = builder.topology.source_topics().into_iter().chain(builder.topology.sink_topics());
    let external = named.filter(|topic| matches!(topic, TopicRef::External(_)));
    let dead_letters = builder.settings.tasks.errors.dead_letter_topics().cloned();
    external.map(|topic| topic.name().clone()).chain(dead_letters).collect()
}

fn not_there(missing: &[TopicName]) -> Error {
    let message = format!(
        "the topics `{}` do not exist: create them, or give their numbers of partitions by `AppBuilder::topic`",
        missing.join("`, `")
    );
    Error::new(ErrorKind::Invalid, message)
}
