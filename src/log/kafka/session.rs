//! A worker's session: it reads partitions of its own, and ends each epoch with a transaction.
//!
//! Rule: after a commit whose outcome is not known, or that the cluster refused, the session does nothing any more: what it
//! staged is void, and what was committed is what the group's offsets say. Whoever had it begins another one and goes on there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use tidemill_dsl::record::{Batch, Offset, TopicName, TopicPartition};

use super::super::{Append, EndWatch, LogError, LogErrorKind, Notes, OwnRecords, Progress, Session};
use super::Core;
use super::committing::Places;
use super::fault::fault;
use super::notes::Owner;
use super::reader::Reader;
use super::settings::Guarantee;
use super::share::Share;
use super::writer::{Failed, Writer};

/// How long a partition that is followed anew may wait for the answer to the fetch before.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a read waits for records that are there and were not fetched yet.
const A_MOMENT: Duration = Duration::from_millis(2);

/// Topics that a session has to do with: they are not to be deleted.
#[derive(Debug)]
pub(super) struct Uses {
    pub(super) application: String,
    topics: Mutex<(BTreeSet<TopicPartition>, BTreeSet<TopicName>)>,
}

impl Uses {
    pub(super) fn of(application: &str) -> Self {
        Uses { application: application.to_owned(), topics: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, (BTreeSet<TopicPartition>, BTreeSet<TopicName>)> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, topic: &str) -> bool {
        let topics = self.lock();
        topics.0.iter().any(|partition| &*partition.topic == topic) || topics.1.contains(topic)
    }
}

/// See [`Session`].
pub(super) struct KafkaSession {
    core: Arc<Core>,
    application: String,
    reader: Arc<Reader>,
    fenced: Arc<AtomicBool>,
    uses: Arc<Uses>,
    epoch: Mutex<Epoch>,
    /// `None`: the application's only session, whose group has no members.
    share: Option<Arc<Share>>,
}

struct Epoch {
    writer: Writer,
    /// Whether a transaction is open, or would be.
    open: bool,
    /// Why nothing can be done any more.
    over: Option<String>,
    /// The numbers that partitions' records are sent with.
    numbers: BTreeMap<TopicPartition, usize>,
    staged: BTreeSet<TopicPartition>,
    /// The offsets after the last committed records of this session.
    ends: BTreeMap<TopicPartition, Offset>,
    committed: Places,
}

impl KafkaSession {
    /// A session that writes as `id` and commits for `application`.
    pub(super) fn new(
        core: Arc<Core>,
        application: &str,
        id: &str,
        share: Option<Arc<Share>>,
    ) -> Result<Self, LogError> {
        let fenced = core.begin_session(id);
        let writer = match core.settings.guarantee {
            Guarantee::ExactlyOnce => Writer::transactional(&core.settings, id)?,
            Guarantee::AtLeastOnce => Writer::plain(&core.settings)?,
        };
        let reader = Reader::new(&core.settings, application, PATIENCE, &core.tender)?;
        let uses = core.new_uses(application);
        let epoch = Epoch {
            writer,
            open: false,
            over: None,
            numbers: BTreeMap::new(),
            staged: BTreeSet::new(),
            ends: BTreeMap::new(),
            committed: Places::default(),
        };
        let (application, epoch) = (application.to_owned(), Mutex::new(epoch));
        Ok(KafkaSession { core, application, reader, fenced, uses, epoch, share })
    }

    fn transactional(&self) -> bool {
        self.core.settings.guarantee == Guarantee::ExactlyOnce
    }

    /// The epoch, if the session is still worth something.
    fn lock(&self) -> Result<MutexGuard<'_, Epoch>, LogError> {
        self.check_fence()?;
        let epoch = self.epoch.lock().unwrap_or_else(PoisonError::into_inner);
        match &epoch.over {
            None => Ok(epoch),
            Some(why) => Err(self.lost(why)),
        }
    }

    fn check_fence(&self) -> Result<(), LogError> {
        if self.fenced.load(Ordering::SeqCst) {
            let message = format!(
                "another session of application `{}` began on this log, and what this one had staged is gone: drop it",
                self.application
            );
            return Err(LogError::new(LogErrorKind::Fenced, message));
        }
        self.share.as_ref().map_or(Ok(()), |share| share.check())
    }

    fn lost(&self, why: &str) -> LogError {
        let message = format!(
            "the session of application `{}` is over: {why}; drop it and go on where the log says that the application is",
            self.application
        );
        LogError::new(LogErrorKind::Lost, message)
    }

    /// Ends the session, whose transaction went wrong.
    fn end_session(&self, epoch: &mut Epoch, failed: Failed) -> LogError {
        let error = match failed {
            Failed::Abortable(error) => {
                // Otherwise readers wait until the brokers do it. It changes nothing here if that fails.
                if self.transactional()
                    && let Err(cause) = epoch.writer.abort().map_err(Failed::cause)
                {
                    tracing::warn!(target: "tidemill::kafka", %cause, "the brokers will abort a transaction themselves");
                }
                error
            }
            Failed::Unknown(error) => error,
        };
        epoch.open = false;
        epoch.over = Some(error.to_string());
        // Where one of them is over, the process begins again with all: its tasks may have been together in one.
        self.share.iter().for_each(|share| share.lose(&error.to_string()));
        // Settings and records that are wrong stay wrong.
        if error.kind() == LogErrorKind::Invalid { error } else { self.lost(&error.to_string()).with_source(error) }
    }

    fn begin(&self, epoch: &mut Epoch) -> Result<(), LogError> {
        if !epoch.open {
            if self.transactional() {
                epoch.writer.begin().map_err(|failed| self.end_session(epoch, failed))?;
            }
            epoch.open = true;
        }
        Ok(())
    }

    fn write(&self, epoch: &mut Epoch, to: &TopicPartition, records: &Batch) -> Result<(), LogError> {
        self.begin(epoch)?;
        let next = epoch.numbers.len();
        let number = *epoch.numbers.entry(to.clone()).or_insert(next);
        epoch.staged.insert(to.clone());
        self.uses.lock().1.insert(to.topic.clone());
        let sent = epoch.writer.send(to, number, records).map_err(Failed::Abortable);
        sent.and_then(|()| epoch.writer.delivered()).map_err(|failed| self.end_session(epoch, failed))
    }

    /// What the group has committed, of partitions that are not known yet.
    fn learn(&self, epoch: &mut Epoch, progress: &Progress) -> Result<(), LogError> {
        let missing = epoch.committed.missing(progress);
        if !missing.is_empty() {
            // Commits of others are not waited for: the transaction of this one may be open, and others wait for its end.
            epoch.committed.learn(self.core.committed_of(&self.application, |partition| missing.contains(partition))?);
        }
        Ok(())
    }

    /// Commits places as if nothing had been committed before, and forgets notes; see `Log::set_progress`.
    pub(super) fn commit_anew(&self, progress: &Progress, gone: &[String]) -> Result<(), LogError> {
        let mut epoch = self.lock()?;
        epoch.committed = Places::default();
        self.commit_epoch(&mut epoch, progress, gone)
    }

    fn commit_epoch(&self, epoch: &mut Epoch, progress: &Progress, gone: &[String]) -> Result<(), LogError> {
        for partition in progress.inputs.keys() {
            self.core.topics.check(partition)?;
        }
        let (after, changed, elsewhere) = epoch.committed.with(progress);
        let offsets = after.offsets(&changed)?;
        if !epoch.open && changed.is_empty() && elsewhere.is_empty() && gone.is_empty() {
            return Ok(());
        }
        if !elsewhere.is_empty() || !gone.is_empty() {
            self.core.need_notes_topic()?;
            let notes = &self.core.notes;
            let records = notes.records(Owner::Application(&self.application), &elsewhere, gone, self.core.now());
            self.write(epoch, notes.partition(), &records)?;
        }
        self.begin(epoch)?;
        let ended = self.end_epoch(epoch, &offsets, &changed);
        ended.map_err(|failed| self.end_session(epoch, failed))?;
        let Epoch { writer, numbers, staged, ends, .. } = epoch;
        for partition in std::mem::take(staged) {
            let end = numbers.get(&partition).and_then(|number| writer.reached(*number)).map(|(_, end)| end);
            if let Some(end) = end {
                self.core.committed_up_to(&partition, end);
                ends.insert(partition, end);
            }
        }
        self.uses.lock().1.clear();
        epoch.open = false;
        epoch.committed = after;
        Ok(())
    }

    fn end_epoch(
        &self,
        epoch: &Epoch,
        offsets: &rdkafka::TopicPartitionList,
        changed: &[TopicPartition],
    ) -> Result<(), Failed> {
        epoch.writer.flush()?;
        // From here to the end nothing of the share is given away.
        let held = self.share.as_ref().map(|share| share.hold(changed)).transpose().map_err(Failed::Abortable)?;
        let own = self.reader.fetcher();
        let consumer = held.as_ref().map_or_else(|| own.consumer(), |held| held.consumer());
        match (self.transactional(), offsets.count()) {
            (true, count) => {
                if count > 0 {
                    let missing = || LogError::new(LogErrorKind::Lost, "the client has no group any more");
                    let group = consumer.group_metadata().ok_or_else(missing).map_err(Failed::Abortable)?;
                    epoch.writer.send_offsets(offsets, &group)?;
                }
                epoch.writer.commit()
            }
            (false, 0) => Ok(()),
            (false, _) => {
                let committed = consumer.commit(offsets, CommitMode::Sync);
                committed.map_err(|error| Failed::Unknown(fault("cannot commit offsets", &error)))
            }
        }
    }
}

impl Session for KafkaSession {
    fn own_records(&self) -> OwnRecords {
        match self.core.settings.guarantee {
            Guarantee::AtLeastOnce => OwnRecords::OnceWritten,
            Guarantee::ExactlyOnce => OwnRecords::AtCommit,
        }
    }

    fn progress(&self) -> Result<Progress, LogError> {
        drop(self.lock()?);
        self.core.progress(&self.application)
    }

    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        drop(self.lock()?);
        if !self.reader.follows(partition) {
            return self.core.read(partition, from, bytes_max);
        }
        self.reader.serve(self.reader.version(), Duration::ZERO);
        let seen = self.reader.version();
        let batches = self.reader.fetched(partition, from, bytes_max)?;
        if !batches.is_empty() {
            return Ok(batches);
        }
        // Whoever asks knows of records that are there; without a moment's rest it would ask all the time.
        self.reader.serve(seen, A_MOMENT);
        self.reader.fetched(partition, from, bytes_max)
    }

    fn end(&self, partition: &TopicPartition) -> Result<Offset, LogError> {
        if let Some(end) = self.lock()?.ends.get(partition) {
            return Ok(*end);
        }
        Ok(self.core.bounds(partition)?.end)
    }

    fn follow(&self, partition: &TopicPartition, from: Offset) -> Result<EndWatch, LogError> {
        self.lock()?.committed.forget(partition);
        let bounds = self.core.bounds(partition)?;
        self.uses.lock().0.insert(partition.clone());
        self.reader.follow(partition, from, bounds).map(EndWatch::new)
    }

    fn unfollow(&self, partition: &TopicPartition) {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner).committed.forget(partition);
        self.uses.lock().0.remove(partition);
        self.reader.unfollow(partition);
    }

    fn stage(&self, append: Append) -> Result<Option<Offset>, LogError> {
        let mut epoch = self.lock()?;
        self.core.topics.check(&append.to)?;
        if append.records.count() > 0 {
            self.write(&mut epoch, &append.to, &append.records)?;
        }
        Ok(None)
    }

    fn commit(&self, progress: &Progress) -> Result<(), LogError> {
        let mut epoch = self.lock()?;
        self.learn(&mut epoch, progress)?;
        self.commit_epoch(&mut epoch, progress, &[])
    }

    fn abort(&self) -> Result<(), LogError> {
        let mut epoch = self.lock()?;
        if std::mem::take(&mut epoch.open) && self.transactional() {
            epoch.writer.abort().map_err(|failed| self.end_session(&mut epoch, failed))?;
        }
        epoch.staged.clear();
        self.uses.lock().1.clear();
        Ok(())
    }

    fn wait(&self, seen: u64, limit: Duration) -> u64 {
        self.reader.wait(seen, limit)
    }

    fn wake(&self) {
        self.reader.wake();
    }
}

impl Drop for KafkaSession {
    fn drop(&mut self) {
        let fenced = self.fenced.load(Ordering::SeqCst);
        let transactional = self.transactional();
        let epoch = self.epoch.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Readers of what others write would wait for the brokers to end it.
        if epoch.open
            && epoch.over.is_none()
            && !fenced
            && transactional
            && let Err(cause) = epoch.writer.abort().map_err(Failed::cause)
        {
            tracing::warn!(target: "tidemill::kafka", %cause, "the brokers will abort a transaction themselves");
        }
    }
}

/// Notes of an application that are nowhere else.
pub(super) fn notes_of(core: &Core, application: &str) -> Result<Notes, LogError> {
    core.read_notes(Owner::Application(application))
}
