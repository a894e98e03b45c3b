//! Everything of a task that changes while it runs, in slots that the immutable program refers to by number.
//!
//! Invariant: no clock, no socket, no thread. Times and records are handed in; what the task writes is taken out.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::{
    Calls, CannotSnapshot, DropCounts, DropReason, ErrorSettings, FiredTimer, Flow, FollowsTime, GlobalStores, Journal,
    OperatorTime, Origin, Outputs, ProcessError, ProcessorInstance, ProcessorRunner, PunctuationType, TimerView,
    Timers,
};
use crate::record::{Decoder, Encoder, Headers, Offset, Timestamp, TopicName};
use crate::state::{
    CacheBudget, ChangelogOut, Descriptor, Positions, Reader, StateStore, StoreError, StoreErrorKind, Undoable,
};
use crate::topology::Flusher;

/// Which record is being processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its topic.
    pub topic: TopicName,
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: Offset,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} of topic `{}` partition {}", self.offset, self.topic, self.partition)
    }
}

/// A record with its types and its time.
pub(crate) type Loaded<K, V> = (K, V, Timestamp, Headers);

/// A record at the head of a queue, read and waiting for its turn.
pub(crate) struct HeadRecord<K, V>(pub(crate) Option<Loaded<K, V>>);

/// What a task state is made of.
pub(crate) struct TaskParts {
    pub(crate) partition: u32,
    /// By the program's number of the store; `None` for stores of other sub-topologies.
    pub(crate) stores: Vec<Option<Box<dyn StateStore>>>,
    /// The changelog's number among the outputs, by the program's number of the store.
    pub(crate) changelogs: Vec<Option<usize>>,
    /// What the written rows of a store that topics fill reflect, by the program's number of the store; `None` where
    /// nothing is written.
    pub(crate) positions: Vec<Option<Positions>>,
    /// The process's global stores.
    pub(crate) globals: Arc<GlobalStores>,
    /// The numbers of those that this task maintains.
    pub(crate) maintained: Box<[usize]>,
    /// The slots of the processors that fill a store.
    pub(crate) filling: Box<[usize]>,
    pub(crate) instances: Vec<Option<Box<dyn ProcessorInstance>>>,
    /// The nodes that the instances belong to, those further down first.
    pub(crate) processors: Arc<[Arc<dyn ProcessorRunner>]>,
    /// Operators with a time of their own: the node's name, and its times.
    pub(crate) times: Vec<(Arc<str>, Undoable<OperatorTime>)>,
    /// How often closed windows, and records of joins that have met none, are looked for, in milliseconds of the wall clock.
    pub(crate) emit_interval: i64,
    /// Operators that follow record time without records, those further up first.
    pub(crate) following: Arc<[Arc<dyn FollowsTime>]>,
    /// After how long without records their time moves on, in milliseconds of the wall clock.
    pub(crate) idle_advance: Option<i64>,
    /// One per queue of the task.
    pub(crate) heads: Vec<Box<dyn Any + Send>>,
    pub(crate) outputs: Outputs,
    /// Numbers of the stores that hold changes back, in the order in which a commit lets them out.
    pub(crate) cached: Vec<usize>,
    /// Who tells of the changes that a store's cache lets out, by the program's number of the store.
    pub(crate) flushers: Arc<[Option<Flusher>]>,
    pub(crate) cache_budget: CacheBudget,
    pub(crate) errors: ErrorSettings,
}

/// Which processors of a task have begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    None,
    /// Those that fill a store.
    Filling,
    All,
}

impl Begun {
    fn of(number: u64) -> Self {
        [Begun::None, Begun::Filling].into_iter().find(|begun| *begun as u64 == number).unwrap_or(Begun::All)
    }
}

/// The changing part of a task: stores, processor instances, times, outputs.
pub struct TaskState {
    pub(super) parts: TaskParts,
    pub(super) journal: Journal,
    address: Option<Address>,
    pub(super) stream_time: Option<Timestamp>,
    now: Timestamp,
    pub(super) dropped: DropCounts,
    pub(super) timers: Timers,
    /// Timers that fired since somebody asked for it.
    fired: u64,
    pub(super) calls: Calls,
    begun: Begun,
    pub(super) commit_requested: bool,
    /// The innermost node that panicked.
    panicked_in: Option<Arc<str>>,
}

impl TaskState {
    pub(crate) fn new(mut parts: TaskParts) -> Self {
        let journal = Journal::new(parts.errors.clone());
        parts.outputs.journal(journal.is_on());
        TaskState {
            parts,
            journal,
            address: None,
            stream_time: None,
            now: Timestamp::ZERO,
            dropped: DropCounts::default(),
            timers: Timers::default(),
            fired: 0,
            calls: Calls::default(),
            begun: Begun::None,
            commit_requested: false,
            panicked_in: None,
        }
    }

    /// The partition number that this task works on.
    pub fn partition(&self) -> u32 {
        self.parts.partition
    }

    /// The record being processed; `None` between two records.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    pub(crate) fn address_mut(&mut self) -> &mut Option<Address> {
        &mut self.address
    }

    /// Says which record is being processed.
    pub fn set_address(&mut self, address: Option<Address>) {
        self.address = address;
    }

    /// Takes the address away, for something that has no record.
    pub fn take_address(&mut self) -> Option<Address> {
        self.address.take()
    }

    /// Says that the record being processed is the one at `offset` of the partition that the last address named.
    #[inline]
    pub fn set_offset(&mut self, offset: Offset) {
        if let Some(address) = &mut self.address {
            address.offset = offset;
        }
    }

    /// The greatest record time that the task has processed; `None` before the first record.
    pub fn stream_time(&self) -> Option<Timestamp> {
        self.stream_time
    }

    /// Moves the stream time on. It never moves back.
    #[inline]
    pub fn advance_stream_time(&mut self, time: Timestamp) {
        self.stream_time = self.stream_time.max(Some(time));
    }

    /// The wall-clock time, as it was last told.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Tells the task what time it is.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Lets every processor begin, in the order in which they were added; later calls do nothing. Stores and stream time are
    /// restored before.
    pub fn begin(&mut self) -> Flow {
        self.begin_filling()?;
        if std::mem::replace(&mut self.begun, Begun::All) == Begun::All {
            return Ok(());
        }
        self.init(|state, slot| !state.parts.filling.contains(&slot))
    }

    /// Lets the processors begin that fill a store, because the store is filled before the others begin.
    pub fn begin_filling(&mut self) -> Flow {
        if self.begun != Begun::None {
            return Ok(());
        }
        self.begun = Begun::Filling;
        self.init(|state, slot| state.parts.filling.contains(&slot))
    }

    fn init(&mut self, which: impl Fn(&TaskState, usize) -> bool) -> Flow {
        let processors = self.parts.processors.clone();
        // Nodes are put together from the last to the first, and so are their slots numbered.
        for (slot, processor) in processors.iter().enumerate().rev() {
            if self.parts.instances[slot].is_some() && which(self, slot) {
                processor.init(self)?;
            }
        }
        Ok(())
    }

    /// Whether the processors have begun.
    #[inline]
    pub fn has_begun(&self) -> bool {
        self.begun == Begun::All
    }

    /// When the next wall-clock timer is due.
    pub fn wall_clock_due(&self) -> Option<Timestamp> {
        self.timers.next_due(PunctuationType::WallClock)
    }

    /// Whether a stream-time timer is due.
    #[inline]
    pub fn is_stream_time_due(&self) -> bool {
        self.timers.next_due(PunctuationType::StreamTime).is_some_and(|due| Some(due) <= self.stream_time)
    }

    /// Fires all timers that are due, each once. Gives whether there were any.
    pub fn punctuate(&mut self, kind: PunctuationType) -> Result<bool, ProcessError> {
        let time = match kind {
            PunctuationType::StreamTime => self.stream_time,
            PunctuationType::WallClock => Some(self.now),
        };
        let Some(time) = time else { return Ok(false) };
        let mut fired = false;
        while let Some(firing) = self.timers.begin(kind, time) {
            let processor = self.parts.processors[firing.slot].clone();
            let origin = Origin { record: None, timestamp: time };
            self.attempt(origin, |task| processor.punctuate(&firing.name, time, task))?;
            self.timers.ended();
            self.fired += 1;
            fired = true;
        }
        Ok(fired)
    }

    /// How many timers have fired since this was asked the last time.
    pub fn take_fired(&mut self) -> u64 {
        std::mem::take(&mut self.fired)
    }

    /// The timer that is firing, or whose processor failed.
    pub fn firing(&self) -> Option<FiredTimer> {
        let firing = self.timers.firing()?;
        let node = &**self.parts.processors[firing.slot].name();
        Some(FiredTimer { timer: (*firing.name).into(), node: node.into() })
    }

    /// The timers that are set, stream time first, by the time when they are due.
    pub fn timers_set(&self) -> Vec<TimerView> {
        self.timers.views(|slot| self.parts.processors[slot].name())
    }

    /// The timers, to be changed.
    pub(crate) fn timers(&mut self) -> &mut Timers {
        self.remember_timers();
        &mut self.timers
    }

    /// Asks for a commit.
    pub(crate) fn request_commit(&mut self) {
        self.commit_requested = true;
    }

    /// Whether a processor asked for a commit since the last one.
    #[inline]
    pub fn commit_requested(&self) -> bool {
        self.commit_requested
    }

    /// Records dropped so far, by reason.
    pub fn dropped(&self) -> DropCounts {
        self.dropped
    }

    /// Counts a dropped record.
    pub fn drop_record(&mut self, reason: DropReason) {
        self.dropped.add(reason);
    }

    /// Says that a node panics. The first to say so is the innermost.
    #[cold]
    pub(crate) fn panicked_in(&mut self, node: &Arc<str>) {
        self.panicked_in.get_or_insert_with(|| node.clone());
    }

    /// The innermost node that panicked, if one did.
    pub fn node_that_panicked(&self) -> Option<&str> {
        self.panicked_in.as_deref()
    }

    /// The times of an operator.
    #[inline]
    pub(crate) fn time(&mut self, slot: usize) -> &mut OperatorTime {
        self.parts.times[slot].1.now_mut()
    }

    /// How often closed windows, and records of joins that have met none, are looked for, in milliseconds of the wall clock.
    pub(crate) fn emit_interval(&self) -> i64 {
        self.parts.emit_interval
    }

    /// What a commit keeps besides rows and input offsets: times of operators and of stores. Empty when there is nothing.
    pub fn notes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Encoder(&mut bytes);
        for (node, time) in self.parts.times.iter().filter(|(_, time)| time.get().observed().is_some()) {
            out.bytes(node.as_bytes());
            out.filled(|bytes| time.get().note(&mut Encoder(bytes)));
        }
        // A name of no bytes separates them.
        out.bytes(&[]);
        let mut any = bytes.len() > 4;
        for store in self.parts.stores.iter().flatten() {
            if let Some(note) = store.commit_note() {
                let mut out = Encoder(&mut bytes);
                out.bytes(store.name().as_bytes());
                out.bytes(&note);
                any = true;
            }
        }
        if any { bytes } else { Vec::new() }
    }

    /// Takes what `notes` of an earlier task of the same number gave at its last commit; after stores were restored. Nodes and
    /// stores that the program does not have any more are left out.
    pub fn resume(&mut self, notes: &[u8]) -> Result<(), StoreError> {
        let mut notes = Decoder::new(notes);
        let read = (|| {
            while let Some(node) = Some(notes.bytes()?).filter(|node| !node.is_empty()) {
                let time = OperatorTime::resume(&mut Decoder::new(notes.bytes()?))?;
                if let Some((_, own)) = self.parts.times.iter_mut().find(|(name, _)| name.as_bytes() == node) {
                    *own = Undoable::new(time);
                }
            }
            let mut stores = Vec::new();
            while !notes.is_at_end() {
                stores.push((notes.bytes()?, notes.bytes()?));
            }
            Ok(stores)
        })();
        let stores = read.map_err(|error: crate::record::CutOff| {
            StoreError::new(StoreErrorKind::Corrupt, "the times of the last commit cannot be read").with_source(error)
        })?;
        for (name, note) in stores {
            if let Some(store) = self.parts.stores.iter_mut().flatten().find(|store| store.name().as_bytes() == name) {
                store.resume(note)?;
            }
        }
        Ok(())
    }

    /// What the task has written.
    pub fn outputs(&mut self) -> &mut Outputs {
        &mut self.parts.outputs
    }

    /// Whether a record that cannot be read may be skipped.
    pub fn may_skip_unreadable(&self) -> bool {
        self.parts.errors.deserialization.may_skip()
    }

    /// The stores of this task with their numbers.
    pub fn stores(&self) -> impl Iterator<Item = (usize, &dyn StateStore)> {
        self.parts.stores.iter().enumerate().filter_map(|(number, store)| store.as_deref().map(|store| (number, store)))
    }

    /// The stores of this task.
    pub fn stores_mut(&mut self) -> impl Iterator<Item = &mut Box<dyn StateStore>> {
        self.parts.stores.iter_mut().flatten()
    }

    /// A store by its number.
    pub fn store_mut(&mut self, number: usize) -> Option<&mut Box<dyn StateStore>> {
        self.parts.stores.get_mut(number)?.as_mut()
    }

    /// A store by its name.
    pub fn store_named(&mut self, name: &str) -> Option<&mut Box<dyn StateStore>> {
        self.parts.stores.iter_mut().flatten().find(|store| &**store.name() == name)
    }

    /// A typed store and the place for its changes.
    #[inline]
    pub(crate) fn state<S: StateStore>(&mut self, slot: usize) -> (&mut S, ChangelogOut<'_>) {
        self.try_state(slot).expect("a slot keeps its type")
    }

    /// As `state`; `None` when the store is of another type.
    #[inline]
    pub(crate) fn try_state<S: StateStore>(&mut self, slot: usize) -> Option<(&mut S, ChangelogOut<'_>)> {
        let TaskParts { stores, outputs, changelogs, partition, cache_budget, .. } = &mut self.parts;
        let any: &mut dyn Any = &mut **stores[slot].as_mut().expect("a store that is lent is not used below");
        let typed = any.downcast_mut()?;
        let (topic, partition) = (changelogs[slot], *partition);
        let (budget, address) = (cache_budget, self.address.as_ref());
        Some((
            typed,
            ChangelogOut {
                outputs,
                topic,
                partition,
                budget,
                address,
                cause: None,
                gives_headers: false,
                reader: Reader::Task,
            },
        ))
    }

    /// A store in the hands of whoever drives the task, as a processor gets it; `None` when the task has none of this name.
    ///
    /// # Errors
    ///
    /// When the store is of another kind or has other types.
    pub fn open<D: Descriptor>(&mut self, store: &D) -> Result<Option<D::Access<'_>>, ProcessError> {
        let named =
            |part: &Option<Box<dyn StateStore>>| part.as_ref().is_some_and(|part| **part.name() == *store.name());
        self.parts.stores.iter().position(named).map(|slot| self.open_by(Reader::Outside, slot, store)).transpose()
    }

    /// The store at a slot, in the hands of a processor.
    pub(crate) fn open_at<D: Descriptor>(&mut self, slot: usize, store: &D) -> Result<D::Access<'_>, ProcessError> {
        self.open_by(Reader::Task, slot, store)
    }

    fn open_by<D: Descriptor>(
        &mut self,
        reader: Reader,
        slot: usize,
        store: &D,
    ) -> Result<D::Access<'_>, ProcessError> {
        let Some((state, out)) = self.try_state::<D::State>(slot) else {
            return Err(other_kind(store.name(), std::any::type_name::<D::State>()));
        };
        Ok(D::access(state, ChangelogOut { reader, ..out }))
    }

    /// Looks at the store at a slot, or at the global one of that number.
    pub(crate) fn look_at<S: StateStore, R>(
        &mut self,
        slot: usize,
        look: impl FnOnce(&mut S, ChangelogOut<'_>) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        let TaskParts { stores, globals, outputs, changelogs, partition, cache_budget, .. } = &mut self.parts;
        let (topic, partition) = (changelogs[slot], *partition);
        let (budget, address) = (cache_budget, self.address.as_ref());
        let out = ChangelogOut {
            outputs,
            topic,
            partition,
            budget,
            address,
            cause: None,
            gives_headers: false,
            reader: Reader::Task,
        };
        let typed = |store: &mut dyn StateStore| {
            if !(store as &dyn Any).is::<S>() {
                return Err(other_kind(store.name(), std::any::type_name::<S>()));
            }
            look((store as &mut dyn Any).downcast_mut().expect("asked in the line above"), out)
        };
        match &mut stores[slot] {
            Some(own) => typed(&mut **own),
            None => globals.look(slot, typed),
        }
    }

    /// What the written rows of a store that topics fill reflect; `None` where nothing is written.
    pub fn positions(&self, number: usize) -> Option<&Positions> {
        self.parts.positions[number].as_ref()
    }

    /// Whether the task maintains global stores. They lie with the process; the task has them in its hands while it
    /// [holds](GlobalStores::hold) them.
    pub fn is_global(&self) -> bool {
        !self.parts.maintained.is_empty()
    }

    /// Whether the stores that the task maintains are not in its hands.
    #[inline]
    pub fn lacks_stores(&self) -> bool {
        self.parts.maintained.first().is_some_and(|number| self.parts.stores[*number].is_none())
    }

    /// The process's global stores.
    pub fn globals(&self) -> &Arc<GlobalStores> {
        &self.parts.globals
    }

    /// The numbers of the global stores that the task maintains.
    pub(super) fn maintained(&self) -> &[usize] {
        &self.parts.maintained
    }

    pub(super) fn put_store(&mut self, number: usize, store: Option<Box<dyn StateStore>>) {
        self.parts.stores[number] = store;
    }

    pub(super) fn take_store(&mut self, number: usize) -> Option<Box<dyn StateStore>> {
        self.parts.stores[number].take()
    }

    /// Takes a store out of its slot, so that its rows can be lent to the nodes below.
    #[inline]
    pub(crate) fn take_state<S: StateStore>(&mut self, slot: usize) -> Box<S> {
        let any: Box<dyn Any> = self.parts.stores[slot].take().expect("a store is lent only once at a time");
        any.downcast().expect("a slot keeps its type")
    }

    #[inline]
    pub(crate) fn return_store(&mut self, slot: usize, store: Box<dyn StateStore>) {
        self.parts.stores[slot] = Some(store);
    }

    /// The place for the changes of a store that was taken out.
    #[inline]
    pub(crate) fn changelog(&mut self, slot: usize) -> ChangelogOut<'_> {
        let TaskParts { outputs, changelogs, partition, cache_budget, .. } = &mut self.parts;
        let (topic, partition) = (changelogs[slot], *partition);
        let (budget, address) = (cache_budget, self.address.as_ref());
        ChangelogOut {
            outputs,
            topic,
            partition,
            budget,
            address,
            cause: None,
            gives_headers: false,
            reader: Reader::Task,
        }
    }

    pub(crate) fn take_instance(&mut self, slot: usize) -> Box<dyn ProcessorInstance> {
        self.remember_instance(slot);
        self.parts.instances[slot].take().expect("a processor is not entered twice")
    }

    pub(crate) fn return_instance(&mut self, slot: usize, instance: Box<dyn ProcessorInstance>) {
        self.parts.instances[slot] = Some(instance);
    }

    /// The typed head of a queue.
    #[inline]
    pub(crate) fn head<K: 'static, V: 'static>(&mut self, queue: usize) -> &mut HeadRecord<K, V> {
        self.parts.heads[queue].downcast_mut().expect("a slot keeps its type")
    }

    /// Writes to the changelogs what a commit owes them. Call it once before taking the outputs for a commit, and after
    /// [`flush_caches`](Self::flush_caches).
    pub fn log_changes(&mut self) -> Result<(), StoreError> {
        self.commit_requested = false;
        for slot in 0..self.parts.stores.len() {
            if let Some(mut store) = self.parts.stores[slot].take() {
                let logged = store.log_changes(&mut self.changelog(slot));
                self.return_store(slot, store);
                logged?;
            }
        }
        Ok(())
    }

    /// Appends everything that a copy of the task needs, as canonical bytes: equal states give equal bytes.
    ///
    /// Dropped-record counts and the wall clock are not part of the state. Queues belong to the task's driver side.
    pub fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), SnapshotError> {
        let mut out = Encoder(out);
        out.option(self.stream_time, Encoder::time);
        out.number(self.begun as u64);
        out.number(u64::from(self.commit_requested));
        self.timers.snapshot(&mut out);
        self.calls.snapshot(&mut out);
        for store in self.parts.stores.iter_mut().flatten() {
            out.filled(|bytes| store.snapshot(bytes))?;
        }
        self.parts.times.iter().for_each(|(_, time)| time.get().snapshot(&mut out));
        for instance in self.parts.instances.iter().flatten() {
            out.filled(|bytes| instance.snapshot(bytes))?;
        }
        let waiting = self.parts.outputs.waiting();
        out.number(waiting.len() as u64);
        for (to, mut records) in waiting {
            out.bytes(to.topic.as_bytes());
            out.number(to.partition.into());
            out.number(records.count().into());
            out.bytes(records.finish(Offset::ZERO).bytes());
        }
        Ok(())
    }

    /// Sets the state from what `snapshot` of a task of the same program and partition wrote.
    pub fn restore(&mut self, bytes: &mut Decoder<'_>) -> Result<(), SnapshotError> {
        self.stream_time = bytes.option(Decoder::time)?;
        self.begun = Begun::of(bytes.number()?);
        self.commit_requested = bytes.number()? != 0;
        self.timers.restore(bytes)?;
        self.calls.restore(bytes)?;
        for store in self.parts.stores.iter_mut().flatten() {
            store.restore(bytes.bytes()?)?;
        }
        let cached = self.parts.stores.iter().flatten().map(|store| store.cached_bytes()).sum();
        self.parts.cache_budget.set_used(cached);
        for (_, time) in &mut self.parts.times {
            *time = Undoable::new(OperatorTime::restore(bytes)?);
        }
        for instance in self.parts.instances.iter_mut().flatten() {
            instance.restore(bytes.bytes()?)?;
        }
        self.parts.outputs.clear();
        for _ in 0..bytes.number()? {
            let topic = std::str::from_utf8(bytes.bytes()?).map_err(ProcessError::from)?.into();
            let partition = u32::try_from(bytes.number()?).map_err(ProcessError::from)?;
            let count = u32::try_from(bytes.number()?).map_err(ProcessError::from)?;
            let batch = crate::record::Batch::decode(Offset::ZERO, count, bytes.bytes()?.into());
            let to = crate::record::TopicPartition { topic, partition };
            self.parts.outputs.append_batch(&to, &batch.map_err(ProcessError::from)?)?;
        }
        self.remake_calls()
    }
}

#[cold]
fn other_kind(name: &str, wanted: &str) -> ProcessError {
    format!(
        "store `{name}` is opened as `{wanted}`, but it is another: use the descriptor that the store was added with"
    )
    .into()
}

/// A task could not be copied.
#[derive(Debug)]
pub enum SnapshotError {
    /// A processor has state outside its stores and does not implement `Processor::snapshot`.
    Processor(CannotSnapshot),
    /// A store or a processor could not write or read its part.
    Failed(ProcessError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Processor(_) => f.write_str(
                "a processor keeps state in its fields and cannot be copied: implement `snapshot` and `restore`, or \
                 move the state into a store",
            ),
            SnapshotError::Failed(error) => write!(f, "a task's state cannot be copied: {error}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<CannotSnapshot> for SnapshotError {
    fn from(cause: CannotSnapshot) -> Self {
        SnapshotError::Processor(cause)
    }
}

impl From<ProcessError> for SnapshotError {
    fn from(cause: ProcessError) -> Self {
        SnapshotError::Failed(cause)
    }
}

impl From<StoreError> for SnapshotError {
    fn from(cause: StoreError) -> Self {
        SnapshotError::Failed(cause.into())
    }
}

impl From<crate::record::CutOff> for SnapshotError {
    fn from(cause: crate::record::CutOff) -> Self {
        SnapshotError::Failed(cause.into())
    }
}
