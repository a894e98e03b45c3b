//! What a node may do while it runs: forward, use its stores, ask for times.

use std::sync::Arc;

use super::{Address, DropReason, Edge, Flow, Outlet, ProcessError, StreamOf, TaskState};
use crate::record::{Record, Timestamp};
use crate::state::Descriptor;

/// A node's name and the stores that it is connected to.
pub(crate) struct NodeHead {
    pub(crate) name: Arc<str>,
    pub(crate) stores: Box<[(Arc<str>, usize)]>,
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

    /// A store that this node is connected to.
    pub fn store<D: Descriptor>(&mut self, store: &D) -> Result<D::Access<'_>, ProcessError> {
        let found = self.node.stores.iter().find(|(name, _)| **name == *store.name());
        let Some((_, slot)) = found else {
            let connected: Vec<&str> = self.node.stores.iter().map(|(name, _)| &**name).collect();
            let (node, wanted) = (&self.node.name, store.name());
            return Err(format!(
                "processor `{node}` is not connected to store `{wanted}` (connected: {connected:?}): name the store where \
                 the processor is added"
            )
            .into());
        };
        // A processor's own changes leave a full cache here: later, its caller holds the store.
        self.task.make_room(*slot)?;
        self.task.open_at(*slot, store)
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
