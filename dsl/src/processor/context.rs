//! What a node may do while it runs: forward, use its stores, ask for times.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Address, DropReason, Edge, Flow, Outlet, ProcessError, StreamOf, TaskState};
use crate::record::{Record, Timestamp};
use crate::state::{ChangelogOut, Direction, KeyRange, KeyValueState, Store};

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
    pub fn store<K: 'static, V: Send + 'static>(
        &mut self,
        store: &Store<K, V>,
    ) -> Result<StoreAccess<'_, K, V>, ProcessError> {
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
        let Some((state, out)) = self.task.try_key_value(*slot) else {
            let (node, name, wanted) = (&self.node.name, store.name(), std::any::type_name::<(K, V)>());
            return Err(format!(
                "processor `{node}` opens store `{name}` as `{wanted}`, but it has other types: use the descriptor that the \
                 store was added with"
            )
            .into());
        };
        Ok(StoreAccess { state, out })
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

/// A key-value store in the hands of a processor.
pub struct StoreAccess<'a, K: 'static, V: 'static> {
    state: &'a mut KeyValueState<K, V>,
    out: ChangelogOut<'a>,
}

impl<K: 'static, V: Send + 'static> StoreAccess<'_, K, V> {
    /// The value of a key.
    pub fn get(&mut self, key: &K) -> Result<Option<&V>, ProcessError> {
        Ok(self.state.get(key)?.map(|(value, _)| value))
    }

    /// The value of a key and the time of its last update.
    pub fn get_with_time(&mut self, key: &K) -> Result<Option<(&V, Timestamp)>, ProcessError> {
        Ok(self.state.get(key)?)
    }

    /// Sets the value of a key, as of the time `at`.
    pub fn put(&mut self, key: &K, value: V, at: Timestamp) -> Flow {
        let row = self.state.claim(key)?;
        Ok(self.state.set(row, Some(value), at, &mut self.out)?)
    }

    /// Deletes a key and gives the value that it had.
    pub fn delete(&mut self, key: &K, at: Timestamp) -> Result<Option<V>, ProcessError> {
        let row = self.state.claim(key)?;
        let old = self.state.take(row).map(|(value, _)| value);
        self.state.set(row, None, at, &mut self.out)?;
        Ok(old)
    }

    /// Visits the rows from `from` to `to`, both included, in the order of the keys' bytes, until `visit` breaks.
    /// An absent bound is open.
    pub fn range(
        &mut self,
        from: Option<&K>,
        to: Option<&K>,
        direction: Direction,
        visit: impl FnMut(K, &V) -> ControlFlow<()>,
    ) -> Flow {
        let range = self.key_range(from, to)?;
        self.walk(&range, direction, visit)
    }

    /// Visits the rows whose key's bytes begin with `prefix`.
    pub fn prefix(&mut self, prefix: &[u8], direction: Direction, visit: impl FnMut(K, &V) -> ControlFlow<()>) -> Flow {
        self.walk(&KeyRange::prefix(prefix), direction, visit)
    }

    /// Visits all rows.
    pub fn all(&mut self, direction: Direction, visit: impl FnMut(K, &V) -> ControlFlow<()>) -> Flow {
        self.walk(&KeyRange::ALL, direction, visit)
    }

    fn key_range(&self, from: Option<&K>, to: Option<&K>) -> Result<KeyRange, ProcessError> {
        use std::ops::Bound::{Included, Unbounded};
        let bytes = |key: Option<&K>| key.map(|key| self.state.encode_key(key)).transpose();
        Ok(KeyRange { from: bytes(from)?.map_or(Unbounded, Included), to: bytes(to)?.map_or(Unbounded, Included) })
    }

    fn walk(
        &mut self,
        range: &KeyRange,
        direction: Direction,
        mut visit: impl FnMut(K, &V) -> ControlFlow<()>,
    ) -> Flow {
        let mut undecodable = None;
        let keys = self.state.key_serde();
        self.state.walk(range, direction, &mut |key, value, _| match keys.read(key) {
            Ok(key) => visit(key, value),
            Err(error) => {
                undecodable = Some(error);
                ControlFlow::Break(())
            }
        })?;
        undecodable.map_or(Ok(()), |error| Err(error.into()))
    }
}
