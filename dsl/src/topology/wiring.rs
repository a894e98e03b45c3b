//! Puts a declared node together with its children, its stores and its place in the program.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Filled, FilledBy, SourceRunner, TopicRef};
use crate::operator::{RowFlusher, TableStore};
use crate::processor::{
    Edge, FollowsTime, NodeHead, Outlet, ProcessError, ProcessorInstance, ProcessorRunner, ProcessorWrapper, Push,
    SideOutputs, TableOf, Takes, TaskState, Wrapped,
};
use crate::state::{KeyValueState, KeyedRows, Release, StateStore, StoreSpec, VersionedState};

/// A node put together.
pub(crate) enum Assembled {
    /// An `Arc<dyn Push<E>>`, type erased; the edge types were checked before.
    Node(Box<dyn Any>),
    Source(Arc<dyn SourceRunner>),
}

impl Assembled {
    pub(crate) fn node<E: Edge>(node: impl Push<E> + 'static) -> Self {
        let node: Arc<dyn Push<E>> = Arc::new(node);
        Assembled::Node(Box::new(node))
    }
}

/// The place of a store of type `S` in a task.
pub(crate) struct StoreSlot<S> {
    pub(crate) index: usize,
    /// Whether a node further down uses the store too, so that its rows cannot be lent while they are pushed there.
    pub(crate) used_below: bool,
    /// Whether the nodes below want to know a row as it was before a change.
    pub(crate) sends_old: bool,
    state: PhantomData<fn() -> S>,
}

impl<S> StoreSlot<S> {
    fn sending_old(self, sends_old: bool) -> Self {
        StoreSlot { sends_old, ..self }
    }
}

impl<S> Clone for StoreSlot<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for StoreSlot<S> {}

/// The place of a key-value store.
pub(crate) type RowSlot<K, V> = StoreSlot<KeyValueState<K, V>>;

/// Tells the nodes below a store of the changes that its cache lets out.
pub(crate) trait FlushCache: Send + Sync {
    /// Lets changes out and tells of them; `false` when the cache is empty.
    fn release(&self, what: Release, task: &mut TaskState) -> Result<bool, ProcessError>;

    /// Whether the nodes below want to know rows as they were before their change.
    fn sends_old(&self) -> bool;
}

pub(crate) type Flusher = Box<dyn FlushCache>;

pub(crate) type Supplier = Box<dyn Fn() -> Box<dyn ProcessorInstance> + Send + Sync>;

/// What a program collects while its nodes are put together.
#[derive(Default)]
pub(crate) struct ProgramParts {
    pub(crate) suppliers: Vec<(usize, Supplier)>,
    /// Nodes with a time of their own.
    pub(crate) timed: Vec<Arc<str>>,
    /// Operators that follow record time without records, those further down first, with the numbers of their nodes.
    pub(crate) following: Vec<(usize, Arc<dyn FollowsTime>)>,
    /// The nodes of the processors, by their slots.
    pub(crate) processors: Vec<Arc<dyn ProcessorRunner>>,
    pub(crate) outputs: Vec<TopicRef>,
    /// By the number of the store; at most one node tells of a store's changes.
    pub(crate) flushers: Vec<Option<Flusher>>,
}

/// What an operator can ask for when it is put into a topology.
pub struct Wiring<'a> {
    pub(crate) node: &'a Arc<str>,
    pub(crate) node_number: usize,
    pub(crate) children: Vec<&'a dyn Any>,
    /// The sinks of what the node drops, and which of it they take.
    pub(crate) sides: Vec<(Takes, &'a dyn Any)>,
    /// The children's names, in the same order.
    pub(crate) child_names: Vec<Arc<str>>,
    /// All stores of the topology.
    pub(crate) stores: &'a [StoreSpec],
    /// What fills each of them, if a topic does.
    pub(crate) filled: &'a [Option<Filled>],
    /// Stores that the node is connected to.
    pub(crate) connected: &'a [Arc<str>],
    /// Stores that the nodes below it are connected to.
    pub(crate) used_below: &'a [Arc<str>],
    /// What stands around every processor.
    pub(crate) wrapper: Option<&'a Arc<dyn ProcessorWrapper>>,
    pub(crate) parts: &'a mut ProgramParts,
}

impl Wiring<'_> {
    /// The node's name.
    pub fn node_name(&self) -> &str {
        self.node
    }

    pub(crate) fn head(&self, slot_of_processor: Option<usize>) -> NodeHead {
        let known = self.stores.iter().map(StoreSpec::name).zip(self.filled).enumerate();
        let (mut stores, mut readable) = (Vec::new(), Vec::new());
        for (slot, (name, filled)) in known {
            let connected = self.connected.contains(name);
            match filled {
                // What a topic fills nobody else may change: the change would be lost when it is filled anew.
                Some(filled)
                    if filled.processor != *self.node && (connected || filled.by == FilledBy::AllPartitions) =>
                {
                    readable.push((name.clone(), slot));
                }
                _ if connected => stores.push((name.clone(), slot)),
                _ => {}
            }
        }
        NodeHead {
            name: self.node.clone(),
            slot: slot_of_processor,
            stores: stores.into(),
            readable: readable.into(),
            children: self.child_names.clone().into(),
        }
    }

    /// Where the node's dropped records go besides being counted.
    pub(crate) fn sides<In: Edge>(&self) -> Option<SideOutputs<In>> {
        let taking = |takes: Takes| {
            let sinks = self.sides.iter().filter(|(taken, _)| *taken == takes).map(|(_, sink)| pushed::<In>(*sink));
            sinks.collect()
        };
        SideOutputs::of(taking(Takes::Dropped), taking(Takes::Late))
    }

    pub(crate) fn outlet<E: Edge>(&self) -> Outlet<E> {
        Outlet::new(self.below().collect())
    }

    /// The children.
    pub(crate) fn below<E: Edge>(&self) -> impl Iterator<Item = Arc<dyn Push<E>>> {
        self.children.iter().map(|child| pushed(*child))
    }

    /// A store that the node is connected to.
    pub(crate) fn store<S: StateStore>(&self, name: &str) -> StoreSlot<S> {
        let index = self.stores.iter().position(|spec| **spec.name() == *name).expect("stores are checked before");
        // A store's name has one descriptor, and only verbs that add the store open it here.
        assert!(self.stores[index].is::<S>(), "store `{name}` has other types than its node's");
        // A global store is read without a connection.
        let global = self.filled[index].as_ref().is_some_and(|filled| filled.by == FilledBy::AllPartitions);
        let connected = self.connected.iter().any(|connected| **connected == *name);
        assert!(global || connected, "the node is connected to `{name}`");
        let used_below = self.used_below.iter().any(|used| **used == *name);
        StoreSlot { index, used_below, sends_old: false, state: PhantomData }
    }

    /// The store of a table's rows that the node is connected to.
    pub(crate) fn table_store<K: 'static, V: Send + 'static>(&self, name: &str) -> TableStore<K, V> {
        let of_name = |spec: &&StoreSpec| **spec.name() == *name;
        let versioned = self.stores.iter().find(of_name).is_some_and(StoreSpec::is::<VersionedState<K, V>>);
        if versioned { TableStore::Versions(self.store(name)) } else { TableStore::Latest(self.store(name)) }
    }

    /// The store that the node keeps its table's rows in, the latest or all versions, and tells of the changes of.
    pub(crate) fn table_rows<K: 'static, V: Send + 'static>(
        &mut self,
        name: &str,
        sends_old: bool,
    ) -> TableStore<K, V> {
        match self.table_store(name) {
            TableStore::Latest(_) => TableStore::Latest(self.rows(name, sends_old)),
            TableStore::Versions(slot) => TableStore::Versions(slot.sending_old(sends_old)),
        }
    }

    /// The store that the node keeps its table's rows in, and tells of the changes of.
    pub(crate) fn rows<S: KeyedRows>(&mut self, name: &str, sends_old: bool) -> StoreSlot<S> {
        let slot: StoreSlot<S> = self.store(name).sending_old(sends_old);
        let outlet: Outlet<TableOf<S::Key, S::Value>> = self.outlet();
        self.parts.flushers[slot.index] = Some(Box::new(RowFlusher { slot, outlet }));
        slot
    }

    /// The store of the table above, whose own node tells of the changes that a cache lets out.
    pub(crate) fn rows_of_above<S: KeyedRows>(&self, name: &str, sends_old: bool) -> StoreSlot<S> {
        self.store(name).sending_old(sends_old)
    }

    /// A place for times of the node's own.
    pub(crate) fn add_time(&mut self) -> usize {
        self.parts.timed.push(self.node.clone());
        self.parts.timed.len() - 1
    }

    /// The place for times that several nodes share, kept under the name of one of them.
    pub(crate) fn shared_time(&mut self, node: &Arc<str>) -> usize {
        let known = self.parts.timed.iter().position(|timed| timed == node);
        known.unwrap_or_else(|| {
            self.parts.timed.push(node.clone());
            self.parts.timed.len() - 1
        })
    }

    /// Gives a processor its slot, makes its node, and has it pushed into by the parents.
    pub(crate) fn processor<E: Edge, N: Push<E> + ProcessorRunner + 'static>(
        &mut self,
        supplier: Supplier,
        node: impl FnOnce(&Self, usize) -> N,
    ) -> Assembled {
        let slot = self.parts.suppliers.len();
        let node = Arc::new(node(self, slot));
        self.parts.suppliers.push((self.node_number, supplier));
        let runner: Arc<dyn ProcessorRunner> = node.clone();
        self.parts.processors.push(match self.wrapper {
            Some(wrapper) => Arc::new(Wrapped { name: self.node.clone(), wrapper: wrapper.clone(), inner: runner }),
            None => runner,
        });
        self.wrapped::<E>(node)
    }

    /// A processor's node for its parents, with the wrapper around it if there is one.
    pub(crate) fn wrapped<E: Edge>(&self, node: Arc<dyn Push<E>>) -> Assembled {
        let node: Arc<dyn Push<E>> = match self.wrapper {
            Some(wrapper) => Arc::new(Wrapped { name: self.node.clone(), wrapper: wrapper.clone(), inner: node }),
            None => node,
        };
        Assembled::Node(Box::new(node))
    }

    pub(crate) fn output(&mut self, topic: &TopicRef) -> usize {
        let outputs = &mut self.parts.outputs;
        outputs.iter().position(|known| known == topic).unwrap_or_else(|| {
            outputs.push(topic.clone());
            outputs.len() - 1
        })
    }
}

/// A node as its parents push into it.
fn pushed<E: Edge>(node: &dyn Any) -> Arc<dyn Push<E>> {
    node.downcast_ref::<Arc<dyn Push<E>>>().expect("edge types are checked").clone()
}
