//! What a node may do while it runs: forward, use its stores, set timers, ask for times.

use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Address, DropReason, Edge, FixedKeyOf, FixedKeyRecord, Flow, Nowhere, Outlet, ProcessError, PunctuationType,
    RowContext, Schedule, StreamOf, TaskState,
};
use crate::record::{Headers, Record, Timestamp};
use crate::state::{Descriptor, KeyRange, Readable, Scan, Store, key_range};

/// A node's name, and what it is connected to.
pub(crate) struct NodeHead {
    pub(crate) name: Arc<str>,
    /// The slot of its processor; an operator has none.
    pub(crate) slot: Option<usize>,
    /// Those that it reads and writes.
    pub(crate) stores: Box<[(Arc<str>, usize)]>,
    /// Those that it only reads, because a topic fills them.
    pub(crate) readable: Box<[(Arc<str>, usize)]>,
    /// The children, as the outlet has them.
    pub(crate) children: Box<[Arc<str>]>,
}

impl NodeHead {
    /// A store that the node is connected to, to be read and changed.
    pub(crate) fn open<'t, D: Descriptor>(
        &self,
        task: &'t mut TaskState,
        store: &D,
    ) -> Result<D::Access<'t>, ProcessError> {
        let slot = self.writable(store.name())?;
        // What the node wrote before leaves a full cache here: from now on its caller holds the store.
        task.make_room(slot)?;
        task.open_at(slot, store)
    }

    /// Looks at a store that the node is connected to, or at any global one.
    pub(crate) fn look<D: Readable, R>(
        &self,
        task: &mut TaskState,
        store: &D,
        look: impl FnOnce(&mut D::Reader<'_>) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        let slot = self.readable(store.name())?;
        task.look_at::<D::State, R>(slot, |state, out| look(&mut D::reader(state, out)))
    }

    /// The number of a store among those that the node writes.
    fn writable(&self, store: &str) -> Result<usize, ProcessError> {
        if let Some(slot) = find(&self.stores, store) {
            return Ok(slot);
        }
        let node = &self.name;
        if find(&self.readable, store).is_some() {
            return Err(format!(
                "processor `{node}` opens store `{store}`, which a topic fills and only that topic's processor changes: \
                 look at it with `read`"
            )
            .into());
        }
        Err(self.unconnected(store))
    }

    /// The number of a store among those that the node reads.
    fn readable(&self, store: &str) -> Result<usize, ProcessError> {
        let found = find(&self.stores, store).or_else(|| find(&self.readable, store));
        found.ok_or_else(|| self.unconnected(store))
    }

    #[cold]
    fn unconnected(&self, wanted: &str) -> ProcessError {
        let known = self.stores.iter().chain(&self.readable);
        let (node, connected): (_, Vec<&str>) = (&self.name, known.map(|(name, _)| &**name).collect());
        format!(
            "processor `{node}` is not connected to store `{wanted}` (connected: {connected:?}): name the store where the \
             processor is added"
        )
        .into()
    }
}

fn find(stores: &[(Arc<str>, usize)], name: &str) -> Option<usize> {
    stores.iter().find(|(known, _)| **known == *name).map(|(_, slot)| *slot)
}

/// The context of a processor that forwards records with keys `K` and values `V`.
pub type Context<'a, K, V> = NodeContext<'a, StreamOf<K, V>>;

/// A context that cannot forward: that of [`Processor::init`](super::Processor::init), when the nodes below may not have
/// begun yet.
pub type SilentContext<'a> = NodeContext<'a, Nowhere>;

/// What a node may do while it runs. It ends with the call.
pub struct NodeContext<'a, Out: Edge> {
    node: &'a NodeHead,
    outlet: &'a Outlet<Out>,
    task: &'a mut TaskState,
    /// Why the item that the node was given was dropped, if it was.
    dropped: Option<DropReason>,
}

impl<'a, Out: Edge> NodeContext<'a, Out> {
    #[inline]
    pub(crate) fn new(node: &'a NodeHead, outlet: &'a Outlet<Out>, task: &'a mut TaskState) -> Self {
        NodeContext { node, outlet, task, dropped: None }
    }

    /// Ends a call that returned; says why the node dropped what it was given, if it did.
    #[inline]
    pub(crate) fn returned(self) -> Option<DropReason> {
        let dropped = self.dropped;
        std::mem::forget(self);
        dropped
    }

    /// Hands an item to every child, in the order in which they were connected; returns when all are done with it.
    #[inline]
    pub fn push(&mut self, item: Out::Item<'_>) -> Flow {
        self.outlet.push(item, self.task)
    }

    #[inline]
    pub(crate) fn push_to(&mut self, child: usize, item: Out::Item<'_>) -> Flow {
        self.outlet.push_to(child, item, self.task)
    }

    /// The children, and the task that they need to be pushed to.
    #[inline]
    pub(crate) fn children(&mut self) -> (&Outlet<Out>, &mut TaskState) {
        (self.outlet, self.task)
    }

    #[inline]
    pub(crate) fn task(&mut self) -> &mut TaskState {
        self.task
    }

    /// The place of a child.
    fn child(&self, child: &str) -> Result<usize, ProcessError> {
        self.node.children.iter().position(|name| **name == *child).ok_or_else(|| {
            let (node, children) = (&self.node.name, &self.node.children);
            format!(
                "processor `{node}` forwards to `{child}`, which is no child of it (children: {children:?}): add the child \
                 with this parent, or correct the name"
            )
            .into()
        })
    }

    /// The node's name.
    pub fn node_name(&self) -> &str {
        &self.node.name
    }

    /// The record being processed: topic, partition and offset. A punctuation has none.
    pub fn address(&self) -> Option<&Address> {
        self.task.address()
    }

    /// The partition number that this task works on.
    pub fn partition(&self) -> u32 {
        self.task.partition()
    }

    /// The greatest record time that the task has seen, that of the current record included.
    pub fn stream_time(&self) -> Option<Timestamp> {
        self.task.stream_time()
    }

    /// The wall-clock time, from the application's clock.
    pub fn now(&self) -> Timestamp {
        self.task.now()
    }

    /// Sets a timer: [`Processor::punctuate`](super::Processor::punctuate) is called with its name. A processor's timers are
    /// told apart by their names; setting one again replaces it.
    ///
    /// Stream time: due at the multiples of `interval`, 0 included, so a new timer fires after the record that is being
    /// processed. Wall clock: due every `interval`, counted from this call. Multiples that were jumped over are not made up
    /// for. Timers are not stored: `init` sets them at each start.
    ///
    /// # Errors
    ///
    /// When the interval is shorter than a millisecond, or the node is no `Processor`.
    pub fn schedule(&mut self, timer: &str, interval: Duration, kind: PunctuationType) -> Flow {
        let first = match kind {
            PunctuationType::StreamTime => Timestamp::ZERO,
            PunctuationType::WallClock => {
                let millis = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
                Timestamp::from_millis(self.now().as_millis().saturating_add(millis))
            }
        };
        self.schedule_from(timer, first, interval, kind)
    }

    /// As [`schedule`](Self::schedule), due at `start`, `start + interval` and so on, whichever time it goes by (KIP-1146):
    /// for timers that fire at the full hour, wherever they were set.
    pub fn schedule_from(&mut self, timer: &str, start: Timestamp, interval: Duration, kind: PunctuationType) -> Flow {
        let slot = self.slot(timer)?;
        Ok(self.task.timers().schedule(slot, &Schedule { name: timer, kind, first: start, interval })?)
    }

    /// Cancels a timer, also while it fires; gives whether it was set.
    pub fn cancel(&mut self, timer: &str) -> bool {
        self.node.slot.is_some_and(|slot| self.task.timers().cancel(slot, timer))
    }

    /// The slot of the node's processor.
    pub(crate) fn processor_slot(&self) -> usize {
        self.node.slot.expect("only a processor asks")
    }

    fn slot(&self, timer: &str) -> Result<usize, ProcessError> {
        self.node.slot.ok_or_else(|| {
            let node = &self.node.name;
            format!("node `{node}` sets timer `{timer}` and is no processor: only a `Processor` has timers").into()
        })
    }

    /// Asks for a commit as soon as the record or punctuation at hand is done with, before the commit interval is over.
    pub fn request_commit(&mut self) {
        self.task.request_commit();
    }

    /// Drops the record that is being processed: counts it, and when the call has returned without an error writes it, as it
    /// came, to the topic that [`dropped_to`](crate::stream::Stream::dropped_to) names, if one does.
    #[inline]
    pub fn drop_record(&mut self, reason: DropReason) {
        self.task.drop_record(reason);
        self.leave_out(reason);
    }

    /// As [`drop_record`](Self::drop_record), for a record that was counted already.
    #[inline]
    pub(crate) fn leave_out(&mut self, reason: DropReason) {
        self.dropped = Some(reason);
    }

    /// A store that this node is connected to, to be read and changed. One that a topic fills only the processor there can
    /// change; others look at it with [`read`](Self::read).
    pub fn store<D: Descriptor>(&mut self, store: &D) -> Result<D::Access<'_>, ProcessError> {
        self.node.open(self.task, store)
    }

    /// Looks at a store: one that this node is connected to, or any global one.
    ///
    /// A global store is the application's only copy, and other tasks wait until `look` returns: take out what is needed
    /// and go on after it.
    ///
    /// ```
    /// # use tidemill_dsl::processor::{Context, Flow, Processor};
    /// # use tidemill_dsl::record::Record;
    /// # use tidemill_dsl::state::Store;
    /// const NAMES: Store<String, String> = Store::of("names");
    ///
    /// struct Greet;
    ///
    /// impl Processor<String, String, String, String> for Greet {
    ///     fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, String>) -> Flow {
    ///         let name = ctx.read(&NAMES, |names| Ok(names.get(record.key)?.cloned()))?;
    ///         ctx.forward(record.with_value(&format!("hello {}", name.unwrap_or_default())))
    ///     }
    /// }
    /// ```
    pub fn read<D: Readable, R>(
        &mut self,
        store: &D,
        look: impl FnOnce(&mut D::Reader<'_>) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        self.node.look(self.task, store, look)
    }

    /// Opens a cursor over the rows of a key-value store whose keys lie in a range, in the order of the keys' bytes. It shows
    /// the rows as they are now, and does not borrow the context:
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// use tidemill_dsl::processor::{Context, Flow, Processor};
    /// use tidemill_dsl::record::Record;
    /// use tidemill_dsl::state::{Store, StoreSpec};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    ///
    /// const OPEN: Store<String, i64> = Store::of("open");
    ///
    /// /// Collects values; 0 forwards and forgets all of them.
    /// struct Collect;
    ///
    /// impl Processor<String, i64, String, i64> for Collect {
    ///     fn stores(&self) -> Vec<StoreSpec> {
    ///         vec![StoreSpec::plain(&OPEN)]
    ///     }
    ///
    ///     fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
    ///         if *record.value != 0 {
    ///             return ctx.store(&OPEN)?.put(record.key, *record.value, record.timestamp);
    ///         }
    ///         let mut rows = ctx.scan(&OPEN, ..)?;
    ///         while let Some((key, value)) = rows.next(ctx)? {
    ///             ctx.forward(Record::new(&key, &value, record.timestamp))?;
    ///             ctx.store(&OPEN)?.delete(&key, record.timestamp)?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).process(|| Collect, &[]).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("b", 2).send("a", 1).send("", 0);
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), 1), ("b".into(), 2)]);
    /// assert_eq!(driver.store(&OPEN).all(), []);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scan<K: 'static, V: Clone + Send + 'static>(
        &mut self,
        store: &Store<K, V>,
        range: impl RangeBounds<K>,
    ) -> Result<Scan<'a, K, V>, ProcessError> {
        self.scan_keys(store, key_range(store, &range)?)
    }

    /// As [`scan`](Self::scan), over the rows whose key's bytes begin with `prefix`.
    pub fn scan_prefix<K: 'static, V: Clone + Send + 'static>(
        &mut self,
        store: &Store<K, V>,
        prefix: &[u8],
    ) -> Result<Scan<'a, K, V>, ProcessError> {
        self.scan_keys(store, KeyRange::prefix(prefix))
    }

    fn scan_keys<K: 'static, V: Clone + Send + 'static>(
        &mut self,
        store: &Store<K, V>,
        range: KeyRange,
    ) -> Result<Scan<'a, K, V>, ProcessError> {
        let slot = self.node.writable(store.name())?;
        self.task.open_at(slot, store)?;
        Ok(Scan::open(self.task.state(slot).0, slot, range))
    }

    /// The context of a function that is given a row of a table.
    pub(crate) fn row_context<'c>(&'c mut self, timestamp: Timestamp, headers: &'c Headers) -> RowContext<'c> {
        RowContext::of_change(self.node, self.task, timestamp, headers)
    }
}

/// A context is dropped only when its node panics: then the task is told which node that was.
impl<Out: Edge> Drop for NodeContext<'_, Out> {
    fn drop(&mut self) {
        self.task.panicked_in(&self.node.name);
    }
}

impl<K: 'static, V: 'static> NodeContext<'_, StreamOf<K, V>> {
    /// Hands a record to every child.
    ///
    /// # Errors
    ///
    /// That of a node below, or when the record's time is negative.
    #[inline]
    pub fn forward(&mut self, record: Record<'_, K, V>) -> Flow {
        check_time(record.timestamp)?;
        self.push(record)
    }

    /// Hands a record to one child, by its name: that of a node, or on a stream that which the next verb was given by
    /// `.named(..)`.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward), or when the node has no such child.
    pub fn forward_to(&mut self, child: &str, record: Record<'_, K, V>) -> Flow {
        check_time(record.timestamp)?;
        let place = self.child(child)?;
        self.push_to(place, record)
    }
}

impl<K: 'static, V: 'static> NodeContext<'_, FixedKeyOf<K, V>> {
    /// Hands a record to every child.
    ///
    /// # Errors
    ///
    /// That of a node below, or when the record's time is negative.
    #[inline]
    pub fn forward(&mut self, record: FixedKeyRecord<'_, K, V>) -> Flow {
        check_time(record.timestamp())?;
        self.push(record)
    }

    /// Hands a record to one child, by its name: that of a node, or on a stream that which the next verb was given by
    /// `.named(..)`.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward), or when the node has no such child.
    pub fn forward_to(&mut self, child: &str, record: FixedKeyRecord<'_, K, V>) -> Flow {
        check_time(record.timestamp())?;
        let place = self.child(child)?;
        self.push_to(place, record)
    }
}

/// Kafka refuses negative times.
#[inline]
fn check_time(time: Timestamp) -> Flow {
    if time.is_valid() { Ok(()) } else { Err(negative_time(time)) }
}

#[cold]
fn negative_time(time: Timestamp) -> ProcessError {
    format!("a record cannot be forwarded with the negative time {time}: give it a time from 0 on").into()
}
