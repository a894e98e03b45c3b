//! Verbs that bring a stream and a table together.

use std::sync::Arc;

use super::repartition::{Repartition, plan_join_repartition};
use super::stream_type::Sources;
use super::table::WireReader;
use super::{Stream, Table};
use crate::operator::{JoinTable, Padding};
use crate::processor::{ProcessError, StreamOf};
use crate::serde::Data;
use crate::topology::TopologyBuilder;

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Joins each record with the table's row of its key; a record that finds none is left out.
    ///
    /// Only the stream side produces results; they have its order, times and headers. The row is the one that the table has
    /// when the record is processed: between two topics there is no order but that of the records' times, and a table that
    /// is fed by this join's own result may not have it yet. Records without key or value are dropped and counted. Topics
    /// of both sides need equal numbers of partitions; if the key may have changed, the stream goes through a repartition
    /// topic first. Stores the table's rows.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const PRICES: Topic<String, i64> = Topic::of("prices");
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const COSTS: Topic<String, i64> = Topic::of("costs");
    /// # let builder = StreamsBuilder::new();
    /// let prices = builder.table(&PRICES);
    /// builder.stream(&ORDERS).join(&prices, |count, price| count * price).to(&COSTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&PRICES).send("apple", 3);
    /// driver.input(&ORDERS).send("apple", 5);
    /// driver.input(&ORDERS).send("pear", 5);
    /// assert_eq!(driver.output(&COSTS).values(), [15]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join<T: Data<Plain = T>, R: Data>(
        &self,
        table: &Table<'b, K::Plain, T>,
        join: impl Fn(&V::Plain, &T) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.join_with_key(table, move |_, value, row| join(value, row))
    }

    /// As [`join`](Self::join), with the key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const PRICES: Topic<String, i64> = Topic::of("prices");
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const BILLS: Topic<String, String> = Topic::of("bills");
    /// # let builder = StreamsBuilder::new();
    /// let prices = builder.table(&PRICES);
    /// builder
    ///     .stream(&ORDERS)
    ///     .join_with_key(&prices, |fruit, count, price| format!("{count} {fruit}: {}", count * price))
    ///     .to(&BILLS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&PRICES).send("apple", 3);
    /// driver.input(&ORDERS).send("apple", 5);
    /// assert_eq!(driver.output(&BILLS).values(), ["5 apple: 15"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_with_key<T: Data<Plain = T>, R: Data>(
        &self,
        table: &Table<'b, K::Plain, T>,
        join: impl Fn(&K, &V::Plain, &T) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.try_join(table, move |key, value, row| Ok::<_, ProcessError>(join(key, value, row)))
    }

    /// As [`join_with_key`](Self::join_with_key), with a function that can fail; an error fails the task, naming the
    /// record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const PRICES: Topic<String, i64> = Topic::of("prices");
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const COSTS: Topic<String, i64> = Topic::of("costs");
    /// # let builder = StreamsBuilder::new();
    /// let prices = builder.table(&PRICES);
    /// builder
    ///     .stream(&ORDERS)
    ///     .try_join(&prices, |_fruit, count, price| count.checked_mul(*price).ok_or("overflow"))
    ///     .to(&COSTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&PRICES).send("apple", i64::MAX);
    /// assert!(driver.input(&ORDERS).try_send("apple", 5).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join<T: Data<Plain = T>, R: Data, E: Into<ProcessError>>(
        &self,
        table: &Table<'b, K::Plain, T>,
        join: impl Fn(&K, &V::Plain, &T) -> Result<R, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |key: &K, value: &V::Plain, row: Option<&T>| match row {
            Some(row) => join(key, value, row).map_err(Into::into),
            None => Err("an inner join has a row".into()),
        };
        self.join_table(table, Padding::Drop, join)
    }

    /// Joins each record with the table's row of its key, or with `None` if there is none.
    ///
    /// As [`join`](Self::join), but every record with a value produces a result, also one without key.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const PRICES: Topic<String, i64> = Topic::of("prices");
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const COSTS: Topic<String, i64> = Topic::of("costs");
    /// # let builder = StreamsBuilder::new();
    /// let prices = builder.table(&PRICES);
    /// builder.stream(&ORDERS).left_join(&prices, |count, price| count * price.unwrap_or(&1)).to(&COSTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).send("pear", 5);
    /// assert_eq!(driver.output(&COSTS).values(), [5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join<T: Data<Plain = T>, R: Data>(
        &self,
        table: &Table<'b, K::Plain, T>,
        join: impl Fn(&V::Plain, Option<&T>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.left_join_with_key(table, move |_, value, row| join(value, row))
    }

    /// As [`left_join`](Self::left_join), with the key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const PRICES: Topic<String, i64> = Topic::of("prices");
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const BILLS: Topic<String, String> = Topic::of("bills");
    /// # let builder = StreamsBuilder::new();
    /// let prices = builder.table(&PRICES);
    /// builder
    ///     .stream(&ORDERS)
    ///     .left_join_with_key(&prices, |fruit, count, price| match price {
    ///         Some(price) => format!("{count} {fruit}: {}", count * price),
    ///         None => format!("{fruit} has no price"),
    ///     })
    ///     .to(&BILLS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).send("pear", 5);
    /// assert_eq!(driver.output(&BILLS).values(), ["pear has no price"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_with_key<T: Data<Plain = T>, R: Data>(
        &self,
        table: &Table<'b, K::Plain, T>,
        join: impl Fn(&K, &V::Plain, Option<&T>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.try_left_join(table, move |key, value, row| Ok::<_, ProcessError>(join(key, value, row)))
    }

    /// As [`left_join_with_key`](Self::left_join_with_key), with a function that can fail; an error fails the task, naming
    /// the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const PRICES: Topic<String, i64> = Topic::of("prices");
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const COSTS: Topic<String, i64> = Topic::of("costs");
    /// # let builder = StreamsBuilder::new();
    /// let prices = builder.table(&PRICES);
    /// builder
    ///     .stream(&ORDERS)
    ///     .try_left_join(&prices, |_fruit, count, price| price.map(|price| count * price).ok_or("a fruit without price"))
    ///     .to(&COSTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// assert!(driver.input(&ORDERS).try_send("pear", 5).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_left_join<T: Data<Plain = T>, R: Data, E: Into<ProcessError>>(
        &self,
        table: &Table<'b, K::Plain, T>,
        join: impl Fn(&K, &V::Plain, Option<&T>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |key: &K, value: &V::Plain, row: Option<&T>| join(key, value, row).map_err(Into::into);
        self.join_table(table, Padding::Pad, join)
    }

    pub(super) fn join_table<T: Data<Plain = T>, R: Data>(
        &self,
        table: &Table<'b, K::Plain, T>,
        padding: Padding,
        join: impl Fn(&K, &V::Plain, Option<&T>) -> Result<R, ProcessError> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.plan_join(table, padding, false, move |builder, node, reader| {
            builder.add_operator_with::<StreamOf<K, V>, StreamOf<K, R>, _>(
                &node.name,
                &[&node.parent],
                &node.stores(),
                move |wiring| JoinTable { table: reader(wiring), padding, join },
            );
        })
    }

    /// Plans a join with a table, behind a repartition topic if the key may have changed; `lower` makes its node. It
    /// `buffers` when it has a store of its own, named after it.
    pub(super) fn plan_join<T: Data<Plain = T>, R: Data>(
        &self,
        table: &Table<'b, K::Plain, T>,
        padding: Padding,
        buffers: bool,
        lower: impl FnOnce(&mut TopologyBuilder, JoinNode, WireReader<K::Plain, T>) + 'static,
    ) -> Stream<'b, K, R> {
        if !self.check_builder(table.builder, if padding == Padding::Pad { "left_join" } else { "join" }) {
            // The table's places mean nothing in this plan, which has a fault now and is never built.
            return self.continued(self.step, false, (self.serdes.0.clone(), None));
        }
        let mut plan = self.builder.plan();
        let joined = plan.names.later();
        let (mut parent, mut sources) = (self.step, self.sources.clone());
        if self.rekeyed {
            // The topic is called after the join if that has a name, else after the stream's last node.
            let last = plan.naming(self.step);
            let base = plan.names.named_or(joined, last);
            let topic = Repartition::of(self, base);
            parent = plan_join_repartition(&mut plan, self.step, joined, topic);
            sources = Sources::one(parent);
        }
        plan.names.number_now(joined, if padding == Padding::Pad { "KSTREAM-LEFTJOIN-" } else { "KSTREAM-JOIN-" });
        if buffers {
            let buffer = plan.names.joined(joined, "-Buffer");
            plan.persistent.push(buffer);
        }
        table.row.need(&mut plan);
        let (all, row) = (sources.and(&table.sources), table.row.clone());
        let (copartitioned, sides) = (all.clone(), self.sides.clone());
        let step = plan.add(joined, &[parent], move |plan, builder| {
            let node = JoinNode { name: plan.name(joined), parent: plan.node(parent), read: row.store_names(plan) };
            builder.lookups.extend(node.read.iter().map(|store| (node.name.clone(), store.clone())));
            let name = node.name.clone();
            lower(builder, node, row.reader(plan));
            sides.add_to(&name, builder);
            plan.copartition(&copartitioned, builder);
        });
        if padding == Padding::Pad {
            plan.take_null_keys(step);
        }
        drop(plan);
        let serdes = (self.serdes.0.clone(), None);
        Stream { sources: all, ..self.continued(step, false, serdes) }
    }
}

/// The node of a join that is being lowered.
pub(super) struct JoinNode {
    pub(super) name: Arc<str>,
    pub(super) parent: Arc<str>,
    /// The stores that the table is read from.
    read: Vec<Arc<str>>,
}

impl JoinNode {
    /// The stores that the table is read from.
    pub(super) fn stores(&self) -> Vec<&str> {
        self.read.iter().map(|store| &**store).collect()
    }
}
