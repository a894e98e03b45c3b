//! The rules that the memory log and the embedded log share: offsets, epochs, visibility, fencing, waiting.
//!
//! Rule: everything that one call commits is written by one [`Keep::write`] and then applied to the [`Book`] in one
//! step under the ledger's lock. So readers see all of it or nothing, and changes reach the disk in the order of offsets.
//!
//! An epoch's staged records stand right behind the committed ones. Records appended from outside to such a partition
//! would take offsets that the session was already promised: they wait and are committed with the epoch, behind
//! everything that it staged, or by themselves when it is dropped.

mod book;
mod change;
mod delegate;
mod draft;
mod session;
mod signal;
mod staging;
mod waiting;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tidemill_dsl::record::{Batch, Offset, Timestamp, TopicPartition};

use super::{
    Append, Bounds, Cleaned, Log, LogError, LogErrorKind, Notes, Progress, Session, TopicConfig, TopicId, TopicSpec,
    Written,
};
use book::no_topic;
use draft::{Draft, check_name, check_topic, out_of_range};
use signal::{Signal, Wakers};
use staging::{SessionId, Slot};
use waiting::Waiting;

pub(super) use book::{Book, PartitionId};
pub(super) use change::{Change, Note, NoteOwner, Step};
pub(super) use delegate::log_by_ledger;

/// Which call a change came from: they wait for the disk in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// From outside: answers when the durability policy is met.
    Append,
    /// An epoch's end.
    Commit,
}

/// The number of a written change; greater is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(pub(super) u64);

/// Where committed changes and batches are kept.
pub(super) trait Keep: Send + Sync + 'static {
    /// An error when nothing can be written any more.
    fn usable(&self) -> Result<(), LogError>;

    /// Writes a change; `book` is the state before it. Called under the ledger's lock, so one at a time and in order.
    fn write(&self, book: &Book, change: &Change) -> Result<Ticket, LogError>;

    /// Removes what nobody needs any more at the time `now`. Called without the ledger's lock.
    fn clean(&self, ledger: &Ledger<Self>, now: Timestamp) -> Result<Cleaned, LogError>
    where
        Self: Sized;

    /// Waits, without the ledger's lock, until what was written is as durable as `call` promises.
    fn settle(&self, ticket: Ticket, call: Call) -> Result<(), LogError>;

    /// Committed batches of a partition that hold records of `from..end`, in order, at most `bytes_max` bytes but at
    /// least one batch.
    fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        end: Offset,
        bytes_max: usize,
    ) -> Result<Vec<Arc<Batch>>, LogError>;
}

/// A log that keeps its changes in `K`.
pub(super) struct Ledger<K> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    state: Mutex<State>,
    /// Something became of a waiting append, or the log broke.
    answered: Condvar,
    signal: Signal,
    /// Those who wait for a change of what is committed.
    wakers: Wakers,
    keep: K,
}

struct State {
    book: Book,
    slots: Vec<Slot>,
    live: BTreeMap<String, Live>,
    waiting: Vec<Waiting>,
    answers: BTreeMap<u64, (Vec<Offset>, Ticket)>,
    next_id: u64,
}

/// The session of an application that is not fenced.
struct Live {
    id: SessionId,
    fenced: Arc<AtomicBool>,
    staged: Vec<PartitionId>,
    staged_bytes: usize,
    watched: Vec<PartitionId>,
}

impl State {
    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn add_slots(&mut self) {
        self.slots.resize_with(self.book.next_partition().index(), Slot::default);
    }
}

impl<K: Keep> Ledger<K> {
    pub(super) fn new(book: Book, keep: K) -> Self {
        let mut state = State {
            book,
            slots: Vec::new(),
            live: BTreeMap::new(),
            waiting: Vec::new(),
            answers: BTreeMap::new(),
            next_id: 0,
        };
        state.add_slots();
        let (answered, signal, wakers) = (Condvar::new(), Signal::new(), Wakers::default());
        Ledger { shared: Arc::new(Shared { state: Mutex::new(state), answered, signal, wakers, keep }) }
    }

    pub(super) fn keep(&self) -> &K {
        &self.shared.keep
    }

    /// Writes the change that `make` gives for the committed state, as a commit of its own; nobody waits for the disk.
    pub(super) fn change(&self, make: impl FnOnce(&Book) -> Change) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        self.shared.keep.usable()?;
        let change = make(&state.book);
        if change.is_empty() { Ok(()) } else { self.shared.write(&mut state, &change).map(|_| ()) }
    }

    /// Does something while nothing is written.
    pub(super) fn exclusively<T>(&self, act: impl FnOnce(&Book, &K) -> T) -> T {
        act(&self.shared.lock().book, &self.shared.keep)
    }
}

impl<K: Keep> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, State> {
        // State changes are made after everything that can fail, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a change, applies it and tells everybody who watches.
    fn write(&self, state: &mut State, change: &Change) -> Result<Ticket, LogError> {
        let ticket = self.keep.write(&state.book, change).inspect_err(|_| self.broke())?;
        state.book.apply(change).expect("a change is made for the state that it is applied to");
        state.add_slots();
        for (partition, _) in &change.batches {
            state.slots[partition.index()].tell(state.book.bounds(*partition).end);
        }
        self.signal.raise();
        self.wakers.wake();
        Ok(ticket)
    }

    /// Those who wait ask again, and learn that the log cannot be written.
    fn broke(&self) {
        self.answered.notify_all();
        self.signal.raise();
    }

    /// Drops what a session staged; what waited behind it is appended now.
    fn abort(&self, state: &mut State, application: &str) -> Result<(), LogError> {
        let Some(live) = state.live.get_mut(application) else { return Ok(()) };
        live.staged_bytes = 0;
        for partition in std::mem::take(&mut live.staged) {
            let end = state.book.bounds(partition).end;
            drop(state.slots[partition.index()].take(end));
            state.slots[partition.index()].tell(end);
        }
        self.signal.raise();
        if state.waiting.is_empty() {
            return Ok(());
        }
        self.keep.usable().inspect_err(|_| self.broke())?;
        self.write_with_waiting(state, Draft::default()).map(|_| ())
    }

    /// Ends a session: its epoch is dropped, its handle is fenced.
    fn end_session(&self, state: &mut State, application: &str) {
        // Whoever waits behind the session hears of a failure from the log itself.
        let _ = self.abort(state, application);
        if let Some(live) = state.live.remove(application) {
            live.fenced.store(true, Ordering::SeqCst);
            live.watched.iter().for_each(|partition| state.slots[partition.index()].unwatch(live.id));
        }
        self.signal.raise();
    }
}

impl<K: Keep> Log for Ledger<K> {
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        if let Some(known) = state.book.topic(&spec.name) {
            if known.partitions == spec.partitions {
                return Ok(());
            }
            let message = format!(
                "topic `{}` exists with {} partitions and was asked for with {}: use the former, or another name",
                spec.name, known.partitions, spec.partitions
            );
            return Err(LogError::new(LogErrorKind::Invalid, message));
        }
        self.shared.keep.usable()?;
        let first = state.book.next_partition();
        check_topic(&spec.name, spec.partitions, first)?;
        let change = Change { topics: vec![(in_millis(spec), first)], ..Change::default() };
        let ticket = self.shared.write(&mut state, &change)?;
        drop(state);
        self.shared.keep.settle(ticket, Call::Append)
    }

    fn check(&self) -> Result<(), LogError> {
        self.shared.keep.usable()
    }

    fn topic(&self, name: &str) -> Result<Option<TopicSpec>, LogError> {
        Ok(self.shared.lock().book.topic(name).cloned())
    }

    fn topic_id(&self, name: &str) -> Result<Option<TopicId>, LogError> {
        // The number of its first partition is given to no other topic, whatever becomes of this one.
        Ok(self.shared.lock().book.first_of(name).map(|first| TopicId::new(first.0.into())))
    }

    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        Ok(self.shared.lock().book.topics().map(|(spec, _)| spec.clone()).collect())
    }

    fn delete_topic(&self, name: &str) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        self.shared.keep.usable()?;
        let spec = state.book.topic(name).ok_or_else(|| no_topic(name))?;
        let first = state.book.partition(&TopicPartition::new(spec.name.clone(), 0))?;
        let partitions = first.0..first.0 + spec.partitions;
        let uses = |live: &Live| live.watched.iter().chain(&live.staged).any(|used| partitions.contains(&used.0));
        if let Some((application, _)) = state.live.iter().find(|(_, live)| uses(live)) {
            let message = format!("topic `{name}` is in use by application `{application}`: close that first");
            return Err(LogError::new(LogErrorKind::Invalid, message));
        }
        let change = Change { gone: vec![(first, spec.partitions)], ..Change::default() };
        let ticket = self.shared.write(&mut state, &change)?;
        drop(state);
        self.shared.keep.settle(ticket, Call::Append)
    }

    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        self.shared.keep.usable()?;
        let id = state.book.partition(partition)?;
        let Bounds { start, end } = state.book.bounds(id);
        let start = if before > start { before.min(end) } else { return Ok(()) };
        let change = Change { starts: vec![(id, start)], ..Change::default() };
        self.shared.write(&mut state, &change).map(|_| ())
    }

    fn complete_from(&self, partition: &TopicPartition, _away: Duration) -> Result<Offset, LogError> {
        let state = self.shared.lock();
        Ok(state.book.complete_from(state.book.partition(partition)?))
    }

    fn clean(&self, now: Timestamp) -> Result<Cleaned, LogError> {
        self.shared.keep.clean(self, now)
    }

    fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        let state = self.shared.lock();
        Ok(state.book.bounds(state.book.partition(partition)?))
    }

    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        let state = self.shared.lock();
        let id = state.book.partition(partition)?;
        let Bounds { start, end } = state.book.bounds(id);
        drop(state);
        if from < start || from > end {
            return Err(out_of_range(partition, from, start, end));
        }
        if from == end { Ok(Vec::new()) } else { self.shared.keep.read(id, from, end, bytes_max) }
    }

    fn post(&self, appends: Vec<Append>, scope: &str, notes: Notes) -> Result<Written, LogError> {
        let (firsts, ticket) = self.shared.append(appends, scope, notes)?;
        let shared = self.shared.clone();
        Ok(Written::new(firsts, move || match ticket {
            Some(ticket) => shared.keep.settle(ticket, Call::Append),
            None => Ok(()),
        }))
    }

    fn notes(&self, scope: &str) -> Result<Notes, LogError> {
        Ok(self.shared.lock().book.notes(scope))
    }

    fn wake_at_change(&self, waker: &Waker) {
        self.shared.wakers.add(waker);
    }

    fn applications(&self) -> Result<Vec<String>, LogError> {
        Ok(self.shared.lock().book.applications().cloned().collect())
    }

    fn progress(&self, application: &str) -> Result<Progress, LogError> {
        Ok(self.shared.lock().book.progress(application))
    }

    fn members(&self, application: &str) -> Result<Vec<String>, LogError> {
        let live = self.shared.lock().live.contains_key(application);
        Ok(live.then(|| "a session of this process".to_owned()).into_iter().collect())
    }

    fn set_progress(&self, application: &str, progress: &Progress) -> Result<(), LogError> {
        check_name("an application", application)?;
        let mut state = self.shared.lock();
        self.shared.keep.usable()?;
        if state.live.contains_key(application) {
            let message =
                format!("application `{application}` is running: close it first, its next commit would undo this");
            return Err(LogError::new(LogErrorKind::Invalid, message));
        }
        let mut draft = Draft::default();
        draft.forget(application);
        draft.progress(&state.book, application, progress)?;
        let ticket = self.shared.write(&mut state, &draft.finish())?;
        drop(state);
        self.shared.keep.settle(ticket, Call::Append)
    }

    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
        check_name("an application", application)?;
        let mut state = self.shared.lock();
        self.shared.keep.usable()?;
        self.shared.end_session(&mut state, application);
        let (id, fenced) = (SessionId(state.new_id()), Arc::new(AtomicBool::new(false)));
        let live = Live { id, fenced: fenced.clone(), staged: Vec::new(), staged_bytes: 0, watched: Vec::new() };
        state.live.insert(application.to_owned(), live);
        drop(state);
        Ok(Box::new(session::LedgerSession::new(self.shared.clone(), application, id, fenced)))
    }
}

/// How many bytes of records one append or one epoch may have: they are written, and read again, in one piece.
const CHANGE_BYTES_MAX: usize = 1 << 30;

fn bytes_of<'a>(batches: impl Iterator<Item = &'a Batch>) -> usize {
    batches.map(|batch| batch.bytes().len()).sum()
}

fn check_bytes(what: &str, bytes: usize) -> Result<(), LogError> {
    if bytes <= CHANGE_BYTES_MAX {
        return Ok(());
    }
    let message = format!("{what} of {bytes} bytes is greater than {CHANGE_BYTES_MAX} bytes: write less at a time");
    Err(LogError::new(LogErrorKind::Invalid, message))
}

/// Retentions are stored in milliseconds; so that a log answers alike before and after it is opened again, the rest goes.
fn in_millis(spec: &TopicSpec) -> TopicSpec {
    let millis = |retention: Duration| u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
    let in_millis = |time| Duration::from_millis(millis(time).min(MILLIS_MAX));
    let retention = spec.config.retention.map(in_millis);
    let retention_bytes = spec.config.retention_bytes.map(|bytes| bytes.min(MILLIS_MAX));
    let (tombstones, compaction_lag) = (in_millis(spec.config.tombstones), in_millis(spec.config.compaction_lag));
    let config = TopicConfig { cleanup: spec.config.cleanup, retention, retention_bytes, tombstones, compaction_lag };
    TopicSpec { config, ..spec.clone() }
}

/// The longest retention: as many milliseconds as a timestamp can count.
const MILLIS_MAX: u64 = i64::MAX as u64;
