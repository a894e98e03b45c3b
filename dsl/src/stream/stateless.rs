//! Verbs that look at one record at a time.

use super::Stream;
use super::plan::Effect;
use crate::operator::{Filter, FlatMap, FlatMapValues, ForEach, Map, MapValues, PassOn, Peek, SelectKey, SkipNulls};
use crate::processor::{ProcessError, StreamOf};
use crate::serde::Data;

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Keeps the records for which `predicate` holds.
    ///
    /// Order and times are unchanged. Stores nothing; never repartitions.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).filter(|_key, value| *value > 0).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", -1);
    /// driver.input(&IN).send("b", 2);
    /// assert_eq!(driver.output(&OUT).key_values(), [("b".into(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.try_filter(move |key, value| Ok::<_, ProcessError>(predicate(key, value)))
    }

    /// As [`filter`](Self::filter), with a predicate that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).try_filter(|_key, value| value.parse::<i64>().map(|number| number > 0)).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// assert!(driver.input(&IN).try_send("a", "no number").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_filter<E: Into<ProcessError>>(
        &self,
        predicate: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Self {
        self.passed("KSTREAM-FILTER-", Filter(move |key: &K, value: &V| predicate(key, value).map_err(Into::into)))
    }

    /// Keeps the records for which `predicate` does not hold.
    ///
    /// Order and times are unchanged. Stores nothing; never repartitions.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).filter_not(|_key, value| *value > 0).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", -1);
    /// driver.input(&IN).send("b", 2);
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), -1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !predicate(key, value))
    }

    /// Drops records without key or value, and counts them; from here on the types say that both are there.
    ///
    /// Order and times are unchanged. Stores nothing; never repartitions.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// const IN: Topic<Option<String>, Option<i64>> = Topic::of("in");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).skip_nulls().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send(Some("a".to_owned()), None);
    /// driver.input(&IN).send(Some("b".to_owned()), Some(2));
    /// assert_eq!(driver.output(&OUT).key_values(), [("b".into(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn skip_nulls(&self) -> Stream<'b, K::Plain, V::Plain> {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered("KSTREAM-FILTER-"));
        let sides = self.sides.clone();
        let step = plan.add(name, &[parent], move |plan, builder| {
            let name = plan.name(name);
            builder.add_operator::<StreamOf<K, V>, StreamOf<K::Plain, V::Plain>>(
                &name,
                &[&plan.node(parent)],
                SkipNulls,
            );
            sides.add_to(&name, builder);
        });
        drop(plan);
        self.continued(step, self.rekeyed, (None, None))
    }

    /// Makes a new key and value from each record.
    ///
    /// Order and times are unchanged. Stores nothing; grouping or joining afterwards goes through a repartition topic,
    /// because the key may have changed.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, u64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).map(|_key, value| (value.clone(), value.len() as u64)).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "pear");
    /// assert_eq!(driver.output(&OUT).key_values(), [("pear".into(), 4)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<K2: Data, V2: Data>(
        &self,
        map: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
    ) -> Stream<'b, K2, V2> {
        self.try_map(move |key, value| Ok::<_, ProcessError>(map(key, value)))
    }

    /// As [`map`](Self::map), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).try_map(|key, value| value.parse::<i64>().map(|number| (key.clone(), number))).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "7");
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), 7)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map<K2: Data, V2: Data, E: Into<ProcessError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<(K2, V2), E> + Send + Sync + 'static,
    ) -> Stream<'b, K2, V2> {
        self.then("KSTREAM-MAP-", Map(move |key: &K, value: &V| map(key, value).map_err(Into::into))).rekeyed()
    }

    /// Makes a new value from each record's value.
    ///
    /// Order, times and keys are unchanged. Stores nothing; never repartitions.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).map_values(|value| value * 10).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 4);
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), 40)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values<V2: Data>(&self, map: impl Fn(&V) -> V2 + Send + Sync + 'static) -> Stream<'b, K, V2> {
        self.try_map_values(move |_, value| Ok::<_, ProcessError>(map(value)))
    }

    /// As [`map_values`](Self::map_values), with the key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).map_values_with_key(|key, value| format!("{key}={value}")).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 4);
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), "a=4".into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_with_key<V2: Data>(
        &self,
        map: impl Fn(&K, &V) -> V2 + Send + Sync + 'static,
    ) -> Stream<'b, K, V2> {
        self.try_map_values(move |key, value| Ok::<_, ProcessError>(map(key, value)))
    }

    /// As [`map_values_with_key`](Self::map_values_with_key), with a function that can fail; an error fails the task,
    /// naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).try_map_values(|_key, value| value.parse::<i64>()).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "7");
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), 7)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map_values<V2: Data, E: Into<ProcessError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<V2, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, V2> {
        self.then("KSTREAM-MAPVALUES-", MapValues(move |key: &K, value: &V| map(key, value).map_err(Into::into)))
            .with_serdes((self.serdes.0.clone(), None))
    }

    /// Makes any number of records from each, in the order of the iterator.
    ///
    /// Times are unchanged. Stores nothing; grouping or joining afterwards goes through a repartition topic.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, u64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .flat_map(|_key, line| {
    ///         line.split(' ').map(|word| (word.to_owned(), word.len() as u64)).collect::<Vec<_>>()
    ///     })
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "to be");
    /// assert_eq!(driver.output(&OUT).key_values(), [("to".into(), 2), ("be".into(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flat_map<K2: Data, V2: Data, I: IntoIterator<Item = (K2, V2)> + 'static>(
        &self,
        map: impl Fn(&K, &V) -> I + Send + Sync + 'static,
    ) -> Stream<'b, K2, V2> {
        self.try_flat_map(move |key, value| Ok::<_, ProcessError>(map(key, value)))
    }

    /// As [`flat_map`](Self::flat_map), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .try_flat_map(|key, list| {
    ///         list.split(',').map(|n| Ok((key.clone(), n.parse::<i64>()?))).collect::<Result<Vec<_>, std::num::ParseIntError>>()
    ///     })
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "1,2");
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), 1), ("a".into(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_flat_map<K2: Data, V2: Data, I: IntoIterator<Item = (K2, V2)> + 'static, E: Into<ProcessError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<I, E> + Send + Sync + 'static,
    ) -> Stream<'b, K2, V2> {
        self.then("KSTREAM-FLATMAP-", FlatMap(move |key: &K, value: &V| map(key, value).map_err(Into::into))).rekeyed()
    }

    /// Makes any number of values from each record, under the same key, in the order of the iterator.
    ///
    /// Times are unchanged. Stores nothing; never repartitions.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .flat_map_values(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "to be");
    /// assert_eq!(driver.output(&OUT).values(), ["to", "be"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flat_map_values<V2: Data, I: IntoIterator<Item = V2> + 'static>(
        &self,
        map: impl Fn(&V) -> I + Send + Sync + 'static,
    ) -> Stream<'b, K, V2> {
        self.try_flat_map_values(move |_, value| Ok::<_, ProcessError>(map(value)))
    }

    /// As [`flat_map_values`](Self::flat_map_values), with the key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, u64> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .flat_map_values_with_key(|key, count| (1..=*count).map(|n| format!("{key}-{n}")).collect::<Vec<_>>())
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 2_u64);
    /// assert_eq!(driver.output(&OUT).values(), ["a-1", "a-2"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flat_map_values_with_key<V2: Data, I: IntoIterator<Item = V2> + 'static>(
        &self,
        map: impl Fn(&K, &V) -> I + Send + Sync + 'static,
    ) -> Stream<'b, K, V2> {
        self.try_flat_map_values(move |key, value| Ok::<_, ProcessError>(map(key, value)))
    }

    /// As [`flat_map_values_with_key`](Self::flat_map_values_with_key), with a function that can fail; an error fails the
    /// task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .try_flat_map_values(|_key, list| list.split(',').map(str::parse).collect::<Result<Vec<i64>, _>>())
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "1,2");
    /// assert_eq!(driver.output(&OUT).values(), [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_flat_map_values<V2: Data, I: IntoIterator<Item = V2> + 'static, E: Into<ProcessError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<I, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, V2> {
        self.then(
            "KSTREAM-FLATMAPVALUES-",
            FlatMapValues(move |key: &K, value: &V| map(key, value).map_err(Into::into)),
        )
        .with_serdes((self.serdes.0.clone(), None))
    }

    /// Gives each record a new key.
    ///
    /// Order, times and values are unchanged. Stores nothing; grouping or joining afterwards goes through a repartition
    /// topic.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<u64, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).select_key(|_key, value| value.len() as u64).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "pear");
    /// assert_eq!(driver.output(&OUT).key_values(), [(4, "pear".into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn select_key<K2: Data>(&self, select: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> Stream<'b, K2, V> {
        self.try_select_key(move |key, value| Ok::<_, ProcessError>(select(key, value)))
    }

    /// As [`select_key`](Self::select_key), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<i64, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).try_select_key(|_key, value| value.parse::<i64>()).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "7");
    /// assert_eq!(driver.output(&OUT).key_values(), [(7, "7".into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_select_key<K2: Data, E: Into<ProcessError>>(
        &self,
        select: impl Fn(&K, &V) -> Result<K2, E> + Send + Sync + 'static,
    ) -> Stream<'b, K2, V> {
        self.then("KSTREAM-KEY-SELECT-", SelectKey(move |key: &K, value: &V| select(key, value).map_err(Into::into)))
            .rekeyed()
            .with_serdes((None, self.serdes.1.clone()))
    }

    /// Looks at each record and passes it on.
    ///
    /// Order and times are unchanged. Stores nothing. After a crash `look` sees again the records since the last commit.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).peek(|key, value| println!("{key}: {value}")).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.output(&OUT).values(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peek(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        self.try_peek(move |key, value| {
            look(key, value);
            Ok::<_, ProcessError>(())
        })
    }

    /// As [`peek`](Self::peek), with a function that can fail; an error fails the task, naming the record: a check.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let check = |_key: &String, value: &i64| if *value < 0 { Err("a negative amount") } else { Ok(()) };
    /// builder.stream(&IN).try_peek(check).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert!(driver.input(&IN).try_send("a", -1).is_err());
    /// assert_eq!(driver.output(&OUT).values(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_peek<E: Into<ProcessError>>(
        &self,
        look: impl Fn(&K, &V) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.passed("KSTREAM-PEEK-", Peek(move |key: &K, value: &V| look(key, value).map_err(Into::into)))
    }

    /// Ends the stream with an effect. After a crash `act` sees again the records since the last commit.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).for_each(|key, value| println!("{key}: {value}"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_each(&self, act: impl Fn(&K, &V) + Send + Sync + 'static) {
        self.try_for_each(move |key, value| {
            act(key, value);
            Ok::<_, ProcessError>(())
        });
    }

    /// As [`for_each`](Self::for_each), with an effect that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).try_for_each(|_key, value| if *value < 0 { Err("negative") } else { Ok(()) });
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// assert!(driver.input(&IN).try_send("a", -1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_for_each<E: Into<ProcessError>>(&self, act: impl Fn(&K, &V) -> Result<(), E> + Send + Sync + 'static) {
        let _end: Self =
            self.then("KSTREAM-FOREACH-", ForEach(move |key: &K, value: &V| act(key, value).map_err(Into::into)));
    }

    /// The records of both streams. Between the two there is no order; each keeps its own.
    ///
    /// Stores nothing; never repartitions.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const A: Topic<String, i64> = Topic::of("a");
    /// # const B: Topic<String, i64> = Topic::of("b");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&A).merge(&builder.stream(&B)).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&B).send("x", 1);
    /// driver.input(&A).send("x", 2);
    /// assert_eq!(driver.output(&OUT).values(), [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge(&self, other: &Stream<'b, K, V>) -> Self {
        if !self.check_builder(other.builder, "merge") {
            return self.clone();
        }
        let mut plan = self.builder.plan();
        let (left, right, name) = (self.step, other.step, plan.names.numbered("KSTREAM-MERGE-"));
        let step = plan.add(name, &[left, right], move |plan, builder| {
            let parents = [&*plan.node(left), &*plan.node(right)];
            builder.add_operator::<StreamOf<K, V>, StreamOf<K, V>>(&plan.name(name), &parents, PassOn);
        });
        plan.set_effect(step, Effect::Merges);
        drop(plan);
        let rekeyed = self.rekeyed || other.rekeyed;
        let merged = self.continued(step, rekeyed, self.serdes.clone());
        Stream { sources: self.sources.and(&other.sources), ..merged }
    }
}
