//! What a node may do while it runs: forward, use its stores, ask for times.

use std::sync::Arc;

use super::{Address, DropReason, Edge, Flow, Outlet, ProcessError, StreamOf, TaskState};
use crate::record::{Record, Timestamp};
use crate::state::{Descriptor, Readable};

/// A node's name and the stores that it can use.
pub(crate) struct NodeHead {
    pub(crate) name: Arc<str>,
    /// Those that it reads and writes.
    pub(crate) stores: Box<[(Arc<str>, usize)]>,
    /// Those that it only reads, because a topic fills them.
    pub(crate) readable: Box<[(Arc<str>, usize)]>,
}

impl NodeHead {
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

/// What a node may do while it runs. It ends with the call.
pub struct NodeContext<'a, Out: Edge> {
    node: &'a NodeHead,
    outlet: &'a Outlet<Out>,
    task: &'a mut TaskState,
}

impl<'a, Out: Edge> NodeContext<'a, Out> {
    #[inline]
    pub(crate) fn new(node: &'a NodeHead, outlet: &'a Outlet<Out>, task: &'a mut TaskState) -> Self {
        NodeContext { node, outlet, task }
    }

    /// Ends a call that returned.
    #[inline]
    pub(crate) fn returned(self) {
        std::mem::forget(self);
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

    /// The node's name.
    pub fn node_name(&self) -> &str {
        &self.node.name
    }

    /// The record being processed: topic, partition and offset.
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

    /// Counts a record that this node drops.
    #[inline]
    pub fn drop_record(&mut self, reason: DropReason) {
        self.task.drop_record(reason);
    }

    /// A store that this node is connected to, to be read and changed. One that a topic fills only the processor there can
    /// change; others look at it with [`read`](Self::read).
    pub fn store<D: Descriptor>(&mut self, store: &D) -> Result<D::Access<'_>, ProcessError> {
        let slot = self.node.writable(store.name())?;
        // A processor's own changes leave a full cache here: later, its caller holds the store.
        self.task.make_room(slot)?;
        self.task.open_at(slot, store)
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
        let slot = self.node.readable(store.name())?;
        self.task.look_at::<D::State, R>(slot, |state, out| look(&mut D::reader(state, out)))
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
    #[inline]
    pub fn forward(&mut self, record: Record<'_, K, V>) -> Flow {
        self.push(record)
    }
}
