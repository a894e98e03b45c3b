//! Where the verbs of a stream send what they drop.

use super::{Fits, GroupedStream, Stream};
use crate::processor::Takes;
use crate::serde::Data;
use crate::stream::sink::fitted;
use crate::topic::Topic;
use crate::topology::TopologyBuilder;

/// The topics of what the verbs of a stream drop.
pub(super) struct Sides<K: 'static, V: 'static> {
    dropped: Option<Topic<K, V>>,
    late: Option<Topic<K, V>>,
}

impl<K, V> Default for Sides<K, V> {
    fn default() -> Self {
        Sides { dropped: None, late: None }
    }
}

impl<K, V> Clone for Sides<K, V> {
    fn clone(&self) -> Self {
        Sides { dropped: self.dropped.clone(), late: self.late.clone() }
    }
}

impl<K: Data, V: Data> Sides<K, V> {
    /// Late records go to this topic.
    pub(super) fn late_to(self, topic: Topic<K, V>) -> Self {
        Sides { late: Some(topic), ..self }
    }

    /// The same for a node before which nothing is late.
    pub(super) fn before_windows(&self) -> Self {
        Sides { late: None, ..self.clone() }
    }

    /// Adds the sinks of what a node drops that was added before.
    pub(super) fn add_to(&self, node: &str, builder: &mut TopologyBuilder) {
        if let Some(topic) = &self.dropped {
            builder.add_side_sink(Takes::Dropped, node, topic);
        }
        if let Some(topic) = &self.late {
            builder.add_side_sink(Takes::Late, node, topic);
        }
    }
}

impl<K: Data, V: Data> Stream<'_, K, V> {
    /// Writes what the verbs called on the stream that this gives drop to a topic, besides counting it.
    ///
    /// The records are written as they came to the verb, with their keys, values, times and headers; under exactly-once in
    /// one commit with everything else. These verbs drop records: [`skip_nulls`](Self::skip_nulls), joins, groupings with
    /// their aggregations, [`to_table`](Self::to_table), [`deduplicate`](Self::deduplicate), [`repartition`](Self::repartition), and processors of one's own
    /// that call [`drop_record`](crate::processor::NodeContext::drop_record). What a verb gives is a stream of its own,
    /// with nothing said of what is dropped. The topic is one for every reason; [`late_to`](super::WindowedStream::late_to)
    /// keeps late records apart.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const COUNTS: Topic<String, i64> = Topic::of("counts");
    /// const IN: Topic<Option<String>, i64> = Topic::of("in");
    /// const UNKEYED: Topic<Option<String>, i64> = Topic::of("unkeyed");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).dropped_to(&UNKEYED).group_by_key().count().to_stream().to(&COUNTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send(None, 1);
    /// driver.input(&IN).send(Some("b".to_owned()), 2);
    /// assert_eq!(driver.output(&COUNTS).key_values(), [("b".into(), 1)]);
    /// assert_eq!(driver.output(&UNKEYED).values(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "verbs called on what this gives write what they drop; the stream itself does not change"]
    pub fn dropped_to<TK: 'static, TV: 'static>(&self, topic: &Topic<TK, TV>) -> Self
    where
        K: Fits<TK>,
        V: Fits<TV>,
    {
        let dropped = Some(fitted::<K, V, TK, TV>(topic));
        Stream { sides: Sides { dropped, ..self.sides.clone() }, ..self.clone() }
    }
}

impl<K: Data, V: Data> GroupedStream<'_, K, V> {
    /// Writes what the aggregations of this grouping drop to a topic, besides counting it; as
    /// [`Stream::dropped_to`], for streams that `group_by` gave a new key.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const COUNTS: Topic<String, i64> = Topic::of("counts");
    /// const NO_WORD: Topic<Option<String>, String> = Topic::of("no-word");
    /// # let builder = StreamsBuilder::new();
    /// let first_words = |_: &String, text: &String| text.split(' ').next().filter(|word| !word.is_empty()).map(str::to_owned);
    /// builder.stream(&IN).group_by(first_words).dropped_to(&NO_WORD).count().to_stream().to(&COUNTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "pear and plum").send("b", "");
    /// assert_eq!(driver.output(&COUNTS).key_values(), [("pear".into(), 1)]);
    /// assert_eq!(driver.output(&NO_WORD).values(), [""]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the topic belongs to the grouping that this gives"]
    pub fn dropped_to<TK: 'static, TV: 'static>(mut self, topic: &Topic<TK, TV>) -> Self
    where
        K: Fits<TK>,
        V: Fits<TV>,
    {
        self.stream = self.stream.dropped_to(topic);
        self
    }
}
