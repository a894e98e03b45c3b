//! Several grouped streams folded into one table.
//!
//! Rule: each stream has its fold and its node, all of them share one store, and their changes come out of one node. How a
//! stream is placed and connected is the same for every kind of store, so it is written once, in [`plan_members`].

use std::rc::Rc;
use std::sync::Arc;

use super::names::NameId;
use super::plan::{StepId, StoreId};
use super::stream_type::{Sources, check_builder, serde_for};
use super::{GroupedStream, IntoMaterialized, StreamsBuilder, Table};
use crate::operator::{Aggregate, PassOn};
use crate::processor::{Edge, ProcessError, StreamOf, TableOf};
use crate::serde::Data;
use crate::state::StoreSpec;
use crate::topology::TopologyBuilder;

/// A stream that folds into a shared store, whatever its values are. `S` is what all folds into that store share.
pub(super) struct Member<'b, S> {
    /// The step that the fold connects to, behind a repartition topic if the key may have changed; and its sources.
    pub(super) placed: Rc<dyn Fn(NameId) -> (StepId, Sources) + 'b>,
    pub(super) fold: Rc<AddFold<S>>,
}

/// Adds the node that folds a stream.
pub(super) type AddFold<S> = dyn Fn(FoldNode<'_, S>, &mut TopologyBuilder);

impl<S> Clone for Member<'_, S> {
    fn clone(&self) -> Self {
        Member { placed: self.placed.clone(), fold: self.fold.clone() }
    }
}

/// Where a fold stands.
pub(super) struct FoldNode<'a, S> {
    pub(super) name: &'a str,
    pub(super) parent: &'a str,
    pub(super) store: &'a Arc<str>,
    /// Whether rows are wanted as they were before a change.
    pub(super) sends_old: bool,
    pub(super) shared: &'a S,
}

/// Plans a node per stream and one below all of them, from which the changes of the table `Out` go on.
pub(super) fn plan_members<S: 'static, Out: Edge>(
    builder: &StreamsBuilder,
    members: &[Member<'_, S>],
    (store, kept): (NameId, StoreId),
    shared: S,
    spec: Option<impl FnOnce(&str) -> StoreSpec + 'static>,
) -> (StepId, Sources) {
    let placed: Vec<(StepId, Sources)> = members.iter().map(|member| (member.placed)(store)).collect();
    let mut plan = builder.plan();
    let table = plan.names.later();
    let (shared, mut spec) = (Rc::new(shared), spec);
    let mut folds = Vec::new();
    for (number, (member, (parent, _))) in members.iter().zip(&placed).enumerate() {
        let node = plan.names.derived(table, &format!("-cogroup-agg-{number}"), "COGROUPKSTREAM-AGGREGATE-");
        let (fold, shared, parent, spec) = (member.fold.clone(), shared.clone(), *parent, spec.take());
        folds.push(plan.add(node, &[parent], move |plan, builder| {
            let Some(store) = plan.store(kept) else { return };
            let (name, parent, sends_old) = (plan.name(node), plan.node(parent), plan.sends_old(kept));
            fold(FoldNode { name: &name, parent: &parent, store: &store, sends_old, shared: &shared }, builder);
            if let Some(spec) = spec {
                builder.add_state_store(spec(&store), &[&name]);
            }
        }));
    }
    let merge = plan.names.derived(table, "-cogroup-merge", "COGROUPKSTREAM-MERGE-");
    let sources = placed.iter().skip(1).fold(placed[0].1.clone(), |all, (_, sources)| all.and(sources));
    let (parents, copartitioned) = (folds.clone(), sources.clone());
    let step = plan.add(merge, &folds, move |plan, builder| {
        let parents: Vec<Arc<str>> = parents.iter().map(|fold| plan.node(*fold)).collect();
        let parents: Vec<&str> = parents.iter().map(|name| &**name).collect();
        builder.add_operator::<Out, Out>(&plan.name(merge), &parents, PassOn);
        plan.copartition(&copartitioned, builder);
    });
    plan.rename_to(step, table);
    (step, sources)
}

/// Makes the first state of a row.
type Initial<A> = Arc<dyn Fn() -> A + Send + Sync>;

/// Streams with equal key types, each with a fold into the same rows. The verb is [`aggregate`](Cogrouped::aggregate).
pub struct Cogrouped<'b, K: 'static, A: 'static> {
    builder: &'b StreamsBuilder,
    members: Vec<Member<'b, Initial<A>>>,
    key: std::marker::PhantomData<fn(K)>,
}

impl<'b, K: Data, V: Data> GroupedStream<'b, K, V> {
    /// Begins a table that several streams are folded into: the rows are of one type, the streams' values need not be.
    ///
    /// `fold` takes the row so far and gives the new one, or `None` to delete it. [`and`](Cogrouped::and) adds a stream,
    /// [`aggregate`](Cogrouped::aggregate) says where a row begins and where the rows are kept.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const DEPOSITS: Topic<String, i64> = Topic::of("deposits");
    /// # const NOTES: Topic<String, String> = Topic::of("notes");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use tidemill_dsl::state::Store;
    ///
    /// const STORIES: Store<String, String> = Store::of("stories");
    /// # let builder = StreamsBuilder::new();
    /// let (deposits, notes) = (builder.stream(&DEPOSITS).group_by_key(), builder.stream(&NOTES).group_by_key());
    /// deposits
    ///     .cogroup(|story: String, _account, amount| format!("{story}+{amount} "))
    ///     .and(&notes, |story, _account, note| format!("{story}{note} "))
    ///     .aggregate(&STORIES, String::new)
    ///     .to_stream()
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&DEPOSITS).send("alice", 10);
    /// driver.input(&NOTES).send("alice", "thanks");
    /// assert_eq!(driver.output(&OUT).values(), ["+10 ", "+10 thanks "]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cogroup<A, R>(
        &self,
        fold: impl Fn(A, &K::Plain, &V::Plain) -> R + Send + Sync + 'static,
    ) -> Cogrouped<'b, K::Plain, A>
    where
        A: Data<Plain = A>,
        R: Into<Option<A>>,
    {
        self.try_cogroup(move |row, key, value| Ok::<_, ProcessError>(fold(row, key, value)))
    }

    /// As [`cogroup`](Self::cogroup), with a fold that can fail; an error fails the task, naming the record.
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
    ///     .try_cogroup(|sum: i64, _key, value| sum.checked_add(*value).ok_or("overflow"))
    ///     .aggregate(&SUMS, || 0);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", i64::MAX);
    /// assert!(driver.input(&IN).try_send("a", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_cogroup<A, R, E>(
        &self,
        fold: impl Fn(A, &K::Plain, &V::Plain) -> Result<R, E> + Send + Sync + 'static,
    ) -> Cogrouped<'b, K::Plain, A>
    where
        A: Data<Plain = A>,
        R: Into<Option<A>>,
        E: Into<ProcessError>,
    {
        let none = Cogrouped { builder: self.stream.builder, members: Vec::new(), key: std::marker::PhantomData };
        none.try_and(self, fold)
    }

    /// A stream whose fold makes rows in a key-value store.
    fn member<A, R, E>(
        &self,
        fold: impl Fn(A, &K::Plain, &V::Plain) -> Result<R, E> + Send + Sync + 'static,
    ) -> Member<'b, Initial<A>>
    where
        A: Data<Plain = A>,
        R: Into<Option<A>>,
        E: Into<ProcessError>,
    {
        let (grouped, sides, fold) = (self.clone(), self.stream.sides.clone(), Arc::new(fold));
        let add = move |node: FoldNode<'_, Initial<A>>, builder: &mut TopologyBuilder| {
            let (store, initial, fold) = (node.store.clone(), node.shared.clone(), fold.clone());
            let fold = move |row: A, key: &K::Plain, value: &V::Plain| {
                fold(row, key, value).map(Into::into).map_err(Into::into)
            };
            let (stores, sends_old) = ([&*store.clone()], node.sends_old);
            builder.add_operator_with::<StreamOf<K, V>, TableOf<K::Plain, A>, _>(
                node.name,
                &[node.parent],
                &stores,
                move |wiring| {
                    let store = wiring.table_rows(&store, sends_old);
                    Aggregate { store, initial: move || initial(), fold }
                },
            );
            sides.add_to(node.name, builder);
        };
        Member { placed: Rc::new(move |store| grouped.placed(store)), fold: Rc::new(add) }
    }
}

impl<'b, K: Data<Plain = K>, A: Data<Plain = A>> Cogrouped<'b, K, A> {
    /// Adds a stream with its fold. If its key may have changed, it goes through a repartition topic of its own.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const WON: Topic<String, i64> = Topic::of("won");
    /// # const LOST: Topic<String, i64> = Topic::of("lost");
    /// use tidemill_dsl::state::Store;
    ///
    /// const BALANCES: Store<String, i64> = Store::of("balances");
    /// # let builder = StreamsBuilder::new();
    /// let lost = builder.stream(&LOST).group_by_key();
    /// let won = builder.stream(&WON).group_by_key();
    /// won.cogroup(|sum: i64, _, value| sum + value).and(&lost, |sum, _, value| sum - value).aggregate(&BALANCES, || 0);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&WON).send("a", 5);
    /// driver.input(&LOST).send("a", 2);
    /// assert_eq!(driver.store(&BALANCES).get("a"), Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "a cogroup makes nothing before `aggregate`"]
    pub fn and<K2: Data<Plain = K>, V: Data, R: Into<Option<A>>>(
        self,
        grouped: &GroupedStream<'b, K2, V>,
        fold: impl Fn(A, &K, &V::Plain) -> R + Send + Sync + 'static,
    ) -> Self {
        self.try_and(grouped, move |row, key, value| Ok::<_, ProcessError>(fold(row, key, value)))
    }

    /// As [`and`](Self::and), with a fold that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const WON: Topic<String, i64> = Topic::of("won");
    /// # const LOST: Topic<String, i64> = Topic::of("lost");
    /// use tidemill_dsl::state::Store;
    ///
    /// const BALANCES: Store<String, u64> = Store::of("balances");
    /// # let builder = StreamsBuilder::new();
    /// let lost = builder.stream(&LOST).group_by_key();
    /// let won = builder.stream(&WON).group_by_key();
    /// won.cogroup(|sum: u64, _, value| sum.saturating_add_signed(*value))
    ///     .try_and(&lost, |sum, _, value| sum.checked_add_signed(-value).ok_or("more lost than there was"))
    ///     .aggregate(&BALANCES, || 0);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&WON).send("a", 5);
    /// assert!(driver.input(&LOST).try_send("a", 6).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "a cogroup makes nothing before `aggregate`"]
    pub fn try_and<K2: Data<Plain = K>, V: Data, R: Into<Option<A>>, E: Into<ProcessError>>(
        mut self,
        grouped: &GroupedStream<'b, K2, V>,
        fold: impl Fn(A, &K, &V::Plain) -> Result<R, E> + Send + Sync + 'static,
    ) -> Self {
        if check_builder(self.builder, grouped.stream.builder, "cogroup") {
            self.members.push(grouped.member(fold));
        }
        self
    }

    /// Folds all streams into one row per key: `initial` makes the first state of a row.
    ///
    /// The rows are kept as the options say; a `&Store` keeps them on disk, with a changelog, under its name. A row's time is
    /// the greatest of its records. Every update comes out. Records of one stream are folded in their order; between the
    /// streams the order is that in which their task takes them, by time. Records without key or value are dropped and
    /// counted. All topics need equal numbers of partitions; repartition topics follow the others. See
    /// [`cogroup`](GroupedStream::cogroup) for an example.
    pub fn aggregate(
        &self,
        materialized: impl IntoMaterialized<K, A>,
        initial: impl Fn() -> A + Send + Sync + 'static,
    ) -> Table<'b, K, A> {
        let materialized = materialized.into_materialized();
        let mut plan = self.builder.plan();
        let store = match &materialized.name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered("COGROUPKSTREAM-AGGREGATE-STATE-STORE-"),
        };
        plan.persistent.push(store);
        let kept = plan.add_store(store, true);
        plan.keep_versions(kept, materialized.versions());
        let key = serde_for(&mut plan, materialized.key.clone(), "key of a store");
        let value = serde_for(&mut plan, materialized.value.clone(), "value of a store");
        drop(plan);
        let serdes = (key.clone(), value.clone());
        let spec = key.zip(value).map(|(key, value)| move |name: &str| materialized.spec(name, key, value));
        let initial: Initial<A> = Arc::new(initial);
        let (step, sources) =
            plan_members::<_, TableOf<K, A>>(self.builder, &self.members, (store, kept), initial, spec);
        Table::stored(self.builder, step, sources, kept).with_serdes(serdes)
    }
}
