//! Streams grouped by key, ready to be aggregated.

use std::cell::Cell;
use std::rc::Rc;

use super::plan::StepId;
use super::repartition::{Repartition, plan_repartition};
use super::stream_type::Sources;
use super::{Grouped, Stream};
use crate::operator::SelectKey;
use crate::processor::{ProcessError, StreamOf};
use crate::serde::Data;

/// A stream whose records with equal keys meet. Its verbs are `count`, `reduce`, `aggregate` and `cogroup`.
pub struct GroupedStream<'b, K: 'static, V: 'static> {
    pub(super) stream: Stream<'b, K, V>,
    /// The name that the repartition topic is called after, if there is one.
    base: Option<super::names::NameId>,
    /// The repartition topic that a named grouping shares between its aggregations.
    shared: Rc<Cell<Option<StepId>>>,
}

impl<K, V> Clone for GroupedStream<'_, K, V> {
    /// A clone is the same grouping: a repartition topic that it has is shared.
    fn clone(&self) -> Self {
        GroupedStream { stream: self.stream.clone(), base: self.base, shared: self.shared.clone() }
    }
}

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Groups by the key.
    ///
    /// If the key may have changed, the records go through a repartition topic first; [`named`](GroupedStream::named)
    /// names it. Records without key or value are dropped by the aggregation and counted.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().count().to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 7);
    /// driver.input(&IN).send("a", 8);
    /// assert_eq!(driver.output(&OUT).values(), [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by_key(&self) -> GroupedStream<'b, K, V> {
        GroupedStream { stream: self.clone(), base: None, shared: Rc::default() }
    }

    /// As [`group_by_key`](Self::group_by_key), with serdes for the repartition topic.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use tidemill_dsl::serde::SerdeRef;
    /// use tidemill_dsl::stream::Grouped;
    ///
    /// # let builder = StreamsBuilder::new();
    /// let grouped = Grouped::with(SerdeRef::json(), SerdeRef::json()); // JSON in the repartition topic
    /// builder
    ///     .stream(&IN)
    ///     .select_key(|_key, _value| "all".to_owned())
    ///     .group_by_key_with(grouped)
    ///     .reduce(|sum, value| sum + value)
    ///     .to_stream()
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// driver.input(&IN).send("b", 2);
    /// assert_eq!(driver.output(&OUT).values(), [1, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by_key_with(&self, grouped: Grouped<K, V>) -> GroupedStream<'b, K, V> {
        self.clone().with_serdes((grouped.key, grouped.value)).group_by_key()
    }

    /// Groups by a new key. The records go through a repartition topic; [`named`](GroupedStream::named) names it.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<u64, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by(|_key, word| word.len() as u64).named("by-length").count().to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "pear");
    /// driver.input(&IN).send("b", "plum");
    /// assert_eq!(driver.output(&OUT).key_values(), [(4, 1), (4, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by<K2: Data>(
        &self,
        select: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
    ) -> GroupedStream<'b, K2, V> {
        self.try_group_by(move |key, value| Ok::<_, ProcessError>(select(key, value)))
    }

    /// As [`group_by`](Self::group_by), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const COUNTS: Topic<u32, i64> = Topic::of("counts");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).try_group_by(|_key, value| value.parse::<u32>()).count().to_stream().to(&COUNTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "7");
    /// assert_eq!(driver.output(&COUNTS).key_values(), [(7, 1)]);
    /// assert!(driver.input(&IN).try_send("a", "seven").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_group_by<K2: Data, E: Into<ProcessError>>(
        &self,
        select: impl Fn(&K, &V) -> Result<K2, E> + Send + Sync + 'static,
    ) -> GroupedStream<'b, K2, V> {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered("KSTREAM-KEY-SELECT-"));
        let select = SelectKey(move |key: &K, value: &V| select(key, value).map_err(Into::into));
        let step = plan.add(name, &[parent], move |plan, builder| {
            builder.add_operator::<StreamOf<K, V>, StreamOf<K2, V>>(&plan.name(name), &[&plan.node(parent)], select);
        });
        drop(plan);
        let stream = self.continued(step, true, (None, self.serdes.1.clone())).rekeyed();
        GroupedStream { stream, base: Some(name), shared: Rc::default() }
    }
}

impl<'b, K: Data, V: Data> GroupedStream<'b, K, V> {
    /// Names the grouping: the repartition topic, if there is one, is `<application>-<name>-repartition`, and all
    /// aggregations of this grouping share it.
    #[must_use = "the name belongs to the grouping"]
    pub fn named(mut self, name: &str) -> Self {
        let mut plan = self.stream.builder.plan();
        match self.base {
            // The node that selects the key is called like the grouping, as in Kafka Streams.
            Some(base) => plan.names.give(base, name),
            None => self.base = Some(plan.names.fixed(name)),
        }
        drop(plan);
        self
    }

    /// Serdes for the repartition topic, in place of those that the types or the source have.
    #[must_use]
    pub fn with(self, grouped: Grouped<K, V>) -> Self {
        GroupedStream { stream: self.stream.with_serdes((grouped.key, grouped.value)), ..self }
    }

    /// The step that an aggregation connects to, behind a repartition topic if the key may have changed; and its sources.
    pub(super) fn placed(&self, store: super::names::NameId) -> (StepId, Sources) {
        if !self.stream.rekeyed {
            return (self.stream.step, self.stream.sources.clone());
        }
        let mut plan = self.stream.builder.plan();
        let named = self.base.filter(|base| plan.names.is_given(*base));
        if let (Some(_), Some(shared)) = (named, self.shared.get()) {
            // Kafka Streams numbers the nodes of the topic again, and makes none.
            (0..3).for_each(|_| plan.names.burn());
            return (shared, Sources::one(shared));
        }
        // Without a name of its own the topic is called after the store.
        let base = named.unwrap_or(store);
        let step = plan_repartition(&mut plan, self.stream.step, Repartition::of(&self.stream, base));
        self.shared.set(Some(step));
        (step, Sources::one(step))
    }
}
