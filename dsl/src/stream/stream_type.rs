//! A stream of records, as the program's author sees it.

use std::marker::PhantomData;
use std::rc::Rc;

use super::StreamsBuilder;
use super::plan::{Effect, Plan, StepId};
use super::sides::Sides;
use crate::processor::{Operator, StreamOf};
use crate::serde::{Data, SerdeRef};
use crate::topology::Fault;

/// The sources that records of a stream come from, back to the last repartition topic.
#[derive(Clone)]
pub(super) struct Sources(Rc<[StepId]>);

impl Sources {
    pub(super) fn one(step: StepId) -> Self {
        Sources(Rc::new([step]))
    }

    pub(super) fn and(&self, other: &Sources) -> Self {
        let mut all = self.0.to_vec();
        all.extend(other.0.iter().filter(|step| !self.0.contains(step)));
        Sources(all.into())
    }

    pub(super) fn steps(&self) -> &[StepId] {
        &self.0
    }
}

/// Serdes that are known because a source or an option named them.
pub(super) type KnownSerdes<K, V> = (Option<SerdeRef<K>>, Option<SerdeRef<V>>);

/// A stream of records with keys `K` and values `V`, either of which may be an `Option`.
///
/// Its verbs describe; nothing runs before the topology is built and given to an application or a test driver.
pub struct Stream<'b, K: 'static, V: 'static> {
    pub(super) builder: &'b StreamsBuilder,
    pub(super) step: StepId,
    pub(super) sources: Sources,
    /// Whether the key may have changed since records were last placed by it.
    pub(super) rekeyed: bool,
    pub(super) serdes: KnownSerdes<K, V>,
    /// Where verbs called on this stream send what they drop.
    pub(super) sides: Sides<K, V>,
    pub(super) types: PhantomData<fn(K, V)>,
}

impl<K, V> Clone for Stream<'_, K, V> {
    fn clone(&self) -> Self {
        Stream { sources: self.sources.clone(), serdes: self.serdes.clone(), sides: self.sides.clone(), ..*self }
    }
}

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    pub(super) fn new(builder: &'b StreamsBuilder, step: StepId, sources: Sources, serdes: KnownSerdes<K, V>) -> Self {
        Stream { builder, step, sources, rekeyed: false, serdes, sides: Sides::default(), types: PhantomData }
    }

    /// Gives the node that the last verb made a name of its own, in place of a numbered one.
    ///
    /// Where that verb made a repartition topic, the topic is called after it too. A name on disk should be its author's:
    /// numbered ones move when an operator is added upstream.
    #[must_use = "the name belongs to the node, and the stream goes on from it"]
    pub fn named(self, name: &str) -> Self {
        let mut plan = self.builder.plan();
        let id = plan.naming(self.step);
        plan.names.give(id, name);
        drop(plan);
        self
    }

    /// Adds an operator after this stream.
    pub(super) fn then<K2: Data, V2: Data>(
        &self,
        prefix: &str,
        operator: impl Operator<StreamOf<K, V>, StreamOf<K2, V2>>,
    ) -> Stream<'b, K2, V2> {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered(prefix));
        let step = plan.add(name, &[parent], move |plan, builder| {
            builder.add_operator(&plan.name(name), &[&plan.node(parent)], operator);
        });
        self.continued(step, self.rekeyed, (None, None))
    }

    /// The stream behind `step`, from the same sources.
    pub(super) fn continued<K2: Data, V2: Data>(
        &self,
        step: StepId,
        rekeyed: bool,
        serdes: KnownSerdes<K2, V2>,
    ) -> Stream<'b, K2, V2> {
        Stream { rekeyed, ..Stream::new(self.builder, step, self.sources.clone(), serdes) }
    }

    pub(super) fn with_serdes(self, serdes: KnownSerdes<K, V>) -> Self {
        Stream { serdes, ..self }
    }

    /// Says that the last operator may have changed the key.
    pub(super) fn rekeyed(self) -> Self {
        self.builder.plan().set_effect(self.step, Effect::ChangesKey);
        Stream { rekeyed: true, ..self }
    }

    /// Adds an operator after this stream that lets records through as they are, or drops them.
    pub(super) fn passed(&self, prefix: &str, operator: impl Operator<StreamOf<K, V>, StreamOf<K, V>>) -> Self {
        let passed = self.then(prefix, operator);
        self.builder.plan().set_effect(passed.step, Effect::Passes);
        passed.with_serdes(self.serdes.clone())
    }

    /// Records a fault when another builder made the other side.
    pub(super) fn check_builder(&self, other: &StreamsBuilder, verb: &'static str) -> bool {
        check_builder(self.builder, other, verb)
    }
}

/// Records a fault when the two sides of a verb come from different builders.
pub(super) fn check_builder(this: &StreamsBuilder, other: &StreamsBuilder, verb: &'static str) -> bool {
    let same = std::ptr::eq(this, other);
    if !same {
        this.plan().faults.push(Fault::OtherBuilder { verb });
    }
    same
}

/// The serde to write a type with: the one that is known, or the type's own. Without either the plan gets a fault.
pub(super) fn serde_for<T: Data>(
    plan: &mut Plan,
    known: Option<SerdeRef<T>>,
    what: &'static str,
) -> Option<SerdeRef<T>> {
    let serde = known.or_else(|| T::OWN_SERDE.map(SerdeRef::Static));
    if serde.is_none() {
        plan.faults.push(Fault::NoSerde { what, type_name: std::any::type_name::<T>() });
    }
    serde
}
