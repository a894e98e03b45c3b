//! `top_n` of a grouped stream, and what rankings of streams and of tables plan alike.

use super::lowering::Lowering;
use super::names::NameId;
use super::plan::{Plan, StepId, StoreId};
use super::stream_type::{KnownSerdes, serde_for};
use super::{GroupedStream, IntoMaterialized, Materialized, Table};
use crate::operator::{Candidate, CandidateSerde, Ranking, TopOfStream, WriteRank};
use crate::processor::{Edge, Operator, ProcessError, StreamOf, TableOf};
use crate::serde::{Data, List, Rank, SerdeRef};
use crate::state::{Store, StoreSpec};
use crate::topology::{Fault, TopologyBuilder};

impl<'b, K: Data, V: Data> GroupedStream<'b, K, V> {
    /// Ranks the records of each key: a row with the values of the `n` records of the greatest rank, the greatest first.
    ///
    /// `rank` gives what values are compared by: see [`Rank`]; `Reverse` puts the least first, a tuple says what decides
    /// between equals. Where that is equal too, the bytes of the values decide, so the same records give the same list in any
    /// order. A change comes out when the list changes, and only then; its time is the greatest of the records that came in
    /// when it did. A record that falls behind the `n` first is forgotten; for rows that change or are deleted, rank a table.
    /// Records without key or value are dropped.
    ///
    /// Stores the list, and besides each entry with its rank; name both with [`top_n_with`](Self::top_n_with).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// const BEST: Topic<String, Vec<i64>> = Topic::of("best");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().top_n(2, |value| *value).to_stream().to(&BEST);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 5).send("a", 7).send("a", 4).send("a", 6);
    /// assert_eq!(driver.output(&BEST).values(), [vec![5], vec![7, 5], vec![7, 6]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn top_n<R: Rank>(
        &self,
        n: usize,
        rank: impl Fn(&V::Plain) -> R + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, Vec<V::Plain>> {
        self.top_n_with(Materialized::default(), n, rank)
    }

    /// As [`top_n`](Self::top_n), kept as the options say; a `&Store` names the store of the lists, and that of the entries
    /// after it: `<name>-entries`.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::cmp::Reverse;
    /// use tidemill_dsl::state::Store;
    ///
    /// const CHEAPEST: Store<String, Vec<i64>> = Store::of("cheapest");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().top_n_with(&CHEAPEST, 2, |value| Reverse(*value));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 5).send("a", 7).send("a", 4);
    /// assert_eq!(driver.store(&CHEAPEST).get("a"), Some(vec![4, 5]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn top_n_with<R: Rank>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, Vec<V::Plain>>,
        n: usize,
        rank: impl Fn(&V::Plain) -> R + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, Vec<V::Plain>> {
        self.try_top_n_with(materialized, n, move |value| Ok::<_, ProcessError>(rank(value)))
    }

    /// As [`top_n_with`](Self::top_n_with), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const GREATEST: Store<String, Vec<String>> = Store::of("greatest");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().try_top_n_with(&GREATEST, 2, |value| value.parse::<i64>());
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "9").send("a", "10");
    /// assert!(driver.input(&IN).try_send("a", "no number").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_top_n_with<R: Rank, E: Into<ProcessError>>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, Vec<V::Plain>>,
        n: usize,
        rank: impl Fn(&V::Plain) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, Vec<V::Plain>> {
        let known = (self.plain_key_serde(), self.plain_value_serde());
        let mut plan = self.stream.builder.plan();
        let top = PlannedTop::new(&mut plan, "KSTREAM-TOPN-STATE-STORE-", materialized.into_materialized(), n, known);
        let (node, kept, serdes) = (plan.names.numbered("KSTREAM-TOPN-"), top.kept, top.serdes());
        drop(plan);
        let (parent, sources) = self.placed(top.store);
        let (rank, sides) = (written(rank), self.stream.sides.clone());
        let step = self.stream.builder.plan().add(node, &[parent], move |plan, builder| {
            top.lower::<StreamOf<K, V>, _>((plan, builder), node, parent, rank, TopOfStream);
            sides.add_to(&plan.name(node), builder);
        });
        Table::stored(self.stream.builder, step, sources, kept).with_serdes(serdes)
    }
}

/// What writes the ranks of values.
pub(super) fn written<V, R: Rank, E: Into<ProcessError>>(
    rank: impl Fn(&V) -> Result<R, E> + Send + Sync + 'static,
) -> WriteRank<V> {
    Box::new(move |value, out| {
        rank(value).map_err(Into::into)?.write(out);
        Ok(())
    })
}

/// A ranking in the plan: its two stores, and the serdes for them.
pub(super) struct PlannedTop<K: 'static, V: 'static> {
    n: usize,
    materialized: Materialized<K, Vec<V>>,
    pub(super) store: NameId,
    entries: NameId,
    pub(super) kept: StoreId,
    keys: Option<SerdeRef<K>>,
    values: Option<SerdeRef<V>>,
    lists: Option<SerdeRef<Vec<V>>>,
}

impl<K: Data<Plain = K>, V: Data<Plain = V>> PlannedTop<K, V> {
    pub(super) fn new(
        plan: &mut Plan,
        prefix: &str,
        materialized: Materialized<K, Vec<V>>,
        n: usize,
        (key, value): KnownSerdes<K, V>,
    ) -> Self {
        let store = match &materialized.name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered(prefix),
        };
        let entries = plan.names.joined(store, "-entries");
        plan.persistent.extend([store, entries]);
        let kept = plan.add_store(store, true);
        plan.keep_versions(kept, materialized.versions());
        let keys = serde_for(plan, materialized.key.clone().or(key), "key of a store");
        let values = serde_for(plan, value, "entry of a ranking");
        let lists = materialized.value.clone().or(values.clone().map(|values| SerdeRef::new(List::new(values))));
        PlannedTop { n, materialized, store, entries, kept, keys, values, lists }
    }

    pub(super) fn serdes(&self) -> KnownSerdes<K, Vec<V>> {
        (self.keys.clone(), self.lists.clone())
    }

    /// Adds the operator that `make` makes of the ranking, and the stores.
    pub(super) fn lower<In: Edge, O: Operator<In, TableOf<K, Vec<V>>>>(
        self,
        (plan, builder): (&Lowering<'_>, &mut TopologyBuilder),
        node: NameId,
        parent: StepId,
        rank: WriteRank<V>,
        make: impl FnOnce(Ranking<K, V>) -> O + 'static,
    ) {
        let PlannedTop { n, materialized, store, entries, kept, keys, values, lists } = self;
        let (node, store, entries) = (plan.name(node), plan.name(store), plan.name(entries));
        if n == 0 {
            let reason = "it is to keep the first 0 entries: let it keep one or more".into();
            builder.faults.push(Fault::Setting { node: node.clone(), reason });
        }
        // Without serdes the plan has a fault already.
        let (Some(keys), Some(values), Some(lists)) = (keys, values, lists) else { return };
        let (sends_old, names, key) = (plan.sends_old(kept), (store.clone(), entries.clone()), keys.clone());
        let stores = [&*store, &*entries];
        builder.add_operator_with::<In, TableOf<K, Vec<V>>, O>(&node, &[&plan.node(parent)], &stores, move |wiring| {
            let top = wiring.table_rows(&names.0, sends_old);
            make(Ranking { n, keys: key, values, rank, top, candidates: wiring.store(&names.1) })
        });
        let candidates = Store::<Vec<u8>, Candidate>::new(&*entries, SerdeRef::of(), SerdeRef::new(CandidateSerde));
        let candidates = materialized.keeping_beside(StoreSpec::plain(&candidates));
        builder.add_state_store(materialized.spec(&store, keys, lists), &[&node]);
        builder.add_state_store(candidates, &[&node]);
    }
}
