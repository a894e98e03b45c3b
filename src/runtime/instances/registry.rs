//! The topic of instances: what this process says of itself there, and what it reads of the others.
//!
//! Rule: a process writes its own row only: when it has other tasks than before, and every few seconds to show that it is there. A
//! row that was not renewed for some time counts no more; a process that closes takes its row away. One row is of all of them: that
//! they are to stop; it concerns those that were there when it was written.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_dsl::record::{BatchBuilder, Headers, Offset, Timestamp, TopicName, TopicPartition};

use super::{Instance, row};
use crate::error::{Error, ErrorKind};
use crate::log::{Append, Cleanup, Log, LogError, Notes, TopicConfig, TopicSpec};
use crate::runtime::shared::Shared;
use crate::task::TaskId;

/// How the name of the topic ends, behind the application's.
const ENDING: &str = "-tidemill-instances";
/// How often the topic is read.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a row is renewed in which nothing but places has changed.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How long a row counts that nobody renews.
const COUNTS_FOR: Duration = Duration::from_secs(12);
/// The key of the row that stops all. Ids of processes have no space.
const STOP: &str = "stop all";
/// How many bytes are read at once.
const READ_BYTES: usize = 1 << 20;

/// The topic of an application's instances.
pub(in crate::runtime) fn topic_of(application: &str) -> TopicName {
    format!("{application}{ENDING}").into()
}

/// Whether a topic is one of instances, which no pattern of a source is meant for.
pub(in crate::runtime) fn is_topic(name: &str) -> bool {
    name.ends_with(ENDING)
}

/// What is known of the other processes.
pub(in crate::runtime) struct Registry {
    partition: TopicPartition,
    /// This process's id.
    own: String,
    rows: Mutex<Rows>,
    /// Where the topic ended when this process came.
    begun: Offset,
    /// Ends the thread's pause.
    tell: Sender<()>,
}

#[derive(Default)]
struct Rows {
    /// By id, with the time when each was last renewed, by the clock here.
    others: BTreeMap<String, (Instance, Timestamp)>,
    /// Changes whenever a row does.
    version: u64,
    next: Option<Offset>,
    /// Why all are to stop, by the words of the process that says so.
    stopped: Option<String>,
}

impl Registry {
    /// Makes the topic where it is missing.
    pub(in crate::runtime) fn open(
        log: &dyn Log,
        application: &str,
        own: &str,
    ) -> Result<(Arc<Registry>, Receiver<()>), Error> {
        let topic = topic_of(application);
        if log.topic(&topic)?.is_none() {
            let config = TopicConfig { cleanup: Cleanup::Compact, ..TopicConfig::default() };
            log.create_topic(&TopicSpec { config, ..TopicSpec::new(topic.clone(), 1) })?;
        }
        let (tell, told) = channel();
        let partition = TopicPartition::new(topic, 0);
        let (begun, rows) = (log.bounds(&partition)?.end, Mutex::default());
        Ok((Arc::new(Registry { partition, own: own.to_owned(), rows, begun, tell }), told))
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The other processes, by id.
    pub(in crate::runtime) fn others(&self) -> Vec<Instance> {
        self.lock().others.values().map(|(instance, _)| instance.clone()).collect()
    }

    /// A number that changes whenever something about the others does.
    pub(in crate::runtime) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Has the topic read, and the own row written if it has changed, at once.
    pub(in crate::runtime) fn look(&self) {
        // The thread may have ended already.
        let _ = self.tell.send(());
    }

    /// Reads what is new.
    fn read(&self, log: &dyn Log, now: Timestamp) -> Result<(), LogError> {
        let bounds = log.bounds(&self.partition)?;
        let next = self.lock().next.unwrap_or(bounds.start);
        let mut next = next.clamp(bounds.start, bounds.end);
        while next < bounds.end {
            let batches = log.read(&self.partition, next, READ_BYTES)?;
            let Some(last) = batches.last() else { break };
            let end = last.end();
            let mut rows = self.lock();
            for batch in &batches {
                let take = |offset: Offset, record: tidemill_dsl::record::StoredRecord<'_>| {
                    if record.key == Some(STOP.as_bytes()) {
                        rows.stopped = self.stop_of(offset, record.value).or(rows.stopped.take());
                    } else if offset >= next {
                        rows.take(&self.own, record.key, record.value, record.timestamp, now);
                    }
                    Ok::<_, LogError>(())
                };
                batch.for_each(take)?;
            }
            next = end;
        }
        let mut rows = self.lock();
        rows.next = Some(next);
        rows.forget(now);
        Ok(())
    }

    /// Why this process is to stop, if a record at this place says so.
    fn stop_of(&self, offset: Offset, value: Option<&[u8]>) -> Option<String> {
        let text = std::str::from_utf8(value?).ok()?;
        let (by, reason) = text.split_once('\n')?;
        (offset >= self.begun && by != self.own).then(|| format!("process `{by}` stopped all of them: {reason}"))
    }

    /// Tells all other processes that are there to stop.
    pub(in crate::runtime) fn stop_all(&self, log: &dyn Log, error: &Error, now: Timestamp) -> Result<(), LogError> {
        self.write_row(log, STOP, Some(&format!("{}\n{error}", self.own)), now)
    }

    /// Writes the own row; `None` takes it away.
    fn write(&self, log: &dyn Log, row: Option<&str>, now: Timestamp) -> Result<(), LogError> {
        self.write_row(log, &self.own, row, now)
    }

    fn write_row(&self, log: &dyn Log, key: &str, row: Option<&str>, now: Timestamp) -> Result<(), LogError> {
        let mut records = BatchBuilder::default();
        records.push(now, Some(key.as_bytes()), row.map(str::as_bytes), &Headers::NONE);
        let append = Append { to: self.partition.clone(), records: records.finish(Offset::ZERO) };
        log.append(vec![append], "", Notes::new()).map(drop)
    }
}

impl Rows {
    /// Takes a record in. What this process wrote is not among the others.
    fn take(&mut self, own: &str, key: Option<&[u8]>, value: Option<&[u8]>, written: Timestamp, now: Timestamp) {
        let Some(id) = key.and_then(|key| std::str::from_utf8(key).ok()).filter(|id| *id != own) else { return };
        let text = value.and_then(|value| std::str::from_utf8(value).ok());
        self.version += 1;
        match text.and_then(|text| row::read(id, text, written)) {
            // Clocks differ: nothing was written later than now.
            Some(instance) => drop(self.others.insert(id.to_owned(), (instance, written.min(now)))),
            None => drop(self.others.remove(id)),
        }
    }

    /// Forgets those that were not renewed.
    fn forget(&mut self, now: Timestamp) {
        let counts = |seen: Timestamp| passed(seen, now) < COUNTS_FOR;
        let before = self.others.len();
        self.others.retain(|_, (_, seen)| counts(*seen));
        self.version += u64::from(self.others.len() != before);
    }
}

fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.as_millis().saturating_sub(since.as_millis())).unwrap_or(0))
}

/// The thread that reads and writes. Dropping it ends it; the row stays, as after a crash, unless it was taken away before.
pub(in crate::runtime) struct RegistryThread {
    ending: Option<Sender<bool>>,
    registry: Arc<Registry>,
    thread: Option<JoinHandle<()>>,
}

impl RegistryThread {
    pub(in crate::runtime) fn start(
        registry: Arc<Registry>,
        told: Receiver<()>,
        shared: Arc<Shared>,
    ) -> Result<RegistryThread, Error> {
        let (ending, ended) = channel();
        let of = registry.clone();
        let run = move || run(&of, &told, &ended, &shared);
        let thread = std::thread::Builder::new().name("tidemill-instances".into()).spawn(run);
        let thread =
            thread.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        Ok(RegistryThread { ending: Some(ending), registry, thread: Some(thread) })
    }

    /// Takes the row away, and ends.
    pub(in crate::runtime) fn leave(mut self) {
        self.end(true);
    }

    fn end(&mut self, leaves: bool) {
        if let Some(ending) = self.ending.take() {
            // The thread ends at this, or has panicked.
            let _ = ending.send(leaves);
        }
        self.registry.look();
        if let Some(thread) = self.thread.take() {
            // It catches its errors.
            let _ = thread.join();
        }
    }
}

impl Drop for RegistryThread {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// What the process last wrote of itself.
#[derive(Default)]
struct Written {
    /// The tasks that it has, and those that it keeps.
    tasks: Option<(Vec<TaskId>, Vec<TaskId>)>,
    at: Option<Timestamp>,
    /// Whether it was said that it does not work.
    complained: bool,
}

fn run(registry: &Registry, told: &Receiver<()>, ended: &Receiver<bool>, shared: &Shared) {
    let mut written = Written::default();
    loop {
        let now = shared.clock.now();
        if let Ok(leaves) = ended.try_recv() {
            let left = if leaves { registry.write(&*shared.log, None, now) } else { Ok(()) };
            if let Err(error) = left {
                tracing::debug!(%error, "the row of this instance stays until it counts no more");
            }
            return;
        }
        let done = registry.read(&*shared.log, now).and_then(|()| renew(registry, shared, &mut written, now));
        match done {
            Ok(()) => written.complained = false,
            Err(error) if !written.complained => {
                written.complained = true;
                tracing::warn!(%error, "the topic of instances cannot be read or written; it is tried again");
            }
            Err(_) => {}
        }
        let stopped = registry.lock().stopped.take();
        if let Some(why) = stopped {
            shared.fail(&Error::new(ErrorKind::Closed, format!("application `{}` is over: {why}", shared.application)));
        }
        match told.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Disconnected) => return,
            Ok(()) => while told.try_recv().is_ok() {},
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Writes the own row if it is time.
fn renew(registry: &Registry, shared: &Shared, written: &mut Written, now: Timestamp) -> Result<(), LogError> {
    let own = shared.own_instance();
    let active = own.active.iter().map(|active| active.task.clone()).collect();
    let standbys = own.standbys.iter().map(|standby| standby.task.clone()).collect();
    let tasks = Some((active, standbys));
    if written.tasks == tasks && written.at.is_some_and(|at| passed(at, now) < RENEW_EVERY) {
        return Ok(());
    }
    registry.write(&*shared.log, Some(&row::write(&own)), now)?;
    written.tasks = tasks;
    written.at = Some(now);
    Ok(())
}
