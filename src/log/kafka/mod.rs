//! Topics of an Apache Kafka cluster.
//!
//! Rule: partitions are read without the group's consumer, which is a member and nothing else; so no rebalance ever drops what
//! was fetched, and workers read where they are told. Everything that names the client is in this folder.

mod asker;
mod base64;
mod choice;
mod client;
mod committing;
mod departure;
mod fault;
mod foreign;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod joined;
mod member;
mod native;
mod notes;
mod offset_metadata;
mod reader;
mod security;
mod session;
mod settings;
mod share;
mod tender;
mod topics;
mod trouble;
mod turns;
mod watcher;
mod writer;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use tidemill_dsl::record::{Batch, Offset, Timestamp, TopicPartition};
use tidemill_dsl::topology::TopicNeed;

use super::{
    Append, Bounds, Cleaned, Cleanup, Log, LogError, LogErrorKind, Member, Membership, Notes, Progress, Session,
    TopicConfig, TopicId, TopicSpec, Written,
};
use crate::clock::{Clock, SystemClock};
use asker::Asker;
use committing::Places;
use fault::{coded, is_passing};
use member::KafkaMember;
use native::Offsets;
use notes::{NotesTopic, Owner};
use reader::Reader;
use session::{KafkaSession, Uses};
use tender::Tender;
use topics::Topics;
use watcher::Watcher;
use writer::{Failed, Writer};

pub use security::{ClientCertificate, Mechanism, Sasl, Secret, Security, Tls};
pub use settings::{GroupProtocol, Guarantee, KafkaSettings};

/// As many partitions are read for restores and subscriptions; then those go that nobody asked for for the longest time.
const READ_MAX: usize = 64;
/// How long it is waited until the records of an own commit can be seen, which takes the brokers a few milliseconds.
const OWN_WAIT: Duration = Duration::from_secs(1);
const A_MOMENT: Duration = Duration::from_millis(2);
/// So long after all was read no delete can be missing.
const SOON: Duration = Duration::from_secs(1);
/// How soon a group is asked again.
const AGAIN: Duration = Duration::from_millis(10);
/// How long a read of another partition may wait for the answer to the fetch before.
const PATIENCE: Duration = Duration::from_millis(50);

/// Topics of an Apache Kafka cluster. Needs the feature `kafka`, and brokers of 2.5 at least.
///
/// What an application does is committed in transactions ([`Guarantee::ExactlyOnce`]): the group of the application's name has
/// its positions, with what Kafka Streams keeps there, so that either can go on where the other one stopped.
///
/// A record's time of 0, the first millisecond of 1970, is written as 1: the client takes 0 for the present.
///
/// ```no_run
/// use tidemill::log::kafka::{KafkaLog, KafkaSettings};
/// use tidemill::log::{Log, TopicSpec};
///
/// let log = KafkaLog::open(KafkaSettings::new("localhost:9092"))?;
/// log.create_topic(&TopicSpec::new("orders", 6))?;
/// # Ok::<(), tidemill::log::LogError>(())
/// ```
pub struct KafkaLog {
    core: Arc<Core>,
}

/// What log, sessions and memberships share.
struct Core {
    settings: KafkaSettings,
    topics: Topics,
    /// For everybody who reads without a session.
    reader: Arc<Reader>,
    /// For questions that wait for no records.
    asker: Asker,
    /// Looks after the clients of all readers.
    tender: Tender,
    notes: NotesTopic,
    clock: SystemClock,
    /// Tells this process's appends from those of others.
    name: String,
    /// Writes what is appended outside of sessions: records alone, and several together.
    alone: Mutex<Option<Writer>>,
    together: Mutex<Option<Writer>>,
    sessions: Mutex<BTreeMap<String, Arc<AtomicBool>>>,
    /// Up to where partitions have records that this process has committed, and that may not be seen yet.
    own_ends: Mutex<BTreeMap<TopicPartition, Offset>>,
    uses: Mutex<Vec<Weak<Uses>>>,
    watcher: Watcher,
}

impl KafkaLog {
    /// Connects to a cluster.
    ///
    /// # Errors
    ///
    /// [`LogErrorKind::Invalid`] for settings that cannot be, all of them at once, and [`LogErrorKind::Unavailable`] when no broker
    /// answers in time.
    pub fn open(settings: KafkaSettings) -> Result<KafkaLog, LogError> {
        client::check(&settings)?;
        let topics = Topics::new(&settings)?;
        topics.reach()?;
        let reading = KafkaSettings { fetch_ahead_bytes: settings.fetch_ahead_bytes.min(1 << 20), ..settings.clone() };
        let tender = Tender::start()?;
        let core = Core {
            topics,
            reader: Reader::new(&reading, "tidemill", PATIENCE, &tender)?,
            tender,
            asker: Asker::new(&settings)?,
            notes: NotesTopic::new(settings.notes_topic.clone()),
            clock: SystemClock,
            name: name_of_its_own(),
            alone: Mutex::default(),
            together: Mutex::default(),
            sessions: Mutex::default(),
            own_ends: Mutex::default(),
            uses: Mutex::default(),
            watcher: Watcher::default(),
            settings,
        };
        Ok(KafkaLog { core: Arc::new(core) })
    }
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog").field("brokers", &self.core.settings.brokers).finish_non_exhaustive()
    }
}

/// A name that no other process has.
fn name_of_its_own() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // Only to be unlike others: nothing that is computed depends on it.
    format!("tidemill-log-{:016x}", RandomState::new().build_hasher().finish())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Fences the session in this process that writes as `id`.
    fn begin_session(&self, id: &str) -> Arc<AtomicBool> {
        let fenced = Arc::new(AtomicBool::new(false));
        if let Some(earlier) = lock(&self.sessions).insert(id.to_owned(), fenced.clone()) {
            earlier.store(true, Ordering::SeqCst);
        }
        fenced
    }

    fn new_uses(&self, application: &str) -> Arc<Uses> {
        let uses = Arc::new(Uses::of(application));
        let mut all = lock(&self.uses);
        all.retain(|uses| uses.strong_count() > 0);
        all.push(Arc::downgrade(&uses));
        uses
    }

    /// Start and end of a partition. What this process has committed is before the end, unless a transaction of somebody else is
    /// open for long: a commit is answered before the records can be seen.
    fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        self.topics.check(partition)?;
        let mut bounds = self.asker.bounds(partition)?;
        let Some(own) = lock(&self.own_ends).get(partition).copied() else { return Ok(bounds) };
        let mut waited = Duration::ZERO;
        while bounds.end < own && waited < OWN_WAIT {
            pause(A_MOMENT);
            waited += A_MOMENT;
            bounds = self.asker.bounds(partition)?;
        }
        let mut ends = lock(&self.own_ends);
        if ends.get(partition).is_some_and(|own| *own <= bounds.end) {
            ends.remove(partition);
        }
        Ok(bounds)
    }

    /// As [`bounds`](Self::bounds), once no transaction is open that wrote before now.
    fn settled(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        self.topics.check(partition)?;
        let written = self.topics.written_end(partition)?;
        let limit = self.settings.transaction_timeout + self.settings.answer_within;
        let mut waited = Duration::ZERO;
        loop {
            let bounds = self.asker.bounds(partition)?;
            if bounds.end >= written {
                return Ok(bounds);
            }
            if waited > limit {
                let message = format!(
                    "a transaction that wrote to `{partition}` is still open after {limit:?}: see who writes to it besides this \
                     application, or end the transaction with Kafka's tools"
                );
                return Err(LogError::new(LogErrorKind::Unavailable, message));
            }
            pause(A_MOMENT);
            waited += A_MOMENT;
        }
    }

    /// Remembers what this process has committed.
    fn committed_up_to(&self, partition: &TopicPartition, end: Offset) {
        lock(&self.own_ends).insert(partition.clone(), end);
    }

    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        let Bounds { start, end } = self.bounds(partition)?;
        if !(start..=end).contains(&from) {
            let message = format!(
                "offset {from} of `{partition}` is not in the log, which has {start} to {end}: begin at the start or at the end"
            );
            return Err(LogError::new(LogErrorKind::OutOfRange, message));
        }
        self.reader.follow(partition, from, Bounds { start, end })?;
        let batches = self.reader.read(partition, from, end, bytes_max)?;
        while let Some(oldest) = self.reader.superfluous(READ_MAX) {
            self.reader.unfollow(&oldest);
        }
        Ok(batches)
    }

    /// What the group has committed of all partitions.
    fn committed(&self, application: &str) -> Result<Places, LogError> {
        self.committed_of(application, |_| true)
    }

    /// What the group has committed: of each wanted partition when no transaction is about to change it. They are not waited for
    /// together, because in a busy application there may never be a moment when none of them is. Of others there may be nothing.
    fn committed_of(&self, application: &str, is_wanted: impl Fn(&TopicPartition) -> bool) -> Result<Places, LogError> {
        let (begun, answer_within) = (self.now(), self.settings.answer_within);
        let mut places = Places::default();
        loop {
            let (error, limit) = match self.asker.committed(application) {
                Ok(Offsets { committed, pending }) => {
                    places.update(committed);
                    let open = |partition: &TopicPartition| !places.has(partition) && is_wanted(partition);
                    let pending: Vec<_> = pending.into_iter().filter(open).collect();
                    if pending.is_empty() {
                        return Ok(places);
                    }
                    // One that nobody ends is ended by the brokers.
                    let limit = self.settings.transaction_timeout + answer_within;
                    (hanging(&pending, application, limit), limit)
                }
                Err(code) => {
                    // The group's broker was just started, or another one takes over.
                    let limit = if is_passing(code) { answer_within } else { Duration::ZERO };
                    (coded(&format!("cannot ask for the progress of application `{application}`"), code), limit)
                }
            };
            if passed(begun, self.now()) >= limit {
                return Err(error);
            }
            pause(AGAIN);
        }
    }

    fn progress(&self, application: &str) -> Result<Progress, LogError> {
        let notes = session::notes_of(self, application)?;
        Ok(self.committed(application)?.progress(notes))
    }

    fn read_notes(&self, owner: Owner<'_>) -> Result<Notes, LogError> {
        if self.topics.partitions(&self.notes.partition().topic)?.is_none() {
            return Ok(Notes::new());
        }
        self.notes.of(owner, |partition, from| self.read(partition, from, 1 << 20))
    }

    fn need_notes_topic(&self) -> Result<(), LogError> {
        let topic = &self.notes.partition().topic;
        if self.topics.partitions(topic)?.is_some() {
            return Ok(());
        }
        let config = TopicConfig { cleanup: Cleanup::Compact, ..TopicConfig::default() };
        self.topics.create(&TopicSpec { config, ..TopicSpec::new(topic.clone(), 1) })
    }

    /// Writes one record, and waits for it.
    fn append_one(&self, append: &Append) -> Result<(Offset, Offset), LogError> {
        let mut writer = lock(&self.alone);
        let writer = match &mut *writer {
            Some(writer) => writer,
            none => none.insert(Writer::plain(&self.settings)?),
        };
        writer.forget();
        writer.send(&append.to, 0, &append.records)?;
        let written = writer.flush();
        written.map_err(Failed::cause)?;
        writer.reached(0).ok_or_else(|| unheard(&append.to))
    }

    /// Writes everything or nothing, and waits for it. Gives the first offset of each.
    fn append_all(&self, appends: &[Append]) -> Result<Vec<Option<Offset>>, LogError> {
        let mut place = lock(&self.together);
        let writer = match place.take() {
            Some(writer) => writer,
            None => Writer::transactional(&self.settings, &self.name)?,
        };
        writer.forget();
        let written = (|| {
            writer.begin()?;
            for (number, append) in appends.iter().enumerate() {
                writer.send(&append.to, number, &append.records).map_err(Failed::Abortable)?;
            }
            writer.flush()?;
            writer.commit()
        })();
        match written {
            Ok(()) => {
                let reached: Vec<_> = (0..appends.len()).map(|number| writer.reached(number)).collect();
                for (append, (_, end)) in appends.iter().zip(&reached).filter_map(|(to, at)| Some((to, (*at)?))) {
                    self.committed_up_to(&append.to, end);
                }
                let firsts = reached.into_iter().map(|reached| reached.map(|(first, _)| first)).collect();
                *place = Some(writer);
                Ok(firsts)
            }
            // The numbers that it gave its records do not fit any more: the next call has a new producer.
            Err(Failed::Abortable(error)) => {
                if let Err(cause) = writer.abort().map_err(Failed::cause) {
                    tracing::warn!(target: "tidemill::kafka", %cause, "the brokers will abort a transaction themselves");
                }
                Err(error)
            }
            Err(Failed::Unknown(error)) => Err(error),
        }
    }
}

/// What a session without a membership writes as.
fn session_id(application: &str) -> String {
    format!("{application}-session")
}

/// The cluster tells nobody when a transaction's records can be seen, so it is asked again after a while.
fn pause(time: Duration) {
    std::thread::park_timeout(time);
}

fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.as_millis() - since.as_millis()).unwrap_or(0))
}

/// Offsets that a transaction committed which the brokers do not end, though its time is over.
fn hanging(partitions: &[TopicPartition], application: &str, limit: Duration) -> LogError {
    let names: Vec<String> = partitions.iter().map(|partition| format!("`{partition}`")).collect();
    let message = format!(
        "the place of application `{application}` in {} is part of a transaction that the brokers have not ended within {limit:?}: see \
         whether it hangs there, with `kafka-transactions.sh list` and `find-hanging`",
        names.join(", ")
    );
    LogError::new(LogErrorKind::Unavailable, message)
}

fn unheard(to: &TopicPartition) -> LogError {
    LogError::new(LogErrorKind::Unavailable, format!("the brokers did not say where a record for `{to}` went"))
}

impl Log for KafkaLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        self.core.topics.create(spec)
    }

    /// Set as Kafka Streams sets it, which may go on with it.
    fn create_own_topic(&self, need: &TopicNeed) -> Result<(), LogError> {
        self.core.topics.create_with(&need.name, need.partitions, &need.configs())
    }

    /// Brokers that cannot be written to show when it is tried.
    fn check(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn topic(&self, name: &str) -> Result<Option<TopicSpec>, LogError> {
        self.core.topics.spec(name)
    }

    fn topic_id(&self, name: &str) -> Result<Option<TopicId>, LogError> {
        self.core.topics.id(name)
    }

    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        self.core.topics.all(&self.core.settings.notes_topic)
    }

    /// As the trait says, as far as this process knows: of sessions elsewhere it does not.
    fn delete_topic(&self, name: &str) -> Result<(), LogError> {
        if lock(&self.core.uses).iter().filter_map(Weak::upgrade).any(|uses| uses.has(name)) {
            let message = format!("topic `{name}` is in use by a session: end that first");
            return Err(LogError::new(LogErrorKind::Invalid, message));
        }
        self.core.reader.unfollow_topic(name);
        self.core.topics.delete(name)
    }

    fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        self.core.bounds(partition)
    }

    fn settled(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        self.core.settled(partition)
    }

    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        self.core.read(partition, from, bytes_max)
    }

    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<(), LogError> {
        let Bounds { start, end } = self.core.bounds(partition)?;
        let before = before.min(end);
        if before <= start { Ok(()) } else { self.core.topics.delete_records(partition, before) }
    }

    /// Kafka does not say which tombstones it removed. It keeps each for `delete.retention.ms` ([`TopicConfig::tombstones`]) at
    /// least, so any may be gone for those who were away for longer.
    fn complete_from(&self, partition: &TopicPartition, away: Duration) -> Result<Offset, LogError> {
        self.core.topics.check(partition)?;
        // Whoever looks all the time does not have to ask for the topic's settings each time.
        let spec = if away < SOON { None } else { self.core.topics.spec(&partition.topic)? };
        match spec.map(|spec| spec.config) {
            Some(config) if config.cleanup.compacts() && away >= config.tombstones => {
                Ok(self.core.bounds(partition)?.end)
            }
            _ => Ok(Offset::ZERO),
        }
    }

    /// The brokers do it themselves.
    fn clean(&self, _now: Timestamp) -> Result<Cleaned, LogError> {
        Ok(Cleaned::default())
    }

    /// One record without notes is written by itself; everything else in a transaction, which takes an offset more in every
    /// partition. All replicas that are in sync have the records when this returns.
    fn post(&self, mut appends: Vec<Append>, scope: &str, notes: Notes) -> Result<Written, LogError> {
        appends.iter().try_for_each(|append| self.core.topics.check(&append.to))?;
        let asked = appends.len();
        let records: u32 = appends.iter().map(|append| append.records.count()).sum();
        let firsts = match (records, notes.is_empty()) {
            (0, true) => vec![None; asked],
            (1, true) => {
                let one = |append: &Append| match append.records.count() {
                    0 => Ok(None),
                    _ => self.core.append_one(append).map(|(first, _)| Some(first)),
                };
                appends.iter().map(one).collect::<Result<_, LogError>>()?
            }
            _ => {
                if !notes.is_empty() {
                    self.core.need_notes_topic()?;
                    let records = self.core.notes.records(Owner::Scope(scope), &notes, &[], self.core.now());
                    appends.push(Append { to: self.core.notes.partition().clone(), records });
                }
                self.core.append_all(&appends)?
            }
        };
        let mut offsets = Vec::with_capacity(asked);
        for (append, first) in appends.iter().zip(firsts).take(asked) {
            offsets.push(match first {
                Some(first) => first,
                None => self.core.bounds(&append.to)?.end,
            });
        }
        Ok(Written::new(offsets, || Ok(())))
    }

    fn notes(&self, scope: &str) -> Result<Notes, LogError> {
        self.core.read_notes(Owner::Scope(scope))
    }

    /// Changes of partitions that were [read](Log::read) lately.
    fn wake_at_change(&self, waker: &Waker) {
        self.core.watcher.add(waker, &self.core);
    }

    /// All groups that have committed something, whatever they are.
    fn applications(&self) -> Result<Vec<String>, LogError> {
        let what = "cannot ask for the groups";
        let groups = self.core.topics.client().fetch_group_list(None, self.core.settings.answer_within);
        let groups = groups.map_err(|error| fault::fault(what, &error))?;
        let mut names: Vec<&str> = groups.groups().iter().map(|group| group.name()).collect();
        names.sort_unstable();
        let mut found = Vec::new();
        for name in names {
            if self.core.committed(name)?.any() {
                found.push(name.to_owned());
            }
        }
        Ok(found)
    }

    fn progress(&self, application: &str) -> Result<Progress, LogError> {
        self.core.progress(application)
    }

    /// Members of the application's group, and sessions of this process.
    fn members(&self, application: &str) -> Result<Vec<String>, LogError> {
        let uses = lock(&self.core.uses);
        let here = uses.iter().filter_map(Weak::upgrade).filter(|uses| uses.application == application);
        let mut members: Vec<String> = here.map(|_| "a session of this process".to_owned()).collect();
        drop(uses);
        members.extend(foreign::members(&self.core, application, "")?);
        Ok(members)
    }

    /// As the trait says, but for the one atomic step: places and notes are set in one, then places in other partitions are
    /// forgotten. A call that fails can be made again.
    fn set_progress(&self, application: &str, progress: &Progress) -> Result<(), LogError> {
        let members = self.members(application)?;
        if !members.is_empty() {
            let message = format!(
                "application `{application}` is running: close it first, its next commit would undo this; {} works for it",
                members.join(", ")
            );
            return Err(LogError::new(LogErrorKind::Invalid, message));
        }
        progress.inputs.keys().try_for_each(|partition| self.core.topics.check(partition))?;
        let noted = session::notes_of(&self.core, application)?;
        let gone: Vec<String> = noted.into_keys().filter(|name| !progress.notes.contains_key(name)).collect();
        let others = self.core.committed(application)?.besides(progress);
        KafkaSession::new(self.core.clone(), application, &session_id(application), None)?
            .commit_anew(progress, &gone)?;
        if others.count() == 0 {
            return Ok(());
        }
        let limit = self.core.settings.answer_within;
        let forgotten = native::forget(self.core.topics.client(), application, &others, limit);
        forgotten.map_err(|code| coded(&format!("cannot let application `{application}` forget its places"), code))
    }

    fn is_shared(&self) -> bool {
        true
    }

    /// A session without a membership: the application's group must have no members.
    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
        Ok(Box::new(KafkaSession::new(self.core.clone(), application, &session_id(application), None)?))
    }

    /// Joins the application's group, in which each process has one member.
    fn join(&self, member: &Member) -> Result<Box<dyn Membership>, LogError> {
        Ok(Box::new(KafkaMember::join(&self.core, member)?))
    }
}
