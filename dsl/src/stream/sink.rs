//! Verbs that write a stream to a topic.

use super::names::NameId;
use super::{Fits, Produced, Stream, StreamsBuilder};
use crate::processor::ProcessError;
use crate::record::{Partitioner, Partitions};
use crate::serde::{Data, SerdeRef};
use crate::topic::Topic;
use crate::topology::{RecordContext, Sink};

/// The end of a stream that was written to a topic; it can still be named.
pub struct Sunk<'b> {
    builder: &'b StreamsBuilder,
    name: NameId,
}

impl Sunk<'_> {
    /// Gives the sink a name of its own, in place of a numbered one.
    pub fn named(self, name: &str) {
        self.builder.plan().names.give(self.name, name);
    }
}

/// A boxed partitioner is one.
struct Chosen<K, V>(Box<dyn Partitioner<K, V>>);

impl<K: 'static, V: 'static> Partitioner<K, V> for Chosen<K, V> {
    fn partitions(&self, bytes: Option<&[u8]>, key: &K, value: &V, count: u32) -> Partitions {
        self.0.partitions(bytes, key, value, count)
    }
}

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Writes the records to a topic, which is created when the application starts, unless its settings say otherwise.
    ///
    /// A record goes to the partition of its key (murmur2 of its bytes, as Kafka's producers do) and keeps its time and
    /// headers. Under exactly-once others see it when the commit is through. A stream of `Option<V>` fits into a topic of
    /// `V`: the absent value is written as null.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).to(&OUT).named("results");
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(5).send("a", 1);
    /// assert_eq!(driver.output(&OUT).records()[0].timestamp.as_millis(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to<TK: 'static, TV: 'static>(&self, topic: &Topic<TK, TV>) -> Sunk<'b>
    where
        K: Fits<TK>,
        V: Fits<TV>,
    {
        self.sink(Sink::topic(&fitted::<K, V, TK, TV>(topic)))
    }

    /// As [`to`](Self::to), with options.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use tidemill_dsl::record::Partitions;
    /// use tidemill_dsl::stream::Produced;
    ///
    /// # let builder = StreamsBuilder::new();
    /// // Everything into the last partition.
    /// let last = |_bytes: Option<&[u8]>, _key: &String, _value: &i64, count: u32| Partitions::one(count - 1);
    /// builder.stream(&IN).to_with(&OUT, Produced::partitioner(last));
    /// let mut driver = TestDriver::new(&builder.build()?).partitions("out", 4);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.take_raw("out")[0].partition, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_with<TK: 'static, TV: 'static>(&self, topic: &Topic<TK, TV>, produced: Produced<K, V>) -> Sunk<'b>
    where
        K: Fits<TK>,
        V: Fits<TV>,
    {
        self.sink(Sink::topic(&fitted::<K, V, TK, TV>(topic)).partitioner(Chosen(produced.partitioner)))
    }

    /// Writes each record to the topic that `choose` names; it must exist.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const EVEN: Topic<String, i64> = Topic::of("even");
    /// use tidemill_dsl::serde::SerdeRef;
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).to_chosen(
    ///     |_key, value, _context| if value % 2 == 0 { "even".into() } else { "odd".into() },
    ///     &SerdeRef::of(),
    ///     &SerdeRef::of(),
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 2);
    /// assert_eq!(driver.output(&EVEN).values(), [2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_chosen(
        &self,
        choose: impl Fn(&K, &V, RecordContext<'_>) -> String + Send + Sync + 'static,
        key: &SerdeRef<K>,
        value: &SerdeRef<V>,
    ) -> Sunk<'b> {
        self.try_to_chosen(move |key, value, context| Ok::<_, ProcessError>(choose(key, value, context)), key, value)
    }

    /// As [`to_chosen`](Self::to_chosen), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out-a");
    /// use tidemill_dsl::serde::SerdeRef;
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).try_to_chosen(
    ///     |key, _value, _context| if key.is_empty() { Err("no name") } else { Ok(format!("out-{key}")) },
    ///     &SerdeRef::of(),
    ///     &SerdeRef::of(),
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 2);
    /// assert_eq!(driver.output(&OUT).values(), [2]);
    /// assert!(driver.input(&IN).try_send("", 2).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_to_chosen<E: Into<ProcessError>>(
        &self,
        choose: impl Fn(&K, &V, RecordContext<'_>) -> Result<String, E> + Send + Sync + 'static,
        key: &SerdeRef<K>,
        value: &SerdeRef<V>,
    ) -> Sunk<'b> {
        self.sink(Sink::chosen(choose, key, value))
    }

    fn sink(&self, sink: Sink<K, V>) -> Sunk<'b> {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered("KSTREAM-SINK-"));
        plan.add(name, &[parent], move |plan, builder| {
            builder.add_sink(&plan.name(name), &[&plan.node(parent)], sink);
        });
        drop(plan);
        Sunk { builder: self.builder, name }
    }
}

/// The topic as one of the stream's own types.
pub(super) fn fitted<K: Fits<TK>, V: Fits<TV>, TK: 'static, TV: 'static>(topic: &Topic<TK, TV>) -> Topic<K, V> {
    Topic::new(topic.name(), K::serde(topic.key_serde()), V::serde(topic.value_serde()))
}
