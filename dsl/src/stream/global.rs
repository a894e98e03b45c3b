//! Global tables and stores: the records of all partitions, in every process; and the joins with them.

use std::marker::PhantomData;

use super::names::NameId;
use super::plan::StepId;
use super::{IntoMaterialized, Materialized, Stream, StreamsBuilder};
use crate::operator::{GlobalRow, JoinGlobal, JoinTable, Padding, TableSource};
use crate::processor::{ProcessError, Processor, StreamOf, TableOf};
use crate::serde::{Data, Nullable, SerdeRef};
use crate::state::{Emit, StoreSpec};
use crate::topic::Topic;
use crate::topology::{Fault, FilledBy, Source};

/// A table with the rows of all partitions of its topic, the same in every process: to be joined by any key, on any
/// partition. Unlike a [`Table`](super::Table) it has no changes to work on.
pub struct GlobalTable<'b, K: 'static, V: 'static> {
    builder: &'b StreamsBuilder,
    step: StepId,
    store: NameId,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> Clone for GlobalTable<'_, K, V> {
    fn clone(&self) -> Self {
        GlobalTable { ..*self }
    }
}

impl<K, V> GlobalTable<'_, K, V> {
    /// Gives the node that maintains the table a name of its own.
    #[must_use = "the name belongs to the node, and joins go on from it"]
    pub fn named(self, name: &str) -> Self {
        let mut plan = self.builder.plan();
        let id = plan.naming(self.step);
        plan.names.give(id, name);
        drop(plan);
        self
    }
}

impl StreamsBuilder {
    /// The topic as a global table: every process has the rows of all partitions.
    ///
    /// Order: the last record of a key wins, also when its time is older; between the partitions of the topic, and between it
    /// and the streams that are joined with it, there is no order. At a start the topic is read to its end before anything
    /// else is processed. A record without value deletes the row; one without key is dropped and counted. Stores the rows,
    /// all of them in each process, without a changelog: the topic is one.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// use tidemill_testkit::TestDriver;
    ///
    /// const PRODUCTS: Topic<String, String> = Topic::of("products");
    /// const ORDERS: Topic<u64, String> = Topic::of("orders"); // order number -> product
    /// const NAMED: Topic<u64, String> = Topic::of("named");
    /// let builder = StreamsBuilder::new();
    /// let products = builder.global_table(&PRODUCTS);
    /// builder
    ///     .stream(&ORDERS)
    ///     .join_global(&products, |_number, product| product.clone(), |_product, name| name.clone())
    ///     .to(&NAMED);
    ///
    /// let mut driver = TestDriver::new(&builder.build()?).partitions("orders", 1).partitions("products", 3);
    /// driver.input(&PRODUCTS).send("p7", "tide table");
    /// driver.input(&ORDERS).send(1_u64, "p7");
    /// assert_eq!(driver.output(&NAMED).key_values(), [(1, "tide table".into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn global_table<K, V>(&self, topic: &Topic<K, V>) -> GlobalTable<'_, K, V>
    where
        K: Data<Plain = K>,
        V: Data<Plain = V> + Clone,
    {
        self.global_table_with(topic, Materialized::with(topic.key_serde(), topic.value_serde()))
    }

    /// As [`global_table`](Self::global_table), kept as the options say: a `&Store` keeps the rows under its name, for
    /// processors and queries. What they say about a changelog counts for nothing.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const ROWS: Store<String, i64> = Store::of("rows");
    /// # let builder = StreamsBuilder::new();
    /// builder.global_table_with(&IN, &ROWS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.store(&ROWS).get("a"), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn global_table_with<K, V>(
        &self,
        topic: &Topic<K, V>,
        materialized: impl IntoMaterialized<K, V>,
    ) -> GlobalTable<'_, K, V>
    where
        K: Data<Plain = K>,
        V: Data<Plain = V> + Clone,
    {
        let materialized = materialized.into_materialized();
        let key = materialized.key.clone().unwrap_or_else(|| topic.key_serde().clone());
        let value = materialized.value.clone().unwrap_or_else(|| topic.value_serde().clone());
        let mut plan = self.plan();
        let store = match &materialized.name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered(&format!("{}-STATE-STORE-", topic.name())),
        };
        if materialized.versions().is_some() {
            plan.faults.push(Fault::VersionedGlobal { topic: topic.name().into() });
        }
        plan.persistent.push(store);
        let table = plan.names.later();
        let source = plan.names.derived(table, "-source", "KSTREAM-SOURCE-");
        plan.names.number_now(table, "KTABLE-SOURCE-");
        let key_or_null = SerdeRef::new(Nullable::new(topic.key_serde().clone()));
        let value_or_null = SerdeRef::new(Nullable::new(topic.value_serde().clone()));
        let nullable = Topic::<Option<K>, Option<V>>::new(topic.name(), key_or_null, value_or_null);
        let step = plan.add(table, &[], move |plan, builder| {
            let (source, table, store) = (plan.name(source), plan.name(table), plan.name(store));
            builder.add_source(&source, Source::topic(&nullable));
            let opened = store.clone();
            builder.add_operator_with::<StreamOf<Option<K>, Option<V>>, TableOf<K, V>, _>(
                &table,
                &[&source],
                &[&store],
                move |wiring| TableSource { store: Some(wiring.table_store(&opened)) },
            );
            // Nothing comes out of it, and it has no changelog: there is nothing to hold back.
            let spec = materialized.spec(&store, key, value).emit(Emit::EveryUpdate);
            builder.fill_store(spec, FilledBy::AllPartitions, &source, &table);
        });
        drop(plan);
        GlobalTable { builder: self, step, store, types: PhantomData }
    }

    /// Adds a global store that a processor maintains from the records of a topic: one copy per process, which every
    /// processor can [`read`](crate::processor::NodeContext::read) without being connected to it.
    ///
    /// See [`TopologyBuilder::add_global_store`](crate::topology::TopologyBuilder::add_global_store).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// use tidemill_dsl::processor::{Context, Flow, Processor};
    /// use tidemill_dsl::record::Record;
    /// use tidemill_dsl::state::{Store, StoreSpec};
    ///
    /// const WORDS: Topic<String, String> = Topic::of("words");
    /// const LENGTHS: Store<String, u64> = Store::of("lengths");
    ///
    /// struct Measure;
    ///
    /// impl Processor<String, String, (), ()> for Measure {
    ///     fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, (), ()>) -> Flow {
    ///         ctx.store(&LENGTHS)?.put(record.key, record.value.len() as u64, record.timestamp)
    ///     }
    /// }
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.add_global_store(StoreSpec::plain(&LENGTHS), &WORDS, || Measure);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&WORDS).send("a", "tide");
    /// assert_eq!(driver.store(&LENGTHS).get("a"), Some(4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_global_store<K: Data, V: Data, P: Processor<K, V, (), ()>>(
        &self,
        spec: StoreSpec,
        topic: &Topic<K, V>,
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) {
        let mut plan = self.plan();
        let (source, processor) = (plan.names.numbered("KSTREAM-SOURCE-"), plan.names.numbered("KTABLE-SOURCE-"));
        let from = Source::topic(topic);
        plan.add(processor, &[], move |plan, builder| {
            builder.add_global_store(spec, &plan.name(source), from, &plan.name(processor), supplier);
        });
    }
}

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Joins each record with a row of a global table; `select` makes the row's key from the record. A record that finds no
    /// row is left out.
    ///
    /// Results have the stream's order, keys, times and headers. The row is the one that the process has when the record is
    /// processed; which updates it has seen by then is left to chance, but for those that were there at the start. A record
    /// without value, or for which `select` gives no key, is dropped and counted. Topics need no equal numbers of
    /// partitions, and nothing is repartitioned. Stores nothing of its own.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const CITIES: Topic<String, String> = Topic::of("cities");
    /// # const TRIPS: Topic<u64, String> = Topic::of("trips");
    /// # const OUT: Topic<u64, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let cities = builder.global_table(&CITIES);
    /// builder
    ///     .stream(&TRIPS)
    ///     .join_global(&cities, |_trip, city| city.clone(), |city, country| format!("{city} in {country}"))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&CITIES).send("Porto", "Portugal");
    /// driver.input(&TRIPS).send(1_u64, "Porto");
    /// driver.input(&TRIPS).send(2_u64, "Atlantis");
    /// assert_eq!(driver.output(&OUT).values(), ["Porto in Portugal"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_global<TK: Data<Plain = TK>, T: Data<Plain = T>, R: Data, S: Into<Option<TK>>>(
        &self,
        table: &GlobalTable<'b, TK, T>,
        select: impl Fn(&K, &V::Plain) -> S + Send + Sync + 'static,
        join: impl Fn(&V::Plain, &T) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.join_global_with_key(table, select, move |_, value, row| join(value, row))
    }

    /// As [`join_global`](Self::join_global), with the stream's key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const CITIES: Topic<String, String> = Topic::of("cities");
    /// # const TRIPS: Topic<u64, String> = Topic::of("trips");
    /// # const OUT: Topic<u64, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let cities = builder.global_table(&CITIES);
    /// builder
    ///     .stream(&TRIPS)
    ///     .join_global_with_key(&cities, |_, city| city.clone(), |trip, city, country| format!("{trip}: {city}, {country}"))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&CITIES).send("Porto", "Portugal");
    /// driver.input(&TRIPS).send(1_u64, "Porto");
    /// assert_eq!(driver.output(&OUT).values(), ["1: Porto, Portugal"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_global_with_key<TK: Data<Plain = TK>, T: Data<Plain = T>, R: Data, S: Into<Option<TK>>>(
        &self,
        table: &GlobalTable<'b, TK, T>,
        select: impl Fn(&K, &V::Plain) -> S + Send + Sync + 'static,
        join: impl Fn(&K, &V::Plain, &T) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.try_join_global(table, select, move |key, value, row| Ok::<_, ProcessError>(join(key, value, row)))
    }

    /// As [`join_global_with_key`](Self::join_global_with_key), with a joiner that can fail; an error fails the task, naming
    /// the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const RATES: Topic<String, i64> = Topic::of("rates");
    /// # const AMOUNTS: Topic<String, i64> = Topic::of("amounts");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.global_table(&RATES);
    /// builder
    ///     .stream(&AMOUNTS)
    ///     .try_join_global(&rates, |from, _| from.clone(), |_, amount, rate| amount.checked_mul(*rate).ok_or("overflow"))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&RATES).send("eur", i64::MAX);
    /// assert!(driver.input(&AMOUNTS).try_send("eur", 2).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_global<TK, T, R, S, E>(
        &self,
        table: &GlobalTable<'b, TK, T>,
        select: impl Fn(&K, &V::Plain) -> S + Send + Sync + 'static,
        join: impl Fn(&K, &V::Plain, &T) -> Result<R, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, R>
    where
        TK: Data<Plain = TK>,
        T: Data<Plain = T>,
        R: Data,
        S: Into<Option<TK>>,
        E: Into<ProcessError>,
    {
        let join = move |key: &K, value: &V::Plain, row: Option<&T>| match row {
            Some(row) => join(key, value, row).map_err(Into::into),
            None => Err("an inner join has a row".into()),
        };
        self.join_global_table(table, Padding::Drop, move |key, value| select(key, value).into(), join)
    }

    /// Joins each record with a row of a global table, or with `None` if there is none or `select` gives no key.
    ///
    /// As [`join_global`](Self::join_global), but every record with a value produces a result.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const CITIES: Topic<String, String> = Topic::of("cities");
    /// # const TRIPS: Topic<u64, String> = Topic::of("trips");
    /// # const OUT: Topic<u64, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let cities = builder.global_table(&CITIES);
    /// let known = |city: &String, country: Option<&String>| format!("{city} in {}", country.map_or("?", String::as_str));
    /// builder.stream(&TRIPS).left_join_global(&cities, |_trip, city| city.clone(), known).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&TRIPS).send(2_u64, "Atlantis");
    /// assert_eq!(driver.output(&OUT).values(), ["Atlantis in ?"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_global<TK: Data<Plain = TK>, T: Data<Plain = T>, R: Data, S: Into<Option<TK>>>(
        &self,
        table: &GlobalTable<'b, TK, T>,
        select: impl Fn(&K, &V::Plain) -> S + Send + Sync + 'static,
        join: impl Fn(&V::Plain, Option<&T>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.left_join_global_with_key(table, select, move |_, value, row| join(value, row))
    }

    /// As [`left_join_global`](Self::left_join_global), with the stream's key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const CITIES: Topic<String, String> = Topic::of("cities");
    /// # const TRIPS: Topic<u64, String> = Topic::of("trips");
    /// # const OUT: Topic<u64, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let cities = builder.global_table(&CITIES);
    /// let known = |trip: &u64, city: &String, country: Option<&String>| match country {
    ///     Some(country) => format!("{trip}: {city}, {country}"),
    ///     None => format!("{trip}: {city}, nobody knows where"),
    /// };
    /// builder.stream(&TRIPS).left_join_global_with_key(&cities, |_trip, city| city.clone(), known).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&TRIPS).send(2_u64, "Atlantis");
    /// assert_eq!(driver.output(&OUT).values(), ["2: Atlantis, nobody knows where"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_global_with_key<TK: Data<Plain = TK>, T: Data<Plain = T>, R: Data, S: Into<Option<TK>>>(
        &self,
        table: &GlobalTable<'b, TK, T>,
        select: impl Fn(&K, &V::Plain) -> S + Send + Sync + 'static,
        join: impl Fn(&K, &V::Plain, Option<&T>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.try_left_join_global(table, select, move |key, value, row| Ok::<_, ProcessError>(join(key, value, row)))
    }

    /// As [`left_join_global_with_key`](Self::left_join_global_with_key), with a joiner that can fail; an error fails the
    /// task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const RATES: Topic<String, i64> = Topic::of("rates");
    /// # const AMOUNTS: Topic<String, i64> = Topic::of("amounts");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.global_table(&RATES);
    /// let convert = |_: &String, amount: &i64, rate: Option<&i64>| rate.map(|rate| amount * rate).ok_or("no rate");
    /// builder.stream(&AMOUNTS).try_left_join_global(&rates, |from, _| from.clone(), convert).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// assert!(driver.input(&AMOUNTS).try_send("eur", 2).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_left_join_global<TK, T, R, S, E>(
        &self,
        table: &GlobalTable<'b, TK, T>,
        select: impl Fn(&K, &V::Plain) -> S + Send + Sync + 'static,
        join: impl Fn(&K, &V::Plain, Option<&T>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, R>
    where
        TK: Data<Plain = TK>,
        T: Data<Plain = T>,
        R: Data,
        S: Into<Option<TK>>,
        E: Into<ProcessError>,
    {
        let join = move |key: &K, value: &V::Plain, row: Option<&T>| join(key, value, row).map_err(Into::into);
        self.join_global_table(table, Padding::Pad, move |key, value| select(key, value).into(), join)
    }

    fn join_global_table<TK: Data<Plain = TK>, T: Data<Plain = T>, R: Data>(
        &self,
        table: &GlobalTable<'b, TK, T>,
        padding: Padding,
        select: impl Fn(&K, &V::Plain) -> Option<TK> + Send + Sync + 'static,
        join: impl Fn(&K, &V::Plain, Option<&T>) -> Result<R, ProcessError> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let verb = if padding == Padding::Pad { "left_join_global" } else { "join_global" };
        let serdes = (self.serdes.0.clone(), None);
        if !self.check_builder(table.builder, verb) {
            // The table's place means nothing in this plan, which has a fault now and is never built.
            return self.continued(self.step, self.rekeyed, serdes);
        }
        let mut plan = self.builder.plan();
        // Kafka Streams calls the inner join so too.
        let (parent, name, store) = (self.step, plan.names.numbered("KSTREAM-LEFTJOIN-"), table.store);
        let sides = self.sides.clone();
        let step = plan.add(name, &[parent], move |plan, builder| {
            let (name, parent, store) = (plan.name(name), plan.node(parent), plan.name(store));
            builder.add_operator_with::<StreamOf<K, V>, StreamOf<K, R>, _>(&name, &[&parent], &[], move |wiring| {
                let table = Box::new(GlobalRow(wiring.store(&store)));
                JoinGlobal { select, join: JoinTable { table, padding, join } }
            });
            sides.add_to(&name, builder);
        });
        if padding == Padding::Pad {
            plan.take_null_keys(step);
        }
        drop(plan);
        self.continued(step, self.rekeyed, serdes)
    }
}
