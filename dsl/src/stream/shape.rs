//! Where the steps of a plan stand once its rewrites are done.
//!
//! Rule: the plan stays as it was written. A rewrite says which steps stand below which others, which repartition topics
//! are not made, and what stands in for them; the steps are lowered in that shape.

use std::collections::{BTreeMap, BTreeSet};

use super::merge_topics::{Merge, merges};
use super::names::NameId;
use super::optimization::Optimization;
use super::plan::{Plan, StepId};

/// A parent of a step.
#[derive(Clone, Copy)]
struct Link {
    written: StepId,
    now: StepId,
}

/// Several repartition topics that became one.
struct Merged {
    topics: Vec<StepId>,
    /// The name before `-repartition`.
    base: NameId,
}

/// The steps of a plan after its rewrites.
pub(super) struct Shape {
    /// For each step, merged topics behind all others, its parents.
    parents: Vec<Vec<Link>>,
    /// The steps that make nodes, in the order in which these are added.
    order: Vec<StepId>,
    merged: Vec<Merged>,
    /// Repartition topics that are not made, each with the step whose source stands in for its own.
    replaced: BTreeMap<StepId, StepId>,
    /// Repartition topics that records without a key go through.
    null_keys: BTreeSet<StepId>,
}

impl Shape {
    /// The shape of a plan after the rewrites that it asks for.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut shape = Shape::as_written(plan);
        shape.share_topics_of_joins(plan);
        if plan.optimizations.wants(Optimization::MergeRepartitions) {
            for merge in merges(plan, &shape) {
                shape.merge(plan, merge);
            }
        }
        shape.find_null_keys(plan);
        shape
    }

    fn as_written(plan: &Plan) -> Self {
        let links = |step| plan.parents(step).iter().map(|parent| Link { written: *parent, now: *parent }).collect();
        Shape {
            parents: plan.steps().map(links).collect(),
            order: plan.steps().collect(),
            merged: Vec::new(),
            replaced: BTreeMap::new(),
            null_keys: BTreeSet::new(),
        }
    }

    /// A join without a name of its own reads the topic of an earlier join of the same stream.
    fn share_topics_of_joins(&mut self, plan: &Plan) {
        for step in plan.steps() {
            let Some((join, there)) = plan.topic(step).and_then(|topic| topic.shares) else { continue };
            if !plan.names.is_given(join) {
                let there = self.source(there);
                self.replace(step, there, there);
            }
        }
    }

    fn merge(&mut self, plan: &Plan, Merge { below, children, topics }: Merge) {
        let Some(base) = topics.first().and_then(|topic| plan.topic(*topic)).map(|topic| topic.base) else {
            return;
        };
        let merged = StepId(self.parents.len());
        self.parents.push(vec![Link { written: below, now: below }]);
        let place = self.order.iter().position(|step| *step == below).map_or(self.order.len(), |place| place + 1);
        self.order.insert(place, merged);
        for child in children {
            let links = self.parents[child.0].iter_mut().filter(|link| link.now == below);
            links.for_each(|link| link.now = merged);
        }
        for topic in &topics {
            let above = self.only_parent(*topic);
            self.replace(*topic, above, merged);
        }
        self.merged.push(Merged { topics, base });
    }

    /// Takes a topic out: its children stand below `above`, and `source` is read in place of its source.
    fn replace(&mut self, topic: StepId, above: StepId, source: StepId) {
        let links = self.parents.iter_mut().flatten().filter(|link| link.now == topic);
        links.for_each(|link| link.now = above);
        self.order.retain(|step| *step != topic);
        self.replaced.insert(topic, source);
    }

    /// Records without a key go through every topic above a step that has a use for them (KIP-962).
    fn find_null_keys(&mut self, plan: &Plan) {
        let mut above = BTreeSet::new();
        // Children stand after their parents, so backwards every step is met after all that lie below it.
        for step in self.order.iter().rev() {
            let takes = self.merged_topic(*step).is_none() && plan.takes_null_keys(*step);
            if takes || above.contains(step) {
                above.extend(self.parents[step.0].iter().map(|link| link.now));
            }
        }
        self.null_keys = above;
    }

    /// The steps that make nodes, in the order in which these are added.
    pub(super) fn order(&self) -> Vec<StepId> {
        self.order.clone()
    }

    /// The written steps that a step is made of: itself, or the topics that were merged into it.
    pub(super) fn makes_up(&self, step: StepId) -> Vec<StepId> {
        self.merged_topic(step).map_or_else(|| vec![step], |merged| merged.topics.clone())
    }

    fn merged_topic(&self, step: StepId) -> Option<&Merged> {
        let written = self.parents.len() - self.merged.len();
        self.merged.get(step.0.checked_sub(written)?)
    }

    /// What a merged topic is called after; `None` for a step that was written.
    pub(super) fn merged_base(&self, step: StepId) -> Option<NameId> {
        self.merged_topic(step).map(|merged| merged.base)
    }

    /// The step that stands where `written` was written as a parent of `step`.
    pub(super) fn parent(&self, step: StepId, written: StepId) -> StepId {
        let link = self.parents[step.0].iter().find(|link| link.written == written);
        link.expect("a step connects to the parents that it was added with").now
    }

    /// The parent of a step that has one.
    pub(super) fn only_parent(&self, step: StepId) -> StepId {
        self.parents[step.0].first().expect("a repartition topic has a parent").now
    }

    /// The parents of a step.
    pub(super) fn parents(&self, step: StepId) -> impl Iterator<Item = StepId> {
        self.parents[step.0].iter().map(|link| link.now)
    }

    /// The step whose source is read where the source of `written` was meant.
    pub(super) fn source(&self, written: StepId) -> StepId {
        self.replaced.get(&written).map_or(written, |source| self.source(*source))
    }

    /// The written topics that a topic stands in for without being made of them.
    pub(super) fn stands_in_for(&self, topic: StepId) -> Vec<StepId> {
        let made_of = self.makes_up(topic);
        let others =
            self.replaced.keys().filter(|written| self.source(**written) == topic && !made_of.contains(written));
        others.copied().collect()
    }

    /// Whether a repartition topic that was written is gone.
    pub(super) fn is_replaced(&self, step: StepId) -> bool {
        self.replaced.contains_key(&step)
    }

    /// Whether the names that a written topic was given reach the disk.
    pub(super) fn names_a_topic(&self, step: StepId) -> bool {
        !self.is_replaced(step) || self.merged.iter().any(|merged| merged.topics.first() == Some(&step))
    }

    /// Whether records without a key go through a repartition topic.
    pub(super) fn keeps_null_keys(&self, step: StepId) -> bool {
        self.null_keys.contains(&step)
    }
}
