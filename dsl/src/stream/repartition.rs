//! Sends a stream through a topic of its own, so that equal keys meet in one task.

use super::names::NameId;
use super::plan::{Plan, StepId};
use super::stream_type::{KnownSerdes, Sources, serde_for};
use super::{Repartitioned, Stream};
use crate::operator::NonNullKey;
use crate::processor::StreamOf;
use crate::serde::Data;
use crate::topology::{Sink, Source, TopologyBuilder};

/// A repartition topic to be planned.
pub(super) struct Repartition<K: 'static, V: 'static> {
    /// The name before `-repartition`.
    pub(super) base: NameId,
    pub(super) serdes: KnownSerdes<K, V>,
    /// Whether records without a key go through.
    pub(super) keep_null_keys: bool,
    pub(super) partitions: Option<u32>,
}

impl<K, V> Repartition<K, V> {
    /// A topic for what needs keys, with as many partitions as there are upstream.
    pub(super) fn new(base: NameId, serdes: &KnownSerdes<K, V>) -> Self {
        Repartition { base, serdes: serdes.clone(), keep_null_keys: false, partitions: None }
    }
}

/// Adds sink, filter and source of a repartition topic; the step's output is the source.
pub(super) fn plan_repartition<K: Data, V: Data>(plan: &mut Plan, parent: StepId, topic: Repartition<K, V>) -> StepId {
    let (lower, source) = lower_repartition(plan, parent, topic);
    plan.add(source, lower)
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
    let step = match there {
        None => plan_repartition(plan, parent, topic),
        Some(there) => {
            let persistent = plan.persistent.len();
            let (lower, own) = lower_repartition(plan, parent, topic);
            // Where it is shared the topic is listed already, and else it has a name.
            plan.persistent.truncate(persistent);
            let source = plan.names.shared(join, own, plan.output(there));
            plan.add(source, move |plan, builder| {
                if plan.names.is_given(join) {
                    lower(plan, builder);
                }
            })
        }
    };
    plan.joined.push((parent, step));
    step
}

/// Takes the names of the three nodes, and says how they are made.
fn lower_repartition<K: Data, V: Data>(
    plan: &mut Plan,
    parent: StepId,
    topic: Repartition<K, V>,
) -> (impl FnOnce(&Plan, &mut TopologyBuilder) + 'static, NameId) {
    let Repartition { base, serdes, keep_null_keys, partitions } = topic;
    // In this order Kafka Streams gives them their numbers.
    let sink = plan.names.after_topic(base, "-repartition-sink", "KSTREAM-SINK-");
    let filter = plan.names.after_topic(base, "-repartition-filter", "KSTREAM-FILTER-");
    let source = plan.names.after_topic(base, "-repartition-source", "KSTREAM-SOURCE-");
    plan.persistent.push(base);
    let key = serde_for(plan, serdes.0, "key of a repartition topic");
    let value = serde_for(plan, serdes.1, "value of a repartition topic");
    let lower = move |plan: &Plan, builder: &mut TopologyBuilder| {
        // Without a serde the plan has a fault already.
        let (Some(key), Some(value)) = (key, value) else { return };
        let topic = format!("{}-repartition", plan.name(base));
        let filter = plan.name(filter);
        let keep_null = NonNullKey { keep_null: keep_null_keys };
        builder.add_operator::<StreamOf<K, V>, StreamOf<K, V>>(&filter, &[&plan.node(parent)], keep_null);
        builder.add_sink(&plan.name(sink), &[&filter], Sink::internal(&topic, &key, &value));
        builder.add_source(&plan.name(source), Source::internal(&topic, &key, &value));
        if let Some(partitions) = partitions {
            builder.partitions.push((topic.into(), partitions));
        }
    };
    (lower, source)
}

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Sends the stream through a topic of its own, placed by the key: equal keys meet in one task.
    ///
    /// Name it with [`named`](Self::named): the topic is `<application>-<name>-repartition`. Times are unchanged; between
    /// records of different partitions upstream there is no order. Records without a key are dropped and counted.
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
        let topic = Repartition { partitions: options.partitions, ..Repartition::new(base, &serdes) };
        let step = plan_repartition(&mut plan, self.step, topic);
        plan.rename_to(step, base);
        drop(plan);
        Stream { sources: Sources::one(step), ..self.continued(step, false, serdes) }
    }
}
