//! What the verbs wrote down, in the order of the calls, until `build` lowers it.

use std::sync::Arc;

use super::names::{NameId, Names};
use crate::topology::{Fault, TopologyBuilder};

/// A step's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepId(usize);

type Lower = Box<dyn FnOnce(&Plan, &mut TopologyBuilder)>;

struct Step {
    /// The name of the node that children connect to.
    output: NameId,
    /// The name that `.named(..)` changes.
    naming: NameId,
    lower: Lower,
}

/// A store that exists only if something needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoreId(usize);

struct PlannedStore {
    name: NameId,
    needed: bool,
    sends_old: bool,
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
    pub(super) faults: Vec<Fault>,
}

impl Plan {
    /// Adds a step; `lower` turns it into nodes.
    pub(super) fn add(&mut self, output: NameId, lower: impl FnOnce(&Plan, &mut TopologyBuilder) + 'static) -> StepId {
        self.steps.push(Step { output, naming: output, lower: Box::new(lower) });
        StepId(self.steps.len() - 1)
    }

    pub(super) fn add_store(&mut self, name: NameId, needed: bool) -> StoreId {
        self.stores.push(PlannedStore { name, needed, sends_old: false });
        StoreId(self.stores.len() - 1)
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

    /// The name of the node that children of a step connect to.
    pub(super) fn node(&self, step: StepId) -> Arc<str> {
        self.names.resolve(self.steps[step.0].output)
    }

    /// The place of the name of the node that children of a step connect to.
    pub(super) fn output(&self, step: StepId) -> NameId {
        self.steps[step.0].output
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

    /// Persistent names that are numbered, and so move when an operator is added upstream.
    pub(super) fn numbered_names(&self) -> Vec<Arc<str>> {
        let unneeded = |id: &NameId| self.stores.iter().any(|store| store.name == *id && !store.needed);
        let numbered = self.persistent.iter().filter(|id| !self.names.is_given(**id) && !unneeded(id));
        let mut names: Vec<Arc<str>> = Vec::new();
        for name in numbered.map(|id| self.names.resolve(*id)) {
            // A repartition topic may be called after its store.
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Turns all steps into nodes.
    pub(super) fn lower(mut self) -> TopologyBuilder {
        let mut builder = TopologyBuilder::new();
        builder.faults = std::mem::take(&mut self.faults);
        for number in 0..self.steps.len() {
            let lower = std::mem::replace(&mut self.steps[number].lower, Box::new(|_, _| {}));
            lower(&self, &mut builder);
        }
        builder
    }
}
