//! What the verbs wrote down, in the order of the calls, until `build` lowers it.

use std::sync::Arc;
use std::time::Duration;

use super::builder::StoreFormat;
use super::lowering::Lowering;
use super::names::{NameId, Names};
use super::optimization::Optimizations;
use super::repartition::PlannedTopic;
use super::shape::Shape;
use crate::state::KeptHeaders;
use crate::topology::{Fault, TopologyBuilder};

/// A step's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StepId(pub(super) usize);

type Lower = Box<dyn FnOnce(&Lowering<'_>, &mut TopologyBuilder)>;

/// What a step does to records, as far as it matters to where a repartition topic may stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Effect {
    /// Makes others of them, or it is not known.
    #[default]
    Makes,
    /// Makes others of them, whose key may be another one.
    ChangesKey,
    /// Lets them through, or drops them: a topic that stands below may as well stand above.
    Passes,
    /// Brings streams together and lets everything through.
    Merges,
}

/// What a step makes.
enum Make {
    /// Nodes.
    Nodes(Lower),
    /// A repartition topic, with its sink and its source.
    Topic(PlannedTopic),
}

struct Step {
    /// The name of the node that children connect to.
    output: NameId,
    /// The name that `.named(..)` changes.
    naming: NameId,
    /// The steps whose nodes this one's connect to.
    parents: Vec<StepId>,
    effect: Effect,
    /// Whether it has a use for records without a key: a left join (KIP-962).
    takes_null_keys: bool,
    /// Taken when it is lowered.
    make: Option<Make>,
}

/// A store that exists only if something needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoreId(usize);

struct PlannedStore {
    name: NameId,
    needed: bool,
    sends_old: bool,
    /// How long versions of rows are kept, where they are.
    retention: Option<Duration>,
}

/// The program as it was written.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) names: Names,
    steps: Vec<Step>,
    stores: Vec<PlannedStore>,
    /// Names that reach the disk: stores and repartition topics.
    pub(super) persistent: Vec<NameId>,
    /// For each stream that was joined the source of its last repartition topic: the next join without a name of its own
    /// reads that.
    pub(super) joined: Vec<(StepId, StepId)>,
    /// Sources by the topics that they read.
    pub(super) sources: Vec<(Vec<String>, StepId)>,
    pub(super) optimizations: Optimizations,
    pub(super) faults: Vec<Fault>,
    /// Windowed aggregations, and how long after its end a window still takes records, in milliseconds.
    graces: Vec<(StepId, i64)>,
    /// Steps whose windows cannot be, and why.
    wrong_windows: Vec<(StepId, String)>,
    /// Steps that let changes of a versioned table wait, which cannot be.
    pub(super) versions_before_suppress: Vec<StepId>,
    /// What the rows of the stores of tables keep.
    pub(super) store_format: StoreFormat,
}

impl Plan {
    /// Adds a step below its parents; `lower` turns it into nodes.
    pub(super) fn add(
        &mut self,
        output: NameId,
        parents: &[StepId],
        lower: impl FnOnce(&Lowering<'_>, &mut TopologyBuilder) + 'static,
    ) -> StepId {
        self.add_step(output, parents, Make::Nodes(Box::new(lower)))
    }

    /// Adds a repartition topic below its parent.
    pub(super) fn add_topic(&mut self, source: NameId, parent: StepId, topic: PlannedTopic) -> StepId {
        self.add_step(source, &[parent], Make::Topic(topic))
    }

    fn add_step(&mut self, output: NameId, parents: &[StepId], make: Make) -> StepId {
        let parents = parents.to_vec();
        let (effect, takes_null_keys) = (Effect::default(), false);
        self.steps.push(Step { output, naming: output, parents, effect, takes_null_keys, make: Some(make) });
        StepId(self.steps.len() - 1)
    }

    /// Says what a step does to records.
    pub(super) fn set_effect(&mut self, step: StepId, effect: Effect) {
        self.steps[step.0].effect = effect;
    }

    /// Says that a step has a use for records without a key, so that no repartition topic above drops them.
    pub(super) fn take_null_keys(&mut self, step: StepId) {
        self.steps[step.0].takes_null_keys = true;
    }

    /// Says how long after its end a window of an aggregation still takes records.
    pub(super) fn set_grace(&mut self, step: StepId, grace: i64) {
        self.graces.push((step, grace));
    }

    /// Says why the windows of a step cannot be, if anything is wrong with them.
    pub(super) fn windows_cannot_be(&mut self, step: StepId, reasons: impl IntoIterator<Item = String>) {
        self.wrong_windows.extend(reasons.into_iter().map(|reason| (step, reason)));
    }

    /// How long windows of a table's keys take records after their end: as the windowed aggregation says that is the table, or
    /// the longest of those next above it.
    pub(super) fn grace_above(&self, step: StepId) -> Option<i64> {
        let own = self.graces.iter().find(|(windowed, _)| *windowed == step).map(|(_, grace)| *grace);
        own.or_else(|| self.parents(step).iter().filter_map(|parent| self.grace_above(*parent)).max())
    }

    pub(super) fn add_store(&mut self, name: NameId, needed: bool) -> StoreId {
        self.stores.push(PlannedStore { name, needed, sends_old: false, retention: None });
        StoreId(self.stores.len() - 1)
    }

    /// Says for how long a store keeps versions of its rows, if it does.
    pub(super) fn keep_versions(&mut self, store: StoreId, retention: Option<Duration>) {
        self.stores[store.0].retention = retention;
    }

    /// For how long a store keeps versions of its rows, if it does.
    pub(super) fn retention(&self, store: StoreId) -> Option<Duration> {
        self.stores[store.0].retention
    }

    /// Says that something reads a table's rows, so that they have to be kept.
    pub(super) fn need_store(&mut self, store: StoreId) {
        self.stores[store.0].needed = true;
    }

    /// Says that something wants rows as they were before a change; says whether they will come. By force the rows are kept
    /// for that alone, else only where something else needs them, as in Kafka Streams.
    pub(super) fn want_old(&mut self, store: StoreId, force: bool) -> bool {
        let planned = &mut self.stores[store.0];
        planned.needed |= force;
        planned.sends_old |= planned.needed;
        planned.needed
    }

    /// Whether something wants rows of the store as they were before a change.
    pub(super) fn sends_old(&self, store: StoreId) -> bool {
        self.stores[store.0].sends_old
    }

    /// The store's name, if it is kept.
    pub(super) fn store(&self, store: StoreId) -> Option<Arc<str>> {
        let planned = &self.stores[store.0];
        planned.needed.then(|| self.names.resolve(planned.name))
    }

    /// The name that `.named(..)` changes.
    pub(super) fn naming(&self, step: StepId) -> NameId {
        self.steps[step.0].naming
    }

    /// Makes `.named(..)` on a step change another name than that of its node.
    pub(super) fn rename_to(&mut self, step: StepId, naming: NameId) {
        self.steps[step.0].naming = naming;
    }

    pub(super) fn name(&self, id: NameId) -> Arc<str> {
        self.names.resolve(id)
    }

    /// All steps, in the order of the calls. Parents come before their children.
    pub(super) fn steps(&self) -> impl DoubleEndedIterator<Item = StepId> + use<> {
        (0..self.steps.len()).map(StepId)
    }

    /// The steps whose nodes a step's connect to, as they were written.
    pub(super) fn parents(&self, step: StepId) -> &[StepId] {
        &self.steps[step.0].parents
    }

    pub(super) fn effect(&self, step: StepId) -> Effect {
        self.steps[step.0].effect
    }

    pub(super) fn takes_null_keys(&self, step: StepId) -> bool {
        self.steps[step.0].takes_null_keys
    }

    /// The repartition topic that a step makes, if it makes one.
    pub(super) fn topic(&self, step: StepId) -> Option<&PlannedTopic> {
        match &self.steps[step.0].make {
            Some(Make::Topic(topic)) => Some(topic),
            _ => None,
        }
    }

    /// The name of the node that children of a step connect to, if no rewrite moves them.
    pub(super) fn output(&self, step: StepId) -> Arc<str> {
        self.names.resolve(self.steps[step.0].output)
    }

    /// Persistent names that are numbered, and so move when an operator is added upstream: those of stores, and then those
    /// of repartition topics that are not called after one.
    pub(super) fn numbered_names(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let shape = Shape::of(self);
        let (mut made, mut not_made) = (Vec::new(), Vec::new());
        for step in self.steps() {
            let Some(topic) = self.topic(step) else { continue };
            if shape.names_a_topic(step) { &mut made } else { &mut not_made }.push(topic.base);
        }
        let unneeded = |id: &NameId| self.stores.iter().any(|store| store.name == *id && !store.needed);
        let exists = |id: &NameId| made.contains(id) || !(unneeded(id) || not_made.contains(id) && !self.is_store(*id));
        let numbered = self.persistent.iter().copied().filter(|id| !self.names.is_given(*id) && exists(id));
        let (topics, stores): (Vec<NameId>, Vec<NameId>) =
            numbered.partition(|id| !self.is_store(*id) && (made.contains(id) || not_made.contains(id)));
        let stores = self.resolved(&stores, &[]);
        // A repartition topic may be called after its store.
        let topics = self.resolved(&topics, &stores);
        (stores, topics)
    }

    /// The names, each once, but for those that are `known`.
    fn resolved(&self, ids: &[NameId], known: &[Arc<str>]) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for name in ids.iter().map(|id| self.names.resolve(*id)) {
            if !names.contains(&name) && !known.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn is_store(&self, name: NameId) -> bool {
        self.stores.iter().any(|store| store.name == name)
    }

    /// Turns all steps into nodes.
    pub(super) fn lower(mut self) -> TopologyBuilder {
        let mut builder = TopologyBuilder::new();
        builder.faults = std::mem::take(&mut self.faults);
        let wrong = self.wrong_windows.iter();
        builder
            .faults
            .extend(wrong.map(|(step, reason)| Fault::Windows { node: self.output(*step), reason: reason.clone() }));
        let versioned = self.versions_before_suppress.iter();
        builder.faults.extend(versioned.map(|step| Fault::SuppressedVersions { node: self.output(*step) }));
        let shape = Shape::of(&self);
        for step in shape.order() {
            let makes: Vec<Make> =
                shape.makes_up(step).iter().filter_map(|part| self.steps[part.0].make.take()).collect();
            let lowering = Lowering { plan: &self, shape: &shape, step };
            let mut topics = Vec::new();
            for make in makes {
                match make {
                    Make::Nodes(lower) => lower(&lowering, &mut builder),
                    Make::Topic(topic) => topics.push(topic),
                }
            }
            if !topics.is_empty() {
                lowering.add_topic(topics, &mut builder);
            }
        }
        self.format_stores(&mut builder);
        builder
    }

    /// Tables' stores keep headers if the program says so; buffers, versions and what was added for processors stay as they are.
    fn format_stores(&self, builder: &mut TopologyBuilder) {
        let headers = match self.store_format {
            StoreFormat::Plain => None,
            StoreFormat::Headers => Some(KeptHeaders::Given),
            StoreFormat::RecordHeaders => Some(KeptHeaders::OfRecord),
        };
        if let Some(headers) = headers {
            for store in builder.stores.iter_mut().filter(|store| store.spec.is_of_table()) {
                store.spec = store.spec.clone().keeping_headers(headers);
            }
        }
    }
}
