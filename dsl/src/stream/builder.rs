//! Where streams and tables begin, and where the program ends.

use std::cell::RefCell;
use std::sync::Arc;

use super::optimization::Optimization;
use super::plan::Plan;
use super::sides::Sides;
use super::stream_type::Sources;
use super::table::{self, Table};
use super::{Consumed, IntoMaterialized, Materialized, Stream};
use crate::processor::ProcessorWrapper;
use crate::serde::{Data, Nullable, SerdeRef};
use crate::state::StoreSpec;
use crate::topic::Topic;
use crate::topology::{Fault, Source, TimestampExtractor, Topology, TopologyErrors};

/// Whether names that reach the disk may come from the counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// They may. They move when an operator is added upstream, and state under the old name is orphaned.
    #[default]
    Numbered,
    /// They may not: `build` refuses a store or repartition topic without a name of its own (KIP-1111).
    Explicit,
}

/// What the rows of tables keep besides value and time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreFormat {
    /// Nothing.
    #[default]
    Plain,
    /// A place for headers, as with `dsl.store.format=HEADERS` (KIP-1271). The tables of Kafka Streams 4.3 leave it empty, and
    /// so do these.
    Headers,
    /// In the same bytes, the headers of the record that wrote the row.
    RecordHeaders,
}

/// Builds a topology from streams and tables. They borrow the builder; [`build`](StreamsBuilder::build) ends it.
///
/// ```
/// use tidemill_dsl::{Topic, stream::StreamsBuilder};
///
/// const WORDS: Topic<String, String> = Topic::of("words");
/// const LENGTHS: Topic<String, u64> = Topic::of("lengths");
///
/// let builder = StreamsBuilder::new();
/// builder.stream(&WORDS).map_values(|word| word.len() as u64).to(&LENGTHS);
/// let topology = builder.build()?;
/// # Ok::<(), tidemill_dsl::topology::TopologyErrors>(())
/// ```
#[derive(Default)]
pub struct StreamsBuilder {
    plan: RefCell<Plan>,
    naming: Naming,
    wrapper: Option<Arc<dyn ProcessorWrapper>>,
}

impl StreamsBuilder {
    /// An empty program.
    pub fn new() -> Self {
        StreamsBuilder::default()
    }

    /// Says whether names that reach the disk may come from the counter.
    #[must_use]
    pub fn naming(self, naming: Naming) -> Self {
        StreamsBuilder { naming, ..self }
    }

    /// Asks for a rewrite of the topology; further calls add to it.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// use tidemill_dsl::stream::Optimization;
    ///
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// let builder = StreamsBuilder::new().optimize(Optimization::MergeRepartitions);
    /// let by_value = builder.stream(&IN).select_key(|_key, value| value.clone());
    /// by_value.group_by_key().named("by-value").count();
    /// by_value.group_by_key().named("again").reduce(|_, last| last.clone());
    /// let topology = builder.build()?;
    /// assert!(topology.describe().contains("topic: by-value-repartition"));
    /// assert!(!topology.describe().contains("topic: again-repartition")); // it reads the other one
    /// # Ok::<(), tidemill_dsl::topology::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn optimize(mut self, optimization: Optimization) -> Self {
        self.plan.get_mut().optimizations.add(optimization);
        self
    }

    /// Says what the rows of tables keep, windows and sessions included. What comes out is the same; a processor reads the
    /// headers by
    /// [`get_with_headers`](crate::state::StoreReader::get_with_headers).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::record::Headers;
    /// use tidemill_dsl::state::Store;
    /// use tidemill_dsl::stream::StoreFormat;
    ///
    /// const COUNTS: Store<String, i64> = Store::of("counts");
    /// # let builder = StreamsBuilder::new();
    /// let builder = builder.store_format(StoreFormat::RecordHeaders);
    /// builder.stream(&IN).group_by_key().count_with(&COUNTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// let headers = Headers::default().with("trace", "7");
    /// driver.input(&IN).headers(headers.clone()).send("a", 1);
    /// assert_eq!(driver.store(&COUNTS).get_with_headers("a"), Some((1, headers)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn store_format(self, format: StoreFormat) -> Self {
        self.plan.borrow_mut().store_format = format;
        self
    }

    /// Puts code of the application's own around every processor, those of the verbs included (KIP-1112): for logs,
    /// measurements, checks. A builder has one wrapper.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// use std::collections::BTreeMap;
    /// use std::sync::{Arc, Mutex};
    ///
    /// use tidemill_dsl::processor::{CallReason, Flow, ProcessorCall};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    ///
    /// // How many records reach each node.
    /// let counts = Arc::new(Mutex::new(BTreeMap::<String, u64>::new()));
    /// let counted = counts.clone();
    /// let count = move |call: &ProcessorCall<'_>, run: &mut dyn FnMut() -> Flow| {
    ///     if call.reason == CallReason::Item {
    ///         *counted.lock().unwrap().entry(call.node.to_owned()).or_default() += 1;
    ///     }
    ///     run()
    /// };
    /// let builder = StreamsBuilder::new().wrap_processors(count);
    /// builder.stream(&IN).filter(|_, value| *value > 0).named("positive").map_values(|value| value * 2).named("double").to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1).send("a", -1);
    /// assert_eq!(*counts.lock().unwrap(), BTreeMap::from([("double".into(), 1), ("positive".into(), 2)]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn wrap_processors(self, wrapper: impl ProcessorWrapper) -> Self {
        StreamsBuilder { wrapper: Some(Arc::new(wrapper)), ..self }
    }

    /// The records of a topic.
    ///
    /// Order: as in the topic, partition by partition. Time: the stored time; a negative one fails the task. Stores nothing.
    /// A null key or value where the topic's type has no `Option` fails the task. Reading a topic twice gives one source.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// use tidemill_testkit::TestDriver;
    ///
    /// const IN: Topic<String, i64> = Topic::of("in");
    /// const OUT: Topic<String, i64> = Topic::of("out");
    /// let builder = StreamsBuilder::new();
    /// builder.stream(&IN).to(&OUT);
    ///
    /// let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream<K: Data, V: Data>(&self, topic: &Topic<K, V>) -> Stream<'_, K, V> {
        self.source(vec![topic.name().to_owned()], Source::topic(topic))
    }

    /// As [`stream`](Self::stream), with options. A topic has one source, so they belong where it is read first: `build`
    /// refuses options that come later.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use tidemill_dsl::record::Timestamp;
    /// use tidemill_dsl::stream::Consumed;
    /// use tidemill_dsl::topology::TimestampExtractor;
    ///
    /// # let builder = StreamsBuilder::new();
    /// // The value is the time.
    /// let times = TimestampExtractor::custom(|record, _partition_time| Timestamp::from_millis(*record.value));
    /// builder.stream_with(&IN, Consumed::timestamps(times)).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(5).send("a", 70);
    /// assert_eq!(driver.output(&OUT).records()[0].timestamp.as_millis(), 70);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream_with<K: Data, V: Data>(&self, topic: &Topic<K, V>, consumed: Consumed<K, V>) -> Stream<'_, K, V> {
        let source = Source { reset: consumed.reset, ..Source::topic(topic).timestamps(consumed.timestamps) };
        self.source(vec![topic.name().to_owned()], source)
    }

    /// The records of several topics of the same types, through one source.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// const NORTH: Topic<String, i64> = Topic::of("north");
    /// const SOUTH: Topic<String, i64> = Topic::of("south");
    /// # let builder = StreamsBuilder::new();
    /// builder.streams(&NORTH, &[&SOUTH]).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&SOUTH).send("a", 1);
    /// driver.input(&NORTH).send("a", 2);
    /// assert_eq!(driver.output(&OUT).values(), [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn streams<K: Data, V: Data>(&self, first: &Topic<K, V>, others: &[&Topic<K, V>]) -> Stream<'_, K, V> {
        let names = std::iter::once(first).chain(others.iter().copied()).map(|topic| topic.name().to_owned()).collect();
        self.source(names, Source::topics(first, others))
    }

    /// The records of every topic whose whole name matches a regular expression when the application starts.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use tidemill_dsl::serde::SerdeRef;
    ///
    /// const NORTH: Topic<String, i64> = Topic::of("shop-north");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream_matching(r"shop-\w+", &SerdeRef::<String>::of(), &SerdeRef::<i64>::of()).to(&OUT);
    /// let mut driver = TestDriver::new(&builder.build()?).partitions("shop-north", 1);
    /// driver.input(&NORTH).send("a", 1);
    /// assert_eq!(driver.output(&OUT).values(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream_matching<K: Data, V: Data>(
        &self,
        pattern: &str,
        key: &SerdeRef<K>,
        value: &SerdeRef<V>,
    ) -> Stream<'_, K, V> {
        self.source(vec![format!("/{pattern}/")], Source::matching(pattern, key, value))
    }

    fn source<K: Data, V: Data>(&self, topics: Vec<String>, source: Source<K, V>) -> Stream<'_, K, V> {
        let serdes = (Some(source.key.clone()), Some(source.value.clone()));
        let mut plan = self.plan.borrow_mut();
        let name = plan.names.numbered("KSTREAM-SOURCE-");
        let known = plan.sources.iter().find(|(known, _)| *known == topics).map(|(_, step)| *step);
        let late = |option| Fault::ChosenLate { topics: topics.join(", ").into(), option };
        if known.is_some() && !matches!(source.timestamps, TimestampExtractor::FailOnInvalid) {
            plan.faults.push(late("a timestamp extractor"));
        }
        if known.is_some() && source.reset.is_some() {
            plan.faults.push(late("an offset reset"));
        }
        let step = known.unwrap_or_else(|| {
            let step = plan.add(name, &[], move |plan, builder| {
                builder.add_source(&plan.name(name), source);
            });
            plan.sources.push((topics, step));
            step
        });
        drop(plan);
        Stream::new(self, step, Sources::one(step), serdes)
    }

    /// The topic as a table: the last record of a key is its row.
    ///
    /// Order: the last record in the topic wins, also when its time is older. A record without value deletes the row; one
    /// without key is dropped and counted. Stores the rows only if something reads them, such as a join.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// use tidemill_testkit::TestDriver;
    ///
    /// const PRICES: Topic<String, i64> = Topic::of("prices");
    /// const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// const COSTS: Topic<String, i64> = Topic::of("costs");
    /// let builder = StreamsBuilder::new();
    /// let prices = builder.table(&PRICES);
    /// builder.stream(&ORDERS).join(&prices, |count, price| count * price).to(&COSTS);
    ///
    /// let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&PRICES).send("apple", 3);
    /// driver.input(&ORDERS).send("apple", 5);
    /// assert_eq!(driver.output(&COSTS).key_values(), [("apple".into(), 15)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn table<K, V>(&self, topic: &Topic<K, V>) -> Table<'_, K, V>
    where
        K: Data<Plain = K>,
        V: Data<Plain = V> + Clone,
    {
        self.table_with(topic, Materialized::with(topic.key_serde(), topic.value_serde()))
    }

    /// As [`table`](Self::table), kept as the options say: a `&Store` keeps the rows under its name, for queries.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const ROWS: Store<String, i64> = Store::of("rows");
    /// # let builder = StreamsBuilder::new();
    /// builder.table_with(&IN, &ROWS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.store(&ROWS).get("a"), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn table_with<K, V>(&self, topic: &Topic<K, V>, materialized: impl IntoMaterialized<K, V>) -> Table<'_, K, V>
    where
        K: Data<Plain = K>,
        V: Data<Plain = V> + Clone,
    {
        let mut materialized = materialized.into_materialized();
        materialized.key.get_or_insert_with(|| topic.key_serde().clone());
        materialized.value.get_or_insert_with(|| topic.value_serde().clone());
        let serdes = (materialized.key.clone(), materialized.value.clone());
        let mut plan = self.plan.borrow_mut();
        if plan.optimizations.wants(Optimization::ReuseSourceTopics) {
            materialized.restore_from(topic);
        }
        let store_name = match &materialized.name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered(&format!("{}-STATE-STORE-", topic.name())),
        };
        let needed = materialized.name.is_some();
        let (store, spec) = table::plan_store(&mut plan, store_name, materialized, needed);
        let table_name = plan.names.later();
        let source_name = plan.names.derived(table_name, "-source", "KSTREAM-SOURCE-");
        plan.names.number_now(table_name, "KTABLE-SOURCE-");
        let key_or_null = SerdeRef::new(Nullable::new(topic.key_serde().clone()));
        let value_or_null = SerdeRef::new(Nullable::new(topic.value_serde().clone()));
        let nullable = Topic::<Option<K>, Option<V>>::new(topic.name(), key_or_null, value_or_null);
        let source = plan.add(source_name, &[], move |plan, builder| {
            builder.add_source(&plan.name(source_name), Source::topic(&nullable));
        });
        let step =
            table::plan_source::<Option<K>, Option<V>>(&mut plan, source, table_name, (store, spec), Sides::default());
        drop(plan);
        Table::stored(self, step, Sources::one(source), store).with_serdes(serdes)
    }

    /// Adds a store for processors; connect it where they are added.
    pub fn add_store(&self, spec: StoreSpec) {
        let mut plan = self.plan.borrow_mut();
        let name = plan.names.fixed(spec.name());
        plan.add(name, &[], move |_, builder| {
            builder.add_state_store(spec, &[]);
        });
    }

    /// Ends the program, checks it and builds it. All faults come at once.
    pub fn build(self) -> Result<Topology, TopologyErrors> {
        let mut plan = self.plan.into_inner();
        if self.naming == Naming::Explicit {
            let (stores, topics) = plan.numbered_names();
            if !stores.is_empty() || !topics.is_empty() {
                plan.faults.push(Fault::ExplicitNames { stores, topics });
            }
        }
        let mut builder = plan.lower();
        builder.wrapper = self.wrapper;
        builder.build()
    }

    /// Names that reach the disk and are numbered, those of stores first: they move when an operator is added upstream.
    pub fn numbered_names(&self) -> Vec<std::sync::Arc<str>> {
        let (stores, topics) = self.plan.borrow().numbered_names();
        stores.into_iter().chain(topics).collect()
    }

    pub(super) fn plan(&self) -> std::cell::RefMut<'_, Plan> {
        self.plan.borrow_mut()
    }
}
