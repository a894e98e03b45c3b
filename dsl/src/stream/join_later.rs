//! Verbs that join a stream with a table with options: serdes, and a time to wait for the table.

use super::stream_type::serde_for;
use super::{Joined, Stream, Table};
use crate::operator::{HeldRecordSerde, JoinTable, JoinTableLater, Padding};
use crate::processor::{ProcessError, StreamOf};
use crate::serde::{Data, SerdeRef};
use crate::state::{Store, StoreSpec};
use crate::topology::Fault;

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// As [`join`](Self::join), with serdes for the repartition topic, or with a grace period: then records wait until one has
    /// come that is later by that much, and are joined in the order of their times, each with the row that was valid at its
    /// own.
    ///
    /// A record that is itself late by more than the grace period is joined at once. The table must be kept in a versioned
    /// store, for at least the grace period. Records that wait are stored, with a changelog; the store is named after the
    /// join. Without a grace period nothing is stored.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const RATES: Topic<String, i64> = Topic::of("rates");
    /// # const SALES: Topic<String, i64> = Topic::of("sales");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::VersionedStore;
    /// use tidemill_dsl::stream::Joined;
    ///
    /// const KNOWN: VersionedStore<String, i64> = VersionedStore::of("known", Duration::from_secs(60));
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.table_with(&RATES, &KNOWN);
    /// let patient = Joined::grace(Duration::from_millis(100));
    /// builder.stream(&SALES).join_with(&rates, patient, |sale, rate| sale * rate).named("priced").to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&SALES).at(10).send("usd", 100);
    /// driver.input(&RATES).at(5).send("usd", 2); // in time for the sale, which still waits
    /// driver.input(&SALES).at(110).send("usd", 300);
    /// assert_eq!(driver.output(&OUT).values(), [200]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_with<T: Data<Plain = T>, R: Data>(
        &self,
        table: &Table<'b, K::Plain, T>,
        joined: Joined<K, V>,
        join: impl Fn(&V::Plain, &T) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.try_join_with(table, joined, move |_, value, row| Ok::<_, ProcessError>(join(value, row)))
    }

    /// As [`join_with`](Self::join_with), with the key to look at and a function that can fail; an error fails the task,
    /// naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const RATES: Topic<String, i64> = Topic::of("rates");
    /// # const SALES: Topic<String, i64> = Topic::of("sales");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::VersionedStore;
    /// use tidemill_dsl::stream::Joined;
    ///
    /// const KNOWN: VersionedStore<String, i64> = VersionedStore::of("known", Duration::from_secs(60));
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.table_with(&RATES, &KNOWN);
    /// let patient = Joined::grace(Duration::from_millis(100));
    /// let sales = builder.stream(&SALES);
    /// sales.try_join_with(&rates, patient, |_, sale, rate| sale.checked_mul(*rate).ok_or("overflow")).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&RATES).at(5).send("usd", i64::MAX);
    /// driver.input(&SALES).at(10).send("usd", 100);
    /// assert!(driver.input(&SALES).at(110).try_send("usd", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_with<T: Data<Plain = T>, R: Data, E: Into<ProcessError>>(
        &self,
        table: &Table<'b, K::Plain, T>,
        joined: Joined<K, V>,
        join: impl Fn(&K, &V::Plain, &T) -> Result<R, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |key: &K, value: &V::Plain, row: Option<&T>| match row {
            Some(row) => join(key, value, row).map_err(Into::into),
            None => Err("an inner join has a row".into()),
        };
        self.join_table_later(table, Padding::Drop, joined, join)
    }

    /// As [`left_join`](Self::left_join), with the options of [`join_with`](Self::join_with). With a grace period a record
    /// without key fails the task.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const RATES: Topic<String, i64> = Topic::of("rates");
    /// # const SALES: Topic<String, i64> = Topic::of("sales");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::VersionedStore;
    /// use tidemill_dsl::stream::Joined;
    ///
    /// const KNOWN: VersionedStore<String, i64> = VersionedStore::of("known", Duration::from_secs(60));
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.table_with(&RATES, &KNOWN);
    /// let patient = Joined::grace(Duration::from_millis(100));
    /// let priced = |sale: &i64, rate: Option<&i64>| sale * rate.unwrap_or(&1);
    /// builder.stream(&SALES).left_join_with(&rates, patient, priced).named("priced").to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&SALES).at(10).send("usd", 100);
    /// driver.input(&RATES).at(50).send("usd", 2); // too late for the sale
    /// driver.input(&SALES).at(110).send("usd", 300);
    /// assert_eq!(driver.output(&OUT).values(), [100]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_with<T: Data<Plain = T>, R: Data>(
        &self,
        table: &Table<'b, K::Plain, T>,
        joined: Joined<K, V>,
        join: impl Fn(&V::Plain, Option<&T>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.try_left_join_with(table, joined, move |_, value, row| Ok::<_, ProcessError>(join(value, row)))
    }

    /// As [`left_join_with`](Self::left_join_with), with the key to look at and a function that can fail; an error fails the
    /// task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const RATES: Topic<String, i64> = Topic::of("rates");
    /// # const SALES: Topic<String, i64> = Topic::of("sales");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::VersionedStore;
    /// use tidemill_dsl::stream::Joined;
    ///
    /// const KNOWN: VersionedStore<String, i64> = VersionedStore::of("known", Duration::from_secs(60));
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.table_with(&RATES, &KNOWN);
    /// let patient = Joined::grace(Duration::from_millis(100));
    /// let sales = builder.stream(&SALES);
    /// sales.try_left_join_with(&rates, patient, |_, sale, rate| rate.map(|rate| sale * rate).ok_or("no rate")).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&SALES).at(10).send("usd", 100);
    /// assert!(driver.input(&SALES).at(110).try_send("usd", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_left_join_with<T: Data<Plain = T>, R: Data, E: Into<ProcessError>>(
        &self,
        table: &Table<'b, K::Plain, T>,
        joined: Joined<K, V>,
        join: impl Fn(&K, &V::Plain, Option<&T>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |key: &K, value: &V::Plain, row: Option<&T>| join(key, value, row).map_err(Into::into);
        self.join_table_later(table, Padding::Pad, joined, join)
    }

    fn join_table_later<T: Data<Plain = T>, R: Data>(
        &self,
        table: &Table<'b, K::Plain, T>,
        padding: Padding,
        joined: Joined<K, V>,
        join: impl Fn(&K, &V::Plain, Option<&T>) -> Result<R, ProcessError> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let (key, value) = (joined.key.or(self.serdes.0.clone()), joined.value.or(self.serdes.1.clone()));
        let stream = self.clone().with_serdes((key.clone(), value.clone()));
        let Some(grace) = joined.grace else { return stream.join_table(table, padding, join) };
        let mut plan = self.builder.plan();
        if table.row.retention().is_none_or(|retention| retention < grace) {
            plan.faults.push(Fault::GraceBeyondVersions { grace, kept: table.row.retention() });
        }
        let keys = serde_for(&mut plan, key, "key of a join that waits");
        let values = serde_for(&mut plan, value, "value of a join that waits");
        drop(plan);
        // Without serdes the plan has a fault already.
        let Some((keys, values)) = keys.zip(values) else { return stream.join_table(table, padding, join) };
        let grace = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        stream.plan_join(table, padding, true, move |builder, node, reader| {
            let buffer = format!("{}-Buffer", node.name);
            let (mut stores, opened) = (node.stores(), buffer.clone());
            stores.push(&buffer);
            builder.add_operator_with::<StreamOf<K, V>, StreamOf<K, R>, _>(
                &node.name,
                &[&node.parent],
                &stores,
                move |wiring| {
                    let join = JoinTable { table: reader(wiring), padding, join };
                    JoinTableLater { join, buffer: wiring.store(&opened), keys, values, grace }
                },
            );
            let held = Store::<Vec<u8>, _>::new(buffer, SerdeRef::of(), SerdeRef::new(HeldRecordSerde));
            builder.add_state_store(StoreSpec::plain(&held), &[&node.name]);
        })
    }
}
