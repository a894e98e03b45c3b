//! The built topology: an immutable graph with its compiled nodes.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;
use petgraph::visit::{Dfs, EdgeRef};

use super::builder::DeclaredStore;
use super::java_order::hash_map_order;
use super::nodes::{Kind, Node};
use super::wiring::{Flusher, ProgramParts, Supplier};
use super::{Answering, Assembled, Filled, SinkTopic, SourceRunner, SourceTopics, TopicRef, TopologyBuilder, Wiring};
use crate::processor::{FollowsTime, ProcessorRunner, Takes};
use crate::state::StoreSpec;

/// What a node is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Reads topics.
    Source(SourceTopics),
    /// Processes.
    Processor,
    /// Writes to a topic.
    Sink(SinkTopic),
}

/// A node as one sees it from outside. Parents, children and stores stand in the order in which they were connected.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// The name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: NodeKind,
    /// Names of the nodes that push into it.
    pub parents: Vec<Arc<str>>,
    /// Names of the nodes that it pushes into.
    pub children: Vec<Arc<str>>,
    /// Names of the stores that it is connected to.
    pub stores: Vec<Arc<str>>,
}

/// Nodes that belong to one task: those connected by edges or by shared stores.
#[derive(Clone, Debug)]
pub struct Subtopology {
    /// Its number, the first half of a task's id.
    pub id: usize,
    /// Its nodes, by their numbers in the order in which they were added.
    pub(crate) nodes: Vec<usize>,
    global: bool,
}

impl Subtopology {
    /// Whether it maintains a global store. Then it has no tasks by partition: one task per process runs all of these, over
    /// all partitions of their topics.
    pub fn is_global(&self) -> bool {
        self.global
    }
}

/// An immutable, checked topology. Cheap to clone: all clones and all tasks share it.
#[derive(Clone)]
pub struct Topology {
    pub(super) program: Arc<Program>,
}

pub(super) struct Program {
    pub(super) nodes: Vec<NodeView>,
    pub(super) subtopologies: Vec<Subtopology>,
    pub(super) sources: BTreeMap<usize, Arc<dyn SourceRunner>>,
    pub(super) stores: Vec<StoreSpec>,
    /// By the number of the store: what fills it, if a topic does.
    pub(super) filled: Vec<Option<Filled>>,
    /// Makers of processor instances, with the number of their node.
    pub(super) suppliers: Vec<(usize, Supplier)>,
    pub(super) timed: Vec<Arc<str>>,
    /// Operators that follow record time without records, those further up first, with the numbers of their nodes.
    pub(super) following: Vec<(usize, Arc<dyn FollowsTime>)>,
    /// The nodes of the processors, by their slots.
    pub(super) processors: Arc<[Arc<dyn ProcessorRunner>]>,
    pub(super) outputs: Vec<TopicRef>,
    /// By the number of the store.
    pub(super) flushers: Arc<[Option<Flusher>]>,
    /// The numbers of the stores in the order in which a commit flushes their caches.
    pub(super) flush_order: Vec<usize>,
    /// Which nodes look up rows of which tables to join them with records.
    pub(super) lookups: Vec<(Arc<str>, Arc<str>)>,
    /// Which nodes answer commands.
    pub(super) answering: Vec<Answering>,
    /// Nodes that decide commands which may have no key.
    pub(super) unkeyed: Vec<Arc<str>>,
    pub(super) copartitioned: Vec<Vec<Arc<str>>>,
    pub(super) partitions: BTreeMap<Arc<str>, u32>,
}

impl Topology {
    /// Puts a checked program together.
    pub(super) fn assemble(builder: TopologyBuilder) -> Topology {
        let TopologyBuilder { nodes, stores, copartitioned, partitions, wrapper, lookups, answering, unkeyed, .. } =
            builder;
        let graph = draw_graph(&nodes);
        let views = view(&nodes, &graph);
        let subtopologies = subtopologies(&nodes, &stores, &graph);
        let (specs, filled): (Vec<StoreSpec>, Vec<Option<Filled>>) =
            stores.into_iter().map(|store| (store.spec, store.filled)).unzip();
        let (mut parts, mut sources) = (ProgramParts::default(), BTreeMap::new());
        parts.flushers.resize_with(specs.len(), || None);
        let flush_order = flush_order(&views, &specs);
        let mut built: Vec<Option<Box<dyn Any>>> = nodes.iter().map(|_| None).collect();
        let below: Vec<Vec<Arc<str>>> = (0..nodes.len()).map(|number| stores_below(number, &nodes, &graph)).collect();
        let takes: Vec<Takes> = nodes.iter().map(|node| node.takes).collect();
        // Children are added after their parents, so backwards every node finds its children ready.
        for (number, node) in nodes.into_iter().enumerate().rev() {
            let (children, sides): (Vec<usize>, Vec<usize>) =
                children(&graph, number).into_iter().partition(|child| takes[*child] == Takes::Made);
            let child_names = children.iter().map(|child| views[*child].name.clone()).collect();
            let children = children.iter().filter_map(|child| built[*child].as_deref()).collect();
            let mut wiring = Wiring {
                node: &node.name,
                node_number: number,
                children,
                sides: sides.iter().filter_map(|sink| Some((takes[*sink], built[*sink].as_deref()?))).collect(),
                child_names,
                stores: &specs,
                filled: &filled,
                connected: &node.stores,
                used_below: &below[number],
                wrapper: wrapper.as_ref(),
                parts: &mut parts,
            };
            match (node.assemble)(&mut wiring) {
                Assembled::Node(push) => built[number] = Some(push),
                Assembled::Source(runner) => {
                    sources.insert(number, runner);
                }
            }
        }
        let ProgramParts { suppliers, timed, mut following, processors, outputs, flushers } = parts;
        // Nodes are put together from the last to the first.
        following.reverse();
        let processors = processors.into();
        let partitions = partitions.into_iter().collect();
        let program = Program {
            nodes: views,
            subtopologies,
            sources,
            stores: specs,
            filled,
            suppliers,
            timed,
            following,
            processors,
            outputs,
            flushers: flushers.into(),
            flush_order,
            lookups,
            answering,
            unkeyed,
            copartitioned,
            partitions,
        };
        Topology { program: Arc::new(program) }
    }

    /// The nodes in the order in which they were added.
    pub fn nodes(&self) -> &[NodeView] {
        &self.program.nodes
    }

    /// The sub-topologies by their number.
    pub fn subtopologies(&self) -> &[Subtopology] {
        &self.program.subtopologies
    }

    /// The nodes of a sub-topology.
    pub fn nodes_of<'a>(&'a self, subtopology: &'a Subtopology) -> impl Iterator<Item = &'a NodeView> {
        subtopology.nodes.iter().map(|number| &self.program.nodes[*number])
    }

    /// The stores in the order in which they were added.
    pub fn stores(&self) -> &[StoreSpec] {
        &self.program.stores
    }

    /// The sub-topology that a store belongs to.
    pub fn subtopology_of_store(&self, store: &str) -> Option<&Subtopology> {
        let uses = |node: &NodeView| node.stores.iter().any(|name| **name == *store);
        self.subtopologies().iter().find(|sub| self.nodes_of(sub).any(uses))
    }

    /// The topics that sinks write, without those chosen for each record.
    pub fn sink_topics(&self) -> Vec<&TopicRef> {
        let topics = self.nodes().iter().filter_map(|node| match &node.kind {
            NodeKind::Sink(SinkTopic::Fixed(topic)) => Some(topic),
            _ => None,
        });
        topics.collect()
    }

    /// The topics that sources read by name.
    pub fn source_topics(&self) -> Vec<&TopicRef> {
        let topics = self.nodes().iter().filter_map(|node| match &node.kind {
            NodeKind::Source(SourceTopics::Named(topics)) => Some(topics),
            _ => None,
        });
        topics.flatten().collect()
    }
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

fn draw_graph(nodes: &[Node]) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(nodes.len(), nodes.len());
    for _ in nodes {
        graph.add_node(());
    }
    for (number, node) in nodes.iter().enumerate() {
        for parent in &node.parents {
            if let Some(parent) = nodes[..number].iter().position(|earlier| earlier.name == *parent) {
                graph.add_edge(NodeIndex::new(parent), NodeIndex::new(number), ());
            }
        }
    }
    graph
}

/// Children in the order in which they were connected.
fn children(graph: &DiGraph<(), ()>, node: usize) -> Vec<usize> {
    let mut edges: Vec<_> = graph.edges(NodeIndex::new(node)).collect();
    edges.sort_by_key(|edge| edge.id());
    edges.iter().map(|edge| edge.target().index()).collect()
}

fn view(nodes: &[Node], graph: &DiGraph<(), ()>) -> Vec<NodeView> {
    let view = |(number, node): (usize, &Node)| NodeView {
        name: node.name.clone(),
        kind: match &node.kind {
            Kind::Source(topics) => NodeKind::Source(topics.clone()),
            Kind::Processor => NodeKind::Processor,
            Kind::Sink(topic) => NodeKind::Sink(topic.clone()),
        },
        parents: node.parents.clone(),
        children: children(graph, number).into_iter().map(|child| nodes[child].name.clone()).collect(),
        stores: node.stores.clone(),
    };
    nodes.iter().enumerate().map(view).collect()
}

/// Kafka Streams flushes stores in the order in which it met them when it built the nodes, one after another; those of a
/// node lie in a hash set.
fn flush_order(nodes: &[NodeView], stores: &[StoreSpec]) -> Vec<usize> {
    let mut order = Vec::new();
    for node in nodes {
        let names: Vec<&str> = node.stores.iter().map(|name| &**name).collect();
        for name in hash_map_order(&names) {
            let number = stores.iter().position(|spec| **spec.name() == *name);
            order.extend(number.filter(|number| !order.contains(number)));
        }
    }
    order
}

fn stores_below(number: usize, nodes: &[Node], graph: &DiGraph<(), ()>) -> Vec<Arc<str>> {
    let (mut walk, mut stores) = (Dfs::new(graph, NodeIndex::new(number)), Vec::new());
    while let Some(below) = walk.next(graph) {
        if below.index() != number {
            stores.extend(nodes[below.index()].stores.iter().cloned());
        }
    }
    stores
}

/// Numbers them as Kafka Streams does: by their first nodes, in the order in which nodes were added.
fn subtopologies(nodes: &[Node], stores: &[DeclaredStore], graph: &DiGraph<(), ()>) -> Vec<Subtopology> {
    let mut groups = UnionFind::new(nodes.len());
    for edge in graph.raw_edges() {
        groups.union(edge.source().index(), edge.target().index());
    }
    for store in stores {
        let users: Vec<usize> = (0..nodes.len()).filter(|number| store.users.contains(&nodes[*number].name)).collect();
        for pair in users.windows(2) {
            groups.union(pair[0], pair[1]);
        }
    }
    let (mut roots, mut found) = (Vec::new(), Vec::<Subtopology>::new());
    for (number, node) in nodes.iter().enumerate() {
        let root = groups.find(number);
        let id = roots.iter().position(|known| *known == root).unwrap_or_else(|| {
            roots.push(root);
            found.push(Subtopology { id: found.len(), nodes: Vec::new(), global: false });
            found.len() - 1
        });
        found[id].nodes.push(number);
        found[id].global |= stores.iter().any(|store| store.is_global() && store.users.contains(&node.name));
    }
    found
}
