//! Plans a join of two streams: names, stores and nodes.

use std::any::{Any, TypeId};
use std::sync::Arc;

use super::options::{Keeping, StoreNames};
use super::{Joiner, Pads, StreamJoined};
use crate::operator::{JoinItself, JoinStreams, KeepForJoin, OnLeft, OnRight, PassOn, Side, Waiting, waiting_spec};
use crate::processor::StreamOf;
use crate::serde::{Data, Nullable, SerdeRef};
use crate::state::{Duplicates, RowFormat, StoreSpec, WindowKeeping, WindowStore};
use crate::stream::Stream;
use crate::stream::lowering::Lowering;
use crate::stream::names::{NameId, Names};
use crate::stream::optimization::Optimization;
use crate::stream::plan::{Plan, StepId};
use crate::stream::repartition::{Repartition, plan_join_repartition};
use crate::stream::stream_type::{KnownSerdes, Sources, serde_for};
use crate::topology::{TopologyBuilder, Wiring};
use crate::window::{JoinWindows, WindowEnds};

/// The names of one side's nodes and store.
#[derive(Clone, Copy)]
struct SideNames {
    windowed: NameId,
    join: NameId,
    store: NameId,
}

/// The names of a join.
#[derive(Clone, Copy)]
struct JoinNames {
    left: SideNames,
    right: SideNames,
    merge: NameId,
    waiting: NameId,
}

impl JoinNames {
    /// Takes the numbers, in the order in which Kafka Streams takes them. `base` is the name that the author may give.
    fn take(names: &mut Names, base: NameId, pads: Pads, stores: &StoreNames) -> Self {
        let windowed_left = names.derived(base, "-this-windowed", "KSTREAM-WINDOWED-");
        let windowed_right = names.derived(base, "-other-windowed", "KSTREAM-WINDOWED-");
        let of_left =
            if pads.right { ("KSTREAM-OUTERTHIS-", "-outer-this-join") } else { ("KSTREAM-JOINTHIS-", "-this-join") };
        let of_right = if pads.left {
            ("KSTREAM-OUTEROTHER-", "-outer-other-join")
        } else {
            ("KSTREAM-JOINOTHER-", "-other-join")
        };
        let (left, right) = (names.numbered(of_left.0), names.numbered(of_right.0));
        let merge = names.derived(base, "-merge", "KSTREAM-MERGE-");
        let mut side = |windowed, numbered, ending, own: Option<&String>| {
            let given = names.joined(base, ending);
            let store = match (own, stores) {
                (Some(own), _) => names.fixed(own),
                (None, StoreNames::After(name)) => names.fixed(&format!("{name}{ending}-store")),
                (None, _) => names.joined(numbered, "-store"),
            };
            SideNames { windowed, join: names.named_or(given, numbered), store }
        };
        let own = match stores {
            StoreNames::Each(left, right) => (Some(left), Some(right)),
            _ => (None, None),
        };
        let sides = (side(windowed_left, left, of_left.1, own.0), side(windowed_right, right, of_right.1, own.1));
        let shared = if pads.right { "-outer-shared-join-store" } else { "-left-shared-join-store" };
        let waiting = match stores {
            StoreNames::After(name) | StoreNames::Each(name, _) => names.fixed(&format!("{name}{shared}")),
            StoreNames::Numbered => {
                let shared = names.sibling(left, "KSTREAM-OUTERSHARED-");
                names.joined(shared, "-store")
            }
        };
        JoinNames { left: sides.0, right: sides.1, merge, waiting }
    }
}

/// The serdes of a join's stores.
struct StoreSerdes<K: 'static, V: 'static, W: 'static> {
    key: SerdeRef<K>,
    left: SerdeRef<V>,
    right: SerdeRef<W>,
}

impl<'b, K, V> Stream<'b, K, V>
where
    K: Data,
    V: Data<Plain: Clone>,
{
    pub(super) fn plan_join_streams<W, R>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        pads: Pads,
        joined: StreamJoined<K::Plain, V::Plain, W::Plain>,
        join: impl Joiner<K, V::Plain, W::Plain, R>,
    ) -> Stream<'b, K, R>
    where
        W: Data<Plain: Clone>,
        R: Data,
    {
        let key = joined.key.clone().or_else(|| plain(self.serdes.0.as_ref()));
        if !self.check_builder(other.builder, pads.verb()) {
            // The other stream's places mean nothing in this plan, which has a fault now and is never built.
            return self.continued(self.step, false, (self.serdes.0.clone(), None));
        }
        let mut plan = self.builder.plan();
        let base = plan.names.later();
        let left = self.placed_for_join(&mut plan, base, "-left", (joined.key.clone(), joined.left.clone()));
        let right = other.placed_for_join(&mut plan, base, "-right", (joined.key.clone(), joined.right.clone()));
        let names = JoinNames::take(&mut plan.names, base, pads, &joined.names);
        plan.persistent.extend([names.left.store, names.right.store]);
        plan.persistent.extend(pads.any().then_some(names.waiting));
        let keeping = joined.keeping();
        let keys = serde_for(&mut plan, key.clone(), "key of a join's store");
        let lefts = joined.left.or_else(|| plain(self.serdes.1.as_ref()));
        let rights = joined.right.or_else(|| plain(other.serdes.1.as_ref()));
        let lefts = serde_for(&mut plan, lefts, "value of a join's store");
        let rights = serde_for(&mut plan, rights, "value of a join's store");
        let sources = left.1.and(&right.1);
        let (left, right, copartitioned) = (left.0, right.0, sources.clone());
        let sides = (self.sides.clone(), other.sides.clone());
        let step = plan.add(names.merge, &[left, right], move |plan, builder| {
            // Without serdes the plan has a fault already.
            let (Some(key), Some(left_serde), Some(right_serde)) = (keys, lefts, rights) else { return };
            let serdes = StoreSerdes { key, left: left_serde, right: right_serde };
            let lowering = JoinLowering::new(plan, &names, (left, right), (windows, pads, keeping));
            match lowering.once::<V::Plain, W::Plain>() {
                Some(as_right) => {
                    lowering.add_once::<K, V, W, R, _>(serdes, (join, as_right), builder);
                    sides.0.add_to(&lowering.merge, builder);
                }
                None => {
                    lowering.add::<K, V, W, R, _>(serdes, join, builder);
                    sides.0.add_to(&lowering.left.join, builder);
                    sides.1.add_to(&lowering.right.join, builder);
                }
            }
            plan.copartition(&copartitioned, builder);
        });
        plan.windows_cannot_be(step, windows.fault());
        plan.rename_to(step, base);
        if pads.any() {
            plan.take_null_keys(step);
        }
        drop(plan);
        let known = joined.key.map(|key| SerdeRef::new(Nullable::new(key))).or(self.serdes.0.clone());
        Stream { sources, ..self.continued(step, false, (known, None)) }
    }

    /// The stream placed by its key, behind a repartition topic if that may have changed, and its sources.
    fn placed_for_join(
        &self,
        plan: &mut Plan,
        base: NameId,
        ending: &str,
        (key, value): KnownSerdes<K::Plain, V::Plain>,
    ) -> (StepId, Sources) {
        if !self.rekeyed {
            return (self.step, self.sources.clone());
        }
        let last = plan.naming(self.step);
        let given = plan.names.joined(base, ending);
        let topic = plan.names.named_or(given, last);
        let key = key.map(|key| SerdeRef::new(Nullable::new(key))).or(self.serdes.0.clone());
        let value = value.map(|value| SerdeRef::new(Nullable::new(value))).or(self.serdes.1.clone());
        let placed = plan_join_repartition(
            plan,
            self.step,
            base,
            Repartition::new(topic, &(key, value), self.sides.before_windows()),
        );
        (placed, Sources::one(placed))
    }
}

/// The serde of plain values, where the type is plain itself.
fn plain<T: Data>(known: Option<&SerdeRef<T>>) -> Option<SerdeRef<T::Plain>> {
    let known: &dyn Any = known?;
    known.downcast_ref::<SerdeRef<T::Plain>>().cloned()
}

/// Takes a value for one of the right side.
type AsRight<V, W> = fn(&V) -> &W;

/// How a value is one of the right side, if both sides have values of one type.
fn as_right<V: 'static, W: 'static>() -> Option<AsRight<V, W>> {
    fn same<V: 'static, W: 'static>(value: &V) -> &W {
        let value: &dyn Any = value;
        value.downcast_ref().expect("the types were compared before")
    }
    (TypeId::of::<V>() == TypeId::of::<W>()).then_some(same)
}

/// A join that is being lowered.
struct JoinLowering<'a> {
    plan: &'a Lowering<'a>,
    windows: JoinWindows,
    pads: Pads,
    keeping: Keeping,
    left: SideNodes,
    right: SideNodes,
    merge: Arc<str>,
    /// The store of the records that wait, if any do.
    waiting: Option<Arc<str>>,
}

/// The nodes and the store of one side.
struct SideNodes {
    parent: Arc<str>,
    windowed: Arc<str>,
    join: Arc<str>,
    store: Arc<str>,
}

impl SideNodes {
    fn new(plan: &Lowering<'_>, parent: StepId, names: SideNames) -> Self {
        let name = |id| plan.name(id);
        SideNodes {
            parent: plan.node(parent),
            windowed: name(names.windowed),
            join: name(names.join),
            store: name(names.store),
        }
    }
}

impl<'a> JoinLowering<'a> {
    fn new(
        plan: &'a Lowering<'a>,
        names: &JoinNames,
        (left, right): (StepId, StepId),
        (windows, pads, keeping): (JoinWindows, Pads, Keeping),
    ) -> Self {
        let (left, right) = (SideNodes::new(plan, left, names.left), SideNodes::new(plan, right, names.right));
        let waiting = pads.any().then(|| plan.name(names.waiting));
        JoinLowering { plan, windows, pads, keeping, left, right, merge: plan.name(names.merge), waiting }
    }

    /// How a value of this stream is one of the other, if both are the same stream and it is to be stored once.
    fn once<V: 'static, W: 'static>(&self) -> Option<AsRight<V, W>> {
        let wanted = self.plan.optimizations.wants(Optimization::SingleStoreSelfJoin);
        as_right().filter(|_| wanted && self.left.parent == self.right.parent)
    }

    fn spec<K: Send + 'static, V: Send + 'static>(
        &self,
        side: &SideNodes,
        key: &SerdeRef<K>,
        value: SerdeRef<V>,
    ) -> StoreSpec {
        let duplicates = Some(Duplicates { absent_moves_time: self.keeping.in_memory });
        let (size, retention) = (self.windows.size(), self.windows.retention());
        let keeping = WindowKeeping { ends: WindowEnds::Size(size), retention, duplicates, closing: false };
        let store = WindowStore::new(&*side.store, key.clone(), value);
        self.keeping.of(StoreSpec::windowed(&store, RowFormat::Plain, keeping))
    }

    /// Adds the node that keeps the records of a side.
    fn add_keeper<K: Data, V: Data<Plain: Clone>>(&self, side: &SideNodes, builder: &mut TopologyBuilder) {
        let store = side.store.clone();
        let keeper = move |wiring: &mut Wiring<'_>| KeepForJoin::<K::Plain, V::Plain> { store: wiring.store(&store) };
        let (parents, stores) = ([&*side.parent], [&*side.store]);
        builder.add_operator_with::<StreamOf<K, V>, StreamOf<K, V>, _>(&side.windowed, &parents, &stores, keeper);
    }

    /// Adds the node that joins the records of a side.
    fn add_side<K, V, S, R, F>(&self, keys: SerdeRef<K::Plain>, join: Arc<F>, builder: &mut TopologyBuilder)
    where
        K: Data,
        V: Data<Plain = S::This>,
        S: Side,
        R: Data,
        F: Joiner<K, S::Left, S::Right, R>,
    {
        let declared = self.windows.reach();
        let (side, other, reach, pads) = match S::IS_LEFT {
            true => (&self.left, &self.right, declared, self.pads.left),
            false => (&self.right, &self.left, declared.turned(), self.pads.right),
        };
        let mut stores = vec![&*other.store];
        stores.extend(self.waiting.as_deref());
        let (grace, other, waiting) = (self.windows.grace(), other.store.clone(), self.waiting.clone());
        // The two sides share one time, under the name of the left one.
        let timed = self.left.join.clone();
        let operator = move |wiring: &mut Wiring<'_>| {
            let time = wiring.shared_time(&timed);
            let waiting =
                waiting.map(|name| Waiting { store: wiring.store(&name), keys, reach: declared, grace, time });
            JoinStreams::<K, S, F> { other: wiring.store(&other), reach, grace, waiting, pads, time, join }
        };
        builder.add_operator_with::<StreamOf<K, V>, StreamOf<K, R>, _>(
            &side.join,
            &[&side.windowed],
            &stores,
            operator,
        );
    }

    fn add<K, V, W, R, F>(
        &self,
        serdes: StoreSerdes<K::Plain, V::Plain, W::Plain>,
        join: F,
        builder: &mut TopologyBuilder,
    ) where
        K: Data,
        V: Data<Plain: Clone>,
        W: Data<Plain: Clone>,
        R: Data,
        F: Joiner<K, V::Plain, W::Plain, R>,
    {
        let (left, right, join) = (&self.left, &self.right, Arc::new(join));
        let StoreSerdes { key, left: lefts, right: rights } = serdes;
        self.add_keeper::<K, V>(left, builder);
        self.add_keeper::<K, W>(right, builder);
        self.add_side::<K, V, OnLeft<V::Plain, W::Plain>, R, F>(key.clone(), join.clone(), builder);
        self.add_side::<K, W, OnRight<V::Plain, W::Plain>, R, F>(key.clone(), join, builder);
        builder.add_operator::<StreamOf<K, R>, StreamOf<K, R>>(&self.merge, &[&left.join, &right.join], PassOn);
        builder.add_state_store(self.spec(left, &key, lefts.clone()), &[&left.windowed, &right.join]);
        builder.add_state_store(self.spec(right, &key, rights.clone()), &[&right.windowed, &left.join]);
        if let Some(waiting) = &self.waiting {
            let spec = self.keeping.of(waiting_spec(waiting, lefts, rights));
            builder.add_state_store(spec, &[&left.join, &right.join]);
        }
    }

    /// Adds a join of a stream with itself that stores it once; `as_right` takes its values for those of the right side.
    fn add_once<K, V, W, R, F>(
        &self,
        serdes: StoreSerdes<K::Plain, V::Plain, W::Plain>,
        (join, as_right): (F, AsRight<V::Plain, W::Plain>),
        builder: &mut TopologyBuilder,
    ) where
        K: Data,
        V: Data<Plain: Clone>,
        W: Data,
        R: Data,
        F: Joiner<K, V::Plain, W::Plain, R>,
    {
        let left = &self.left;
        let (reach, retention, opened) = (self.windows.reach(), self.windows.retention(), left.store.clone());
        self.add_keeper::<K, V>(left, builder);
        let operator = move |wiring: &mut Wiring<'_>| {
            let (store, time) = (wiring.store(&opened), wiring.add_time());
            JoinItself::<K::Plain, V::Plain, W::Plain, F> { store, reach, retention, time, join, as_right }
        };
        let (parents, stores) = ([&*left.windowed], [&*left.store]);
        builder.add_operator_with::<StreamOf<K, V>, StreamOf<K, R>, _>(&self.merge, &parents, &stores, operator);
        builder.add_state_store(self.spec(left, &serdes.key, serdes.left), &[&left.windowed, &self.merge]);
    }
}
