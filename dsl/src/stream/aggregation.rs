//! Verbs of a grouped stream: a row per key, folded from its records.

use super::plan::{StepId, StoreId};
use super::stream_type::{KnownSerdes, Sources, serde_for};
use super::{GroupedStream, IntoMaterialized, Materialized, Table};
use crate::operator::{Aggregate, Reduce, TableStore};
use crate::processor::{Operator, ProcessError, StreamOf, TableOf};
use crate::serde::{Data, SerdeRef};
use crate::state::{KeyedRows, StoreSpec};
use crate::topology::{StoreSlot, Wiring};

impl<'b, K: Data, V: Data> GroupedStream<'b, K, V> {
    /// Counts the records of each key.
    ///
    /// A row per key, on disk, with a changelog; its time is the greatest of its records. Every update comes out, in order.
    /// Name the store with [`count_with`](Self::count_with): a numbered name moves when an operator is added upstream.
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
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), 1), ("a".into(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self) -> Table<'b, K::Plain, i64> {
        self.count_with(Materialized::default())
    }

    /// As [`count`](Self::count), kept as the options say; a `&Store` names the store.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const COUNTS: Store<String, i64> = Store::of("counts");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().count_with(&COUNTS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 7);
    /// assert_eq!(driver.store(&COUNTS).get("a"), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_with(&self, materialized: impl IntoMaterialized<K::Plain, i64>) -> Table<'b, K::Plain, i64> {
        let fold = |count: i64, _: &K::Plain, _: &V::Plain| Ok(Some(count + 1));
        self.folded("KSTREAM-AGGREGATE-", materialized.into_materialized(), move |store| Aggregate {
            store,
            initial: || 0i64,
            fold,
        })
    }

    /// Combines the values of each key; the first one is the first row as it is.
    ///
    /// `combine` gives the new row, or `None` to delete it. A row per key, on disk, with a changelog; its time is the
    /// greatest of its records. Every update comes out, in order.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().reduce(|sum, value| sum + value).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 7);
    /// driver.input(&IN).send("a", 8);
    /// assert_eq!(driver.output(&OUT).values(), [7, 15]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce<R: Into<Option<V::Plain>>>(
        &self,
        combine: impl Fn(V::Plain, &V::Plain) -> R + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, V::Plain>
    where
        V::Plain: Clone,
    {
        self.reduce_with(Materialized::default(), combine)
    }

    /// As [`reduce`](Self::reduce), kept as the options say; a `&Store` names the store.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const GREATEST: Store<String, i64> = Store::of("greatest");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().reduce_with(&GREATEST, |a, b| a.max(*b));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 8);
    /// driver.input(&IN).send("a", 7);
    /// assert_eq!(driver.store(&GREATEST).get("a"), Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce_with<R: Into<Option<V::Plain>>>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, V::Plain>,
        combine: impl Fn(V::Plain, &V::Plain) -> R + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, V::Plain>
    where
        V::Plain: Clone,
    {
        self.try_reduce_with(materialized, move |row, value| Ok::<_, ProcessError>(combine(row, value)))
    }

    /// As [`reduce_with`](Self::reduce_with), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const SUMS: Store<String, i64> = Store::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().try_reduce_with(&SUMS, |sum, value| sum.checked_add(*value).ok_or("overflow"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", i64::MAX);
    /// assert!(driver.input(&IN).try_send("a", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reduce_with<R: Into<Option<V::Plain>>, E: Into<ProcessError>>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, V::Plain>,
        combine: impl Fn(V::Plain, &V::Plain) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, V::Plain>
    where
        V::Plain: Clone,
    {
        let combine = move |row, value: &V::Plain| combine(row, value).map(Into::into).map_err(Into::into);
        self.folded("KSTREAM-REDUCE-", materialized.into_materialized(), move |store| Reduce { store, combine })
    }

    /// Folds the records of each key into a row: `initial` makes the first state, `fold` takes the state and gives the new
    /// one, or `None` to delete the row.
    ///
    /// `initial` may give an `Option` of the row: then `fold` takes that. The rows are kept as the options say; a `&Store`
    /// keeps them on disk, with a changelog, under its name. A row's time is the greatest of its records. Every update comes
    /// out, in order.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use tidemill_dsl::state::Store;
    ///
    /// const HISTORY: Store<String, String> = Store::of("history");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .group_by_key()
    ///     .aggregate(&HISTORY, String::new, |history, _key, value| format!("{history} {value}"))
    ///     .to_stream()
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 7);
    /// driver.input(&IN).send("a", 8);
    /// assert_eq!(driver.output(&OUT).values(), [" 7", " 7 8"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A, T, R>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, A>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        fold: impl Fn(T, &K::Plain, &V::Plain) -> R + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, A>
    where
        A: Data<Plain = A>,
        T: From<A> + 'static,
        R: Into<Option<A>>,
    {
        self.try_aggregate(materialized, initial, move |state, key, value| {
            Ok::<_, ProcessError>(fold(state, key, value))
        })
    }

    /// As [`aggregate`](Self::aggregate), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const SUMS: Store<String, i64> = Store::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .group_by_key()
    ///     .try_aggregate(&SUMS, || 0, |sum: i64, _key, value| sum.checked_add(*value).ok_or("overflow"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", i64::MAX);
    /// assert!(driver.input(&IN).try_send("a", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_aggregate<A, T, R, E>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, A>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        fold: impl Fn(T, &K::Plain, &V::Plain) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, A>
    where
        A: Data<Plain = A>,
        T: From<A> + 'static,
        R: Into<Option<A>>,
        E: Into<ProcessError>,
    {
        let fold =
            move |state, key: &K::Plain, value: &V::Plain| fold(state, key, value).map(Into::into).map_err(Into::into);
        self.folded("KSTREAM-AGGREGATE-", materialized.into_materialized(), move |store| Aggregate {
            store,
            initial,
            fold,
        })
    }

    /// Plans an aggregation into a key-value store, which may keep versions.
    fn folded<A, O>(
        &self,
        prefix: &'static str,
        materialized: Materialized<K::Plain, A>,
        operator: impl FnOnce(TableStore<K::Plain, A>) -> O + 'static,
    ) -> Table<'b, K::Plain, A>
    where
        A: Data<Plain = A>,
        O: Operator<StreamOf<K, V>, TableOf<K::Plain, A>>,
    {
        let known = (materialized.name.clone(), (materialized.key.clone(), materialized.value.clone()));
        let versions = materialized.versions();
        let spec = move |name: &str, key, value| materialized.spec(name, key, value);
        let operator = |wiring: &mut Wiring<'_>, name: &str, sends_old| operator(wiring.table_rows(name, sends_old));
        let planned = self.plan_aggregation(prefix, known, spec, operator);
        self.stream.builder.plan().keep_versions(planned.store, versions);
        Table::stored(self.stream.builder, planned.step, planned.sources, planned.store).with_serdes(planned.serdes)
    }

    /// Plans an aggregation into a store of any kind. `row_keys` makes the serde of the rows' keys from that of the records'.
    pub(super) fn aggregated<S, A, O>(
        &self,
        prefix: &'static str,
        known: (Option<String>, KnownSerdes<K::Plain, A>),
        row_keys: impl Fn(SerdeRef<K::Plain>) -> SerdeRef<S::Key>,
        spec: impl FnOnce(&str, SerdeRef<K::Plain>, SerdeRef<A>) -> StoreSpec + 'static,
        operator: impl FnOnce(&mut Wiring<'_>, StoreSlot<S>) -> O + 'static,
    ) -> Table<'b, S::Key, A>
    where
        S: KeyedRows<Key: Data<Plain = S::Key>, Value = A>,
        A: Data<Plain = A>,
        O: Operator<StreamOf<K, V>, TableOf<S::Key, A>>,
    {
        let operator = |wiring: &mut Wiring<'_>, name: &str, sends_old| {
            let slot = wiring.rows(name, sends_old);
            operator(wiring, slot)
        };
        let planned = self.plan_aggregation::<S::Key, A, O>(prefix, known, spec, operator);
        let serdes = (planned.serdes.0.map(row_keys), planned.serdes.1);
        Table::stored_in::<S>(self.stream.builder, planned.step, planned.sources, planned.store).with_serdes(serdes)
    }

    /// Plans an aggregation with its store, behind a repartition topic if the key may have changed. `operator` gets the name
    /// of the store, and whether old rows are wanted.
    fn plan_aggregation<RowKey, A, O>(
        &self,
        prefix: &'static str,
        (name, (key, value)): (Option<String>, KnownSerdes<K::Plain, A>),
        spec: impl FnOnce(&str, SerdeRef<K::Plain>, SerdeRef<A>) -> StoreSpec + 'static,
        operator: impl FnOnce(&mut Wiring<'_>, &str, bool) -> O + 'static,
    ) -> PlannedAggregation<K::Plain, A>
    where
        RowKey: 'static,
        A: Data<Plain = A>,
        O: Operator<StreamOf<K, V>, TableOf<RowKey, A>>,
    {
        let mut plan = self.stream.builder.plan();
        let store = match &name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered(&format!("{prefix}STATE-STORE-")),
        };
        plan.persistent.push(store);
        let node = plan.names.numbered(prefix);
        let kept = plan.add_store(store, true);
        let key = serde_for(&mut plan, key.or_else(|| self.plain_key_serde()), "key of a store");
        let value = serde_for(&mut plan, value, "value of a store");
        drop(plan);
        let (parent, sources) = self.placed(store);
        let (serdes, sides) = ((key.clone(), value.clone()), self.stream.sides.clone());
        let step = self.stream.builder.plan().add(node, &[parent], move |plan, builder| {
            // Without serdes the plan has a fault already.
            let Some((key, value)) = key.zip(value) else { return };
            let (node, store, sends_old) = (plan.name(node), plan.name(store), plan.sends_old(kept));
            let opened = store.clone();
            builder.add_operator_with(&node, &[&plan.node(parent)], &[&store], move |wiring| {
                operator(wiring, &opened, sends_old)
            });
            builder.add_state_store(spec(&store, key, value), &[&node]);
            sides.add_to(&node, builder);
        });
        PlannedAggregation { step, sources, store: kept, serdes }
    }

    /// The serde of plain keys, where the stream's own key type is plain and its serde is known.
    pub(super) fn plain_key_serde(&self) -> Option<SerdeRef<K::Plain>> {
        let known: &dyn std::any::Any = self.stream.serdes.0.as_ref()?;
        known.downcast_ref::<SerdeRef<K::Plain>>().cloned()
    }

    /// The serde of plain values, where the stream's own value type is plain and its serde is known.
    pub(super) fn plain_value_serde(&self) -> Option<SerdeRef<V::Plain>> {
        let known: &dyn std::any::Any = self.stream.serdes.1.as_ref()?;
        known.downcast_ref::<SerdeRef<V::Plain>>().cloned()
    }
}

/// An aggregation in the plan.
struct PlannedAggregation<K: 'static, A: 'static> {
    step: StepId,
    sources: Sources,
    store: StoreId,
    serdes: KnownSerdes<K, A>,
}
