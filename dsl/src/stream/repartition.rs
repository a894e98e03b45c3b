//! Sends a stream through a topic of its own, so that equal keys meet in one task.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use super::names::NameId;
use super::plan::{Plan, StepId};
use super::sides::Sides;
use super::stream_type::{KnownSerdes, Sources, serde_for};
use super::{Repartitioned, Stream};
use crate::operator::NonNullKey;
use crate::processor::StreamOf;
use crate::serde::{Data, SerdeRef};
use crate::topology::{Sink, Source, TopologyBuilder};

/// A repartition topic to be planned.
pub(super) struct Repartition<K: 'static, V: 'static> {
    /// The name before `-repartition`.
    pub(super) base: NameId,
    pub(super) serdes: KnownSerdes<K, V>,
    pub(super) partitions: Option<u32>,
    /// Whether the topic may be merged with others: not if it was asked for by `repartition`.
    pub(super) movable: bool,
    /// Where records go that have no key.
    pub(super) sides: Sides<K, V>,
}

impl<K: Data, V: Data> Repartition<K, V> {
    /// A topic of a stream for what needs keys, with as many partitions as there are upstream.
    pub(super) fn of(stream: &Stream<'_, K, V>, base: NameId) -> Self {
        Repartition::new(base, &stream.serdes, stream.sides.before_windows())
    }

    /// As `of`, with these serdes.
    pub(super) fn new(base: NameId, serdes: &KnownSerdes<K, V>, sides: Sides<K, V>) -> Self {
        Repartition { base, serdes: serdes.clone(), partitions: None, movable: true, sides }
    }
}

/// A repartition topic in the plan, whatever its types are.
pub(super) struct PlannedTopic {
    pub(super) base: NameId,
    sink: NameId,
    filter: NameId,
    source: NameId,
    /// Whether it may be merged with others.
    pub(super) movable: bool,
    /// Unless this join has a name of its own, the topic is not made, and that of this step is read.
    pub(super) shares: Option<(NameId, StepId)>,
    /// `KnownSerdes` of the topic's types.
    serdes: Box<dyn Any>,
    add: Box<AddNodes>,
    pub(super) add_sides: Rc<AddSides>,
}

/// Adds the nodes of a topic, given the serdes that are known for it, the best first.
type AddNodes = dyn FnOnce(&[Box<dyn Any>], &str, TopicNodes, NonNullKey, &mut TopologyBuilder);

/// Adds the sinks of what the filter drops, given its name.
pub(super) type AddSides = dyn Fn(&str, &mut TopologyBuilder);

/// What the nodes of a repartition topic are called.
pub(super) struct TopicNodes {
    topic: String,
    pub(super) filter: Arc<str>,
    sink: Arc<str>,
    source: Arc<str>,
}

impl TopicNodes {
    /// All called after the topic: where several topics became one.
    pub(super) fn called_after(base: &str) -> Self {
        let topic = topic_name(base);
        let (filter, sink) = (format!("{topic}-filter").into(), format!("{topic}-sink").into());
        TopicNodes { filter, sink, source: TopicNodes::source_of(base), topic }
    }

    /// The source of a topic whose nodes are called after it.
    pub(super) fn source_of(base: &str) -> Arc<str> {
        format!("{}-source", topic_name(base)).into()
    }
}

fn topic_name(base: &str) -> String {
    format!("{base}-repartition")
}

impl PlannedTopic {
    /// The names that its nodes were given.
    pub(super) fn nodes(&self, plan: &Plan) -> TopicNodes {
        TopicNodes {
            topic: topic_name(&plan.name(self.base)),
            filter: plan.name(self.filter),
            sink: plan.name(self.sink),
            source: plan.name(self.source),
        }
    }

    /// Adds the one topic that all these are, with the first serdes that are known.
    pub(super) fn add(
        topics: Vec<Self>,
        parent: &str,
        nodes: TopicNodes,
        filter: NonNullKey,
        to: &mut TopologyBuilder,
    ) {
        let mut serdes = Vec::new();
        let mut first = None;
        for topic in topics {
            serdes.push(topic.serdes);
            first.get_or_insert(topic.add);
        }
        if let Some(add) = first {
            add(&serdes, parent, nodes, filter, to);
        }
    }
}

/// Adds sink, filter and source of a repartition topic; the step's output is the source.
pub(super) fn plan_repartition<K: Data, V: Data>(plan: &mut Plan, parent: StepId, topic: Repartition<K, V>) -> StepId {
    let topic = planned(plan, topic);
    plan.add_topic(topic.source, parent, topic)
}

/// As [`plan_repartition`], for a join: unless that has a name of its own, it shares the topic of an earlier join of the same
/// stream, as in Kafka Streams.
pub(super) fn plan_join_repartition<K: Data, V: Data>(
    plan: &mut Plan,
    parent: StepId,
    join: NameId,
    topic: Repartition<K, V>,
) -> StepId {
    let there = plan.joined.iter().rfind(|(stream, _)| *stream == parent).map(|(_, source)| *source);
    let topic = PlannedTopic { shares: there.map(|there| (join, there)), ..planned(plan, topic) };
    let step = plan.add_topic(topic.source, parent, topic);
    plan.joined.push((parent, step));
    step
}

/// Takes the names of the three nodes, and says how they are made.
fn planned<K: Data, V: Data>(plan: &mut Plan, topic: Repartition<K, V>) -> PlannedTopic {
    let Repartition { base, serdes, partitions, movable, sides } = topic;
    // In this order Kafka Streams gives them their numbers.
    let sink = plan.names.after_topic(base, "-repartition-sink", "KSTREAM-SINK-");
    let filter = plan.names.after_topic(base, "-repartition-filter", "KSTREAM-FILTER-");
    let source = plan.names.after_topic(base, "-repartition-source", "KSTREAM-SOURCE-");
    plan.persistent.push(base);
    let key_or_own = serde_for(plan, serdes.0.clone(), "key of a repartition topic");
    let value_or_own = serde_for(plan, serdes.1.clone(), "value of a repartition topic");
    let add = move |known: &[Box<dyn Any>], parent: &str, nodes: TopicNodes, filter, builder: &mut TopologyBuilder| {
        let known = || known.iter().filter_map(|serdes| serdes.downcast_ref::<KnownSerdes<K, V>>());
        let key: Option<SerdeRef<K>> = known().find_map(|(key, _)| key.clone()).or(key_or_own);
        let value: Option<SerdeRef<V>> = known().find_map(|(_, value)| value.clone()).or(value_or_own);
        // Without a serde the plan has a fault already.
        let (Some(key), Some(value)) = (key, value) else { return };
        builder.add_operator::<StreamOf<K, V>, StreamOf<K, V>>(&nodes.filter, &[parent], filter);
        builder.add_sink(&nodes.sink, &[&nodes.filter], Sink::internal(&nodes.topic, &key, &value));
        builder.add_source(&nodes.source, Source::internal(&nodes.topic, &key, &value));
        if let Some(partitions) = partitions {
            builder.partitions.push((nodes.topic.into(), partitions));
        }
    };
    PlannedTopic {
        base,
        sink,
        filter,
        source,
        movable,
        shares: None,
        serdes: Box::new(serdes),
        add: Box::new(add),
        add_sides: Rc::new(move |filter, builder| sides.add_to(filter, builder)),
    }
}

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Sends the stream through a topic of its own, placed by the key: equal keys meet in one task.
    ///
    /// Name it with [`named`](Self::named): the topic is `<application>-<name>-repartition`. Times are unchanged; between
    /// records of different partitions upstream there is no order. Records without a key are dropped and counted, unless a left
    /// join below has a use for them.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).select_key(|_key, value| value.clone()).repartition().named("by-value").to(&OUT);
    /// # let topology = builder.build()?;
    /// # let mut driver = TestDriver::new(&topology);
    /// driver.input(&IN).send("a", "x");
    /// assert_eq!(driver.output(&OUT).key_values(), [("x".into(), "x".into())]);
    /// assert!(topology.describe().contains("topic: by-value-repartition"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn repartition(&self) -> Self {
        self.repartition_with(Repartitioned::default())
    }

    /// As [`repartition`](Self::repartition), with a number of partitions or serdes.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use tidemill_dsl::stream::Repartitioned;
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).repartition_with(Repartitioned::default().partitions(3)).named("spread").to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.output(&OUT).values(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn repartition_with(&self, options: Repartitioned<K, V>) -> Self {
        let mut plan = self.builder.plan();
        let base = plan.names.numbered_if_needed("KSTREAM-REPARTITION-");
        let serdes = (options.key.or(self.serdes.0.clone()), options.value.or(self.serdes.1.clone()));
        let topic = Repartition {
            partitions: options.partitions,
            movable: false,
            ..Repartition::new(base, &serdes, self.sides.clone())
        };
        let step = plan_repartition(&mut plan, self.step, topic);
        plan.rename_to(step, base);
        drop(plan);
        Stream { sources: Sources::one(step), ..self.continued(step, false, serdes) }
    }
}
