//! The steps of a start: log, topics, stores, tasks, threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_dsl::processor::BoxError;
use tidemill_dsl::record::{TopicName, TopicPartition, name_fault};
use tidemill_dsl::state::{ByteStore, Persistence, StoreSpec};
use tidemill_dsl::topology::{ANSWERS_KEPT, TaskSpec, TopicKind, TopicPlan, TopicRef};

use super::app::Handle;
use super::builder::{AppBuilder, Place};
use super::checkpoints::Checkpoints;
use super::committed::Committed;
use super::gate::Gate;
use super::housekeeping::Housekeeping;
use super::memory::Shares;
use super::message::Inbox;
use super::sender::Outbox;
use super::shared::{HeldByWorker, LogTopics, Shared};
use super::{App, AppState, Position, worker};
use crate::error::{Error, ErrorKind};
use crate::exec;
use crate::log::{Cleanup, EmbeddedLog, Log, MemoryLog, Progress, TopicConfig, TopicSpec};
use crate::store::Stores;
use crate::task::Task;

/// What is added to the time that the changelog of a window or versioned store keeps its records, as in Kafka Streams.
const ADDITIONAL: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn start(builder: AppBuilder) -> Result<App, Error> {
    let state = builder.state.clone();
    let started = start_checked(builder);
    if let Err(error) = &started {
        state.send_replace(AppState::Failed(error.clone()));
    }
    started
}

fn start_checked(builder: AppBuilder) -> Result<App, Error> {
    check(&builder)?;
    for warning in builder.topology.warnings(builder.settings.tasks.changelog) {
        tracing::warn!(application = builder.application, "{warning}");
    }
    let shares = Shares::of(&builder.settings);
    let log = open(&builder, shares)?;
    create_topics(&builder, &*log)?;
    let names: Vec<TopicName> = log.topics()?.into_iter().map(|spec| spec.name).collect();
    let topics = Arc::new(LogTopics(log.clone()));
    let plan = builder.topology.plan(&builder.application, builder.settings.tasks.changelog, &names, &*topics)?;
    create_internal(&plan, &*log)?;
    let stores = open_stores(&builder, shares, &plan)?;
    let session: Arc<dyn crate::log::Session> = Arc::from(log.session(&builder.application)?);
    let Tasks { global, tasks } = make_tasks(&builder, &plan, &names, topics, stores.as_ref())?;
    let workers = builder.settings.threads.clamp(1, tasks.len().max(1));
    let housekeeping = Housekeeping::start(log.clone(), builder.clock.clone(), builder.settings.clean_interval)?;
    let (outbox, sender) = Outbox::start(log.clone(), Handle::scope_of(&builder.application))?;
    let reading = tasks.iter().chain(&global).flat_map(Task::inputs);
    let inputs: Vec<TopicPartition> = reading.map(|(_, input)| input.clone()).collect();
    let committed = Committed::new(position(&inputs, &session.progress()?, &*log)?);
    let shared = Arc::new(Shared {
        application: builder.application,
        topology: builder.topology,
        log,
        session,
        clock: builder.clock,
        gate: Gate::new(workers),
        committed,
        inboxes: (0..workers).map(|_| Inbox::default()).collect(),
        tasks: plan.tasks,
        stores: plan.stores,
        repartition: plan
            .internal
            .iter()
            .filter(|need| need.kind == TopicKind::Repartition)
            .map(|need| need.name.clone())
            .collect(),
        inputs,
        held: (0..workers).map(|_| HeldByWorker::default()).collect(),
        state: builder.state,
        runtime: builder.runtime,
    });
    let settings = shares.exec(&builder.settings, workers, shared.inputs.len());
    let (threads, restored) = start_workers(&shared, Tasks { global, tasks }, settings)?;
    shared.enter(AppState::Running);
    let handle = Handle::new(shared, outbox, (sender, shares), threads, housekeeping);
    Ok(App::new(handle, restored))
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
        None => Err(Error::new(
            ErrorKind::Invalid,
            "nothing says where the application's topics are: call `embedded(folder)`, `memory()` or `log(..)`",
        )),
    }
}

/// Opens the stores on disk, if there are any. The log's lock on the folder covers them.
fn open_stores(builder: &AppBuilder, shares: Shares, plan: &TopicPlan) -> Result<Option<Stores>, Error> {
    let Some(Place::Folder(folder)) = &builder.place else { return Ok(None) };
    let on_disk = builder.topology.stores().iter().filter(|store| store.persistence() == Persistence::Disk);
    let count: usize = on_disk.map(|store| plan.stores.get(store.name()).map_or(1, |count| *count as usize)).sum();
    if count == 0 {
        return Ok(None);
    }
    let (folder, settings) = (folder.join("state").join(&builder.application), &builder.settings);
    Ok(Some(Stores::open(settings.store_engine, &folder, shares.stores(settings.stores, count))?))
}

/// Creates the topics that the topology reads and writes, those of dead letters, and those that were asked for, where they
/// are missing.
fn create_topics(builder: &AppBuilder, log: &dyn Log) -> Result<(), Error> {
    let mut wanted: BTreeMap<TopicName, u32> = BTreeMap::new();
    if builder.settings.create_topics {
        let named = builder.topology.source_topics().into_iter().chain(builder.topology.sink_topics());
        let external = named.filter(|topic| matches!(topic, TopicRef::External(_)));
        let dead_letters = builder.settings.tasks.errors.dead_letter_topics().cloned();
        let missing = external.map(|topic| topic.name().clone()).chain(dead_letters);
        wanted.extend(missing.map(|name| (name, builder.settings.partitions)));
    }
    // What was asked for must be so: a topic that is there with another number of partitions is an error.
    for (name, partitions) in &builder.topics {
        log.create_topic(&TopicSpec::new(name.as_str(), *partitions))?;
    }
    for (name, partitions) in wanted {
        if log.topic(&name)?.is_none() {
            log.create_topic(&TopicSpec::new(name, partitions))?;
        }
    }
    for name in builder.settings.tasks.errors.dead_letter_topics() {
        // The first dead letter may come after months: it should not find out then.
        if log.topic(name)?.is_none() {
            let message =
                format!("topic `{name}` for dead letters does not exist: create it, or leave `create_topics` on");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    }
    Ok(())
}

fn create_internal(plan: &TopicPlan, log: &dyn Log) -> Result<(), Error> {
    for need in &plan.internal {
        let (name, partitions, config) = (need.name.clone(), need.partitions, config_of(need.kind));
        log.create_topic(&TopicSpec { name, partitions, config })?;
    }
    Ok(())
}

/// What a log that is ours makes of a topic's kind.
fn config_of(kind: TopicKind) -> TopicConfig {
    let of = |cleanup| TopicConfig { cleanup, ..TopicConfig::default() };
    match kind {
        // What was processed is deleted by the application.
        TopicKind::Repartition => of(Cleanup::Delete),
        TopicKind::Answers => TopicConfig { retention: Some(ANSWERS_KEPT), ..of(Cleanup::Delete) },
        TopicKind::Changelog => of(Cleanup::Compact),
        // The row of a window has the time of its last record, which may be its very start, and the store counts from the
        // start of the youngest window: so the size of a window is added, which is never greater than the retention.
        TopicKind::WindowChangelog { retention } => {
            let retention = Some(retention.saturating_add(retention.max(ADDITIONAL)));
            TopicConfig { retention, ..of(Cleanup::CompactAndDelete) }
        }
        TopicKind::VersionedChangelog { retention } => {
            TopicConfig { compaction_lag: retention.saturating_add(ADDITIONAL), ..of(Cleanup::Compact) }
        }
    }
}

/// The tasks of an application.
struct Tasks {
    /// The one that maintains the global stores, if there are any.
    global: Option<Task>,
    tasks: Vec<Task>,
}

fn make_tasks(
    builder: &AppBuilder,
    plan: &TopicPlan,
    names: &[TopicName],
    topics: Arc<LogTopics>,
    stores: Option<&Stores>,
) -> Result<Tasks, Error> {
    let globals = builder.topology.global_stores();
    let make = |subtopologies: &[usize], partition: u32| {
        let checkpoints = stores.map(|stores| Checkpoints {
            stores,
            log: &*topics.0,
            application: &builder.application,
            changelog: builder.settings.tasks.changelog,
        });
        let mut open_store = |spec: &StoreSpec| -> Result<Option<Box<dyn ByteStore>>, BoxError> {
            checkpoints.as_ref().map_or(Ok(None), |checkpoints| checkpoints.open(spec, partition))
        };
        let spec = TaskSpec {
            subtopologies,
            partition,
            application: &builder.application,
            topics: names,
            counts: topics.clone(),
            settings: builder.settings.tasks.clone(),
            globals: globals.clone(),
            open_store: &mut open_store,
        };
        Task::new(&builder.topology, spec)
    };
    let mut tasks = Vec::new();
    for (subtopology, count) in plan.tasks.iter().enumerate() {
        for partition in 0..*count {
            tasks.push(make(&[subtopology], partition)?);
        }
    }
    let global: Vec<usize> =
        builder.topology.subtopologies().iter().filter(|sub| sub.is_global()).map(|sub| sub.id).collect();
    let global = (!global.is_empty()).then(|| make(&global, 0)).transpose()?;
    Ok(Tasks { global, tasks })
}

/// Starts the workers, waits until all have restored their tasks, and says how many records that took.
fn start_workers(
    shared: &Arc<Shared>,
    Tasks { global, tasks }: Tasks,
    settings: exec::Settings,
) -> Result<(Vec<JoinHandle<()>>, u64), Error> {
    let workers = shared.inboxes.len();
    let mut parts: Vec<Vec<Task>> = (0..workers).map(|_| Vec::new()).collect();
    // The first worker maintains the global stores beside its own tasks.
    parts[0].extend(global);
    for (number, task) in tasks.into_iter().enumerate() {
        parts[number % workers].push(task);
    }
    let ((ready, readies), (mut threads, mut starts)) = (channel(), (Vec::new(), Vec::new()));
    let spawned = parts.into_iter().enumerate().try_for_each(|(number, tasks)| {
        let (start, started) = channel();
        starts.push(start);
        threads.push(start_worker(shared, (number, tasks), settings, (ready.clone(), started))?);
        Ok(())
    });
    drop(ready);
    match spawned.and_then(|()| readies.iter().sum::<Result<u64, Error>>()) {
        Ok(restored) => {
            // Nobody processes before all stores are there: any task may read a global one. A worker that ended meanwhile
            // has said why.
            for start in starts {
                let _ = start.send(());
            }
            tracing::info!(application = shared.application, workers, restored, "the application runs");
            Ok((threads, restored))
        }
        Err(error) => {
            // Workers that did start must not run on by themselves, nor hold the folder when the next start tries.
            shared.fail(&error);
            drop(starts);
            threads.into_iter().for_each(|thread| drop(thread.join()));
            Err(error)
        }
    }
}

fn start_worker(
    shared: &Arc<Shared>,
    (number, tasks): (usize, Vec<Task>),
    settings: exec::Settings,
    (ready, started): (Sender<Result<u64, Error>>, Receiver<()>),
) -> Result<JoinHandle<()>, Error> {
    let shared = shared.clone();
    let ready: worker::Ready = Box::new(move |restored| {
        // The starter stops listening at the first error; the others then see the application fail.
        let _ = ready.send(restored);
        drop(ready);
        // Without a start the application has failed, which the worker sees by itself.
        let _ = started.recv();
    });
    let body = move || worker::run(shared, number, tasks, settings, ready);
    let thread = std::thread::Builder::new().name(format!("tidemill-{number}")).spawn(body);
    thread.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))
}
