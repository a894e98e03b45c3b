//! Adds nodes and stores one by one; what is wrong is collected, and `build` reports all of it.

use std::sync::Arc;

use super::nodes::{EdgeType, Kind, Node};
use super::sink::{SinkNode, Target};
use super::source::SourceNode;
use super::{Answering, Assembled, Fault, Filled, Sink, Source, SourceTopics, Topology, TopologyErrors, Wiring};
use crate::operator::ResultsOf;
use crate::processor::{
    Edge, FixedKeyOf, FixedKeyProcessor, Instance, NodeProcessor, Operator, OperatorNode, Outlet, Processor,
    ProcessorNode, ProcessorWrapper, StreamOf, Takes,
};
use crate::record::name_fault;
use crate::state::StoreSpec;
use crate::topic::Topic;

/// A store and the processors that use it.
pub(crate) struct DeclaredStore {
    pub(crate) spec: StoreSpec,
    pub(crate) users: Vec<Arc<str>>,
    /// Set when a topic fills it.
    pub(crate) filled: Option<Filled>,
}

/// Builds a [`Topology`] from named nodes. The typed builder, [`StreamsBuilder`](crate::stream::StreamsBuilder), lowers
/// its verbs to these calls.
///
/// ```
/// use tidemill_dsl::Topic;
/// use tidemill_dsl::processor::{Context, Flow, Processor};
/// use tidemill_dsl::record::Record;
/// use tidemill_dsl::topology::{Sink, Source, TopologyBuilder};
///
/// struct Upper;
///
/// impl Processor<String, String, String, String> for Upper {
///     fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, String>) -> Flow {
///         ctx.forward(record.with_value(&record.value.to_uppercase()))
///     }
/// }
///
/// let mut builder = TopologyBuilder::new();
/// builder.add_source("words", Source::topic(&Topic::<String, String>::of("in")));
/// builder.add_processor("upper", &["words"], || Upper);
/// builder.add_sink("out", &["upper"], Sink::topic(&Topic::<String, String>::of("out")));
/// let topology = builder.build()?;
/// assert!(topology.describe().contains("Processor: upper"));
/// # Ok::<(), tidemill_dsl::topology::TopologyErrors>(())
/// ```
#[derive(Default)]
pub struct TopologyBuilder {
    pub(crate) nodes: Vec<Node>,
    pub(crate) stores: Vec<DeclaredStore>,
    /// Sources whose topics need equal numbers of partitions, because a join below brings their records together.
    pub(crate) copartitioned: Vec<Vec<Arc<str>>>,
    /// Topics of the application's own whose number of partitions is given.
    pub(crate) partitions: Vec<(Arc<str>, u32)>,
    /// What stands around every processor.
    pub(crate) wrapper: Option<Arc<dyn ProcessorWrapper>>,
    pub(crate) faults: Vec<Fault>,
    /// Which nodes look up rows of which tables to join them with records.
    pub(crate) lookups: Vec<(Arc<str>, Arc<str>)>,
    /// Which nodes answer commands.
    pub(crate) answering: Vec<Answering>,
    /// Nodes that decide commands which may have no key.
    pub(crate) unkeyed: Vec<Arc<str>>,
}

impl TopologyBuilder {
    /// An empty topology.
    pub fn new() -> Self {
        TopologyBuilder::default()
    }

    /// Adds a source.
    pub fn add_source<K: Send + 'static, V: Send + 'static>(&mut self, name: &str, source: Source<K, V>) -> &mut Self {
        let topics = match source.topics {
            Ok(topics) => topics,
            Err(fault) => {
                self.faults.push(fault);
                SourceTopics::Named(Vec::new())
            }
        };
        let Source { key, value, timestamps, reset, .. } = source;
        self.add(Node {
            name: name.into(),
            kind: Kind::Source(topics),
            parents: Vec::new(),
            stores: Vec::new(),
            input: None,
            output: Some(EdgeType::of::<StreamOf<K, V>>()),
            takes: Takes::Made,
            assemble: Box::new(move |wiring| {
                let outlet = wiring.outlet();
                Assembled::Source(Arc::new(SourceNode::<K, V> { key, value, timestamps, reset, outlet }))
            }),
        })
    }

    /// Adds a processor, which gets an instance per task: `supplier` makes them.
    pub fn add_processor<KIn, VIn, KOut, VOut, P>(
        &mut self,
        name: &str,
        parents: &[&str],
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) -> &mut Self
    where
        KIn: 'static,
        VIn: 'static,
        KOut: 'static,
        VOut: 'static,
        P: Processor<KIn, VIn, KOut, VOut>,
    {
        let stores = supplier().stores();
        self.add_instances::<StreamOf<KIn, VIn>, StreamOf<KOut, VOut>, StreamOf<KOut, VOut>, P>(
            name,
            parents,
            supplier,
            |wiring| wiring.outlet(),
        );
        self.bring_stores(name, stores)
    }

    /// Adds a processor that cannot change keys.
    pub fn add_fixed_key_processor<K, VIn, VOut, P>(
        &mut self,
        name: &str,
        parents: &[&str],
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) -> &mut Self
    where
        K: 'static,
        VIn: 'static,
        VOut: 'static,
        P: FixedKeyProcessor<K, VIn, VOut>,
    {
        let stores = supplier().stores();
        self.add_instances::<StreamOf<K, VIn>, FixedKeyOf<K, VOut>, StreamOf<K, VOut>, P>(
            name,
            parents,
            supplier,
            |wiring| Outlet::fixing_keys(wiring.below::<StreamOf<K, VOut>>()),
        );
        self.bring_stores(name, stores)
    }

    /// Adds a node that makes calls, with an instance per task and these stores.
    pub(crate) fn add_calling<K, V, R, P>(
        &mut self,
        name: &str,
        parents: &[&str],
        stores: &[&str],
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) where
        K: 'static,
        V: 'static,
        R: 'static,
        P: NodeProcessor<StreamOf<K, V>, ResultsOf<K, R>>,
    {
        self.add_instances::<StreamOf<K, V>, ResultsOf<K, R>, StreamOf<K, R>, P>(name, parents, supplier, |wiring| {
            Outlet::of_results(wiring.below::<StreamOf<K, R>>())
        });
        if let Some(node) = self.nodes.last_mut() {
            node.stores.extend(stores.iter().map(|store| (*store).into()));
        }
    }

    /// Adds a node with an instance per task. What it hands on goes by `Out`, and what its children take by `Below`.
    fn add_instances<In: Edge, Out: Edge, Below: Edge, P: NodeProcessor<In, Out>>(
        &mut self,
        name: &str,
        parents: &[&str],
        supplier: impl Fn() -> P + Send + Sync + 'static,
        outlet: fn(&Wiring<'_>) -> Outlet<Out>,
    ) {
        self.add_wired::<In, Below>(name, parents, &[], move |wiring| {
            let supplier = Box::new(move || Instance::<P, In, Out>::boxed(supplier()));
            wiring.processor::<In, _>(supplier, |wiring, slot| {
                ProcessorNode::<P, In, Out>::new(wiring.head(Some(slot)), slot, outlet(wiring), wiring.sides())
            })
        });
    }

    /// Adds the stores that a processor brings along, but for those that one before has brought, and connects them.
    fn bring_stores(&mut self, processor: &str, stores: Vec<StoreSpec>) -> &mut Self {
        for store in stores {
            let name = store.name().clone();
            if !self.stores.iter().any(|known| known.spec.is_same(&store)) {
                self.add_state_store(store, &[]);
            }
            self.connect(processor, &[&name]);
        }
        self
    }

    /// Adds an operator: a node that keeps nothing of its own, one instance for all tasks.
    pub fn add_operator<In: Edge, Out: Edge>(
        &mut self,
        name: &str,
        parents: &[&str],
        operator: impl Operator<In, Out>,
    ) -> &mut Self {
        self.add_operator_with::<In, Out, _>(name, parents, &[], |_| operator)
    }

    /// Adds an operator that needs to know its stores.
    pub(crate) fn add_operator_with<In: Edge, Out: Edge, O: Operator<In, Out>>(
        &mut self,
        name: &str,
        parents: &[&str],
        stores: &[&str],
        make: impl FnOnce(&mut Wiring<'_>) -> O + 'static,
    ) -> &mut Self {
        self.add_wired::<In, Out>(name, parents, stores, |wiring| {
            let operator = make(wiring);
            let (head, outlet, sides) = (wiring.head(None), wiring.outlet(), wiring.sides());
            let follows_time = operator.follows_time();
            let node = Arc::new(OperatorNode::<O, In, Out> { head, operator, outlet, sides });
            if follows_time {
                wiring.parts.following.push((wiring.node_number, node.clone()));
            }
            wiring.wrapped::<In>(node)
        })
    }

    fn add_wired<In: Edge, Out: Edge>(
        &mut self,
        name: &str,
        parents: &[&str],
        stores: &[&str],
        assemble: impl FnOnce(&mut Wiring<'_>) -> Assembled + 'static,
    ) -> &mut Self {
        self.add(Node {
            name: name.into(),
            kind: Kind::Processor,
            parents: parents.iter().map(|parent| (*parent).into()).collect(),
            stores: stores.iter().map(|store| (*store).into()).collect(),
            input: Some(EdgeType::of::<In>()),
            output: Some(EdgeType::of::<Out>()),
            takes: Takes::Made,
            assemble: Box::new(assemble),
        })
    }

    /// Adds a sink.
    pub fn add_sink<K: 'static, V: 'static>(&mut self, name: &str, parents: &[&str], sink: Sink<K, V>) -> &mut Self {
        self.add(Node {
            name: name.into(),
            kind: Kind::Sink(sink.kind()),
            parents: parents.iter().map(|parent| (*parent).into()).collect(),
            stores: Vec::new(),
            input: Some(EdgeType::of::<StreamOf<K, V>>()),
            output: None,
            takes: Takes::Made,
            assemble: Box::new(|wiring| {
                let output = match &sink.to {
                    Target::Fixed(topic) => Some(wiring.output(topic)),
                    Target::Chosen(_) => None,
                };
                Assembled::node(SinkNode { name: wiring.node.clone(), output, sink })
            }),
        })
    }

    /// Adds a sink of what a node drops, unless it is there already.
    pub(crate) fn add_side_sink<K: 'static, V: 'static>(&mut self, takes: Takes, parent: &str, to: &Topic<K, V>) {
        let name = match takes {
            Takes::Late => format!("{parent}-late-to-{}", to.name()),
            Takes::Made | Takes::Dropped => format!("{parent}-dropped-to-{}", to.name()),
        };
        if self.nodes.iter().any(|node| *node.name == *name) {
            return;
        }
        self.add_sink(&name, &[parent], Sink::topic(to));
        if let Some(sink) = self.nodes.last_mut() {
            sink.takes = takes;
        }
    }

    /// Adds a store and connects it to processors that were added before.
    pub fn add_state_store(&mut self, spec: StoreSpec, processors: &[&str]) -> &mut Self {
        if self.stores.iter().any(|store| store.spec.name() == spec.name()) {
            self.faults.push(Fault::DuplicateStore { name: spec.name().clone() });
            return self;
        }
        check_name("store", spec.name(), &mut self.faults);
        let name = spec.name().clone();
        self.stores.push(DeclaredStore { spec, users: Vec::new(), filled: None });
        for processor in processors {
            self.connect(processor, &[&name]);
        }
        self
    }

    /// Connects a processor to stores, both added before.
    pub fn connect(&mut self, processor: &str, stores: &[&str]) -> &mut Self {
        for store in stores {
            match self.nodes.iter_mut().find(|node| *node.name == *processor) {
                Some(node) => {
                    if !node.stores.iter().any(|known| **known == **store) {
                        node.stores.push((*store).into());
                    }
                }
                None => self.faults.push(Fault::UnknownProcessor { store: (*store).into(), node: processor.into() }),
            }
        }
        self
    }

    /// Says that the topics of these sources need equal numbers of partitions.
    pub fn copartition(&mut self, sources: &[&str]) -> &mut Self {
        self.copartitioned.push(sources.iter().map(|source| (*source).into()).collect());
        self
    }

    fn add(&mut self, node: Node) -> &mut Self {
        if self.nodes.iter().any(|known| known.name == node.name) {
            self.faults.push(Fault::DuplicateNode { name: node.name.clone() });
        }
        self.nodes.push(node);
        self
    }

    /// Puts code of the application's own around every processor, those of the verbs included; as
    /// [`StreamsBuilder::wrap_processors`](crate::stream::StreamsBuilder::wrap_processors).
    pub fn wrap_processors(&mut self, wrapper: impl ProcessorWrapper) -> &mut Self {
        self.wrapper = Some(Arc::new(wrapper));
        self
    }

    /// Checks everything and builds the topology.
    pub fn build(mut self) -> Result<Topology, TopologyErrors> {
        self.share_stores();
        self.check();
        TopologyErrors::check(std::mem::take(&mut self.faults))?;
        Ok(Topology::assemble(self))
    }

    /// Fills in which nodes use which store.
    fn share_stores(&mut self) {
        for store in &mut self.stores {
            let uses = |node: &&Node| node.stores.iter().any(|name| name == store.spec.name());
            store.users = self.nodes.iter().filter(uses).map(|node| node.name.clone()).collect();
        }
    }

    fn check(&mut self) {
        let mut faults = Vec::new();
        if !self.nodes.iter().any(|node| matches!(node.kind, Kind::Source(_))) {
            faults.push(Fault::NoSource);
        }
        for (number, node) in self.nodes.iter().enumerate() {
            self.check_parents(number, node, &mut faults);
            for store in &node.stores {
                if !self.stores.iter().any(|known| known.spec.name() == store) {
                    faults.push(Fault::UnknownStore { node: node.name.clone(), store: store.clone() });
                }
            }
        }
        for store in self.stores.iter().filter(|store| store.users.is_empty()) {
            faults.push(Fault::UnusedStore { store: store.spec.name().clone() });
        }
        self.check_topics(&mut faults);
        self.check_filled(&mut faults);
        self.faults.append(&mut faults);
    }

    fn check_parents(&self, number: usize, node: &Node, faults: &mut Vec<Fault>) {
        if !matches!(node.kind, Kind::Source(_)) && node.parents.is_empty() {
            faults.push(Fault::NoParent { node: node.name.clone() });
        }
        for parent in &node.parents {
            // Only earlier nodes can be parents, so a topology has no cycles.
            let Some(found) = self.nodes[..number].iter().find(|earlier| earlier.name == *parent) else {
                faults.push(Fault::UnknownParent { node: node.name.clone(), parent: parent.clone() });
                continue;
            };
            let gives = if node.takes == Takes::Made { &found.output } else { &found.input };
            match (gives, &node.input) {
                (None, _) => faults.push(Fault::SinkAsParent { node: node.name.clone(), parent: parent.clone() }),
                (Some(gives), Some(takes)) if gives != takes => faults.push(Fault::EdgeType {
                    parent: parent.clone(),
                    gives: gives.name,
                    node: node.name.clone(),
                    takes: takes.name,
                }),
                _ => {}
            }
        }
    }

    fn check_topics(&self, faults: &mut Vec<Fault>) {
        let mut read: Vec<(&Arc<str>, &Arc<str>)> = Vec::new();
        for node in &self.nodes {
            let Kind::Source(SourceTopics::Named(topics)) = &node.kind else { continue };
            if topics.is_empty()
                && !faults.iter().chain(&self.faults).any(|fault| matches!(fault, Fault::Pattern { .. }))
            {
                faults.push(Fault::NoTopics { node: node.name.clone() });
            }
            for topic in topics {
                check_name("topic", topic.name(), faults);
                if let Some((_, first)) = read.iter().find(|(known, _)| *known == topic.name()) {
                    let (topic, first, second) = (topic.name().clone(), (*first).clone(), node.name.clone());
                    faults.push(Fault::TopicReadTwice { topic, first, second });
                }
                read.push((topic.name(), &node.name));
            }
        }
        for node in &self.nodes {
            if let Kind::Sink(super::SinkTopic::Fixed(topic)) = &node.kind {
                check_name("topic", topic.name(), faults);
            }
        }
    }
}

/// Names of topics and stores become parts of paths and of other names.
fn check_name(what: &'static str, name: &Arc<str>, faults: &mut Vec<Fault>) {
    if name_fault(name, 200).is_some() {
        faults.push(Fault::BadName { what, name: name.clone() });
    }
}
