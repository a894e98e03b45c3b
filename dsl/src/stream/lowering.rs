//! The plan as a step sees it that is being lowered: where its parents are after the rewrites, and what things are called.

use std::ops::Deref;
use std::sync::Arc;

use super::plan::{Plan, StepId};
use super::repartition::{PlannedTopic, TopicNodes};
use super::shape::Shape;
use super::stream_type::Sources;
use crate::operator::NonNullKey;
use crate::topology::TopologyBuilder;

/// What a step is lowered with.
pub(super) struct Lowering<'a> {
    pub(super) plan: &'a Plan,
    pub(super) shape: &'a Shape,
    pub(super) step: StepId,
}

impl Deref for Lowering<'_> {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        self.plan
    }
}

impl Lowering<'_> {
    /// The name of the node to connect to where a parent was written.
    pub(super) fn node(&self, parent: StepId) -> Arc<str> {
        self.output_of(self.shape.parent(self.step, parent))
    }

    /// The name of the source that stands where a source or a repartition topic was written.
    pub(super) fn source(&self, source: StepId) -> Arc<str> {
        self.output_of(self.shape.source(source))
    }

    /// Says that the topics of these sources need equal numbers of partitions.
    pub(super) fn copartition(&self, sources: &Sources, builder: &mut TopologyBuilder) {
        let sources: Vec<_> = sources.steps().iter().map(|step| self.source(*step)).collect();
        builder.copartition(&sources.iter().map(|name| &**name).collect::<Vec<_>>());
    }

    fn output_of(&self, step: StepId) -> Arc<str> {
        match self.shape.merged_base(step) {
            Some(base) => TopicNodes::source_of(&self.name(base)),
            None => self.output(step),
        }
    }

    /// Adds the one topic that all these become; a single one that no rewrite has moved keeps its own names.
    pub(super) fn add_topic(&self, topics: Vec<PlannedTopic>, builder: &mut TopologyBuilder) {
        let nodes = match (self.shape.merged_base(self.step), topics.first()) {
            (Some(base), _) => TopicNodes::called_after(&self.name(base)),
            (None, Some(topic)) => topic.nodes(self.plan),
            (None, None) => return,
        };
        let parent = self.output_of(self.shape.only_parent(self.step));
        let filter = NonNullKey { keep_null: self.shape.keeps_null_keys(self.step) };
        let filter_name = nodes.filter.clone();
        let made_of: Vec<_> = topics.iter().map(|topic| topic.add_sides.clone()).collect();
        PlannedTopic::add(topics, &parent, nodes, filter, builder);
        let others = self.shape.stands_in_for(self.step).into_iter().filter_map(|step| self.plan.topic(step));
        let others: Vec<_> = others.map(|topic| topic.add_sides.clone()).collect();
        made_of.iter().chain(&others).for_each(|add| add(&filter_name, builder));
    }
}
