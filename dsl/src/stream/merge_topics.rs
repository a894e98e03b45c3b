//! Decides which repartition topics become one: `merge.repartition.topics` of Kafka Streams.
//!
//! Rule: topics whose records all come from the same change of key, with nothing in between that makes other records of
//! them, become one topic right below it; where streams were merged on the way, right below the last merge that all of them
//! lie below. An explicit `repartition` stays where it is. The topic has the first one's name.
//!
//! Kafka Streams looks upwards along one path, and so may take away a topic that records of another path need. Here a topic
//! moves only if every path upwards leads by its new place.

use std::collections::BTreeSet;

use super::plan::{Effect, Plan, StepId};
use super::shape::Shape;

/// Topics that become one.
pub(super) struct Merge {
    /// The step that the topic will stand below.
    pub(super) below: StepId,
    /// The children of that step that will stand below the topic.
    pub(super) children: Vec<StepId>,
    /// The topics that it stands for, in the order in which they were written.
    pub(super) topics: Vec<StepId>,
}

/// Topics of a plan that become one.
pub(super) fn merges(plan: &Plan, shape: &Shape) -> Vec<Merge> {
    let movable = |step: &StepId| plan.topic(*step).is_some_and(|topic| topic.movable) && !shape.is_replaced(*step);
    let mut groups: Vec<(BTreeSet<StepId>, Vec<StepId>)> = Vec::new();
    for topic in plan.steps().filter(movable) {
        let ends = Ways::up(plan, shape, topic, None).ends;
        match groups.iter_mut().find(|(known, _)| *known == ends) {
            Some((_, topics)) => topics.push(topic),
            None => groups.push((ends, vec![topic])),
        }
    }
    groups.into_iter().filter_map(|(ends, topics)| merge(plan, shape, &ends, topics)).collect()
}

/// Where topics move whose records come from the same steps.
fn merge(plan: &Plan, shape: &Shape, ends: &BTreeSet<StepId>, topics: Vec<StepId>) -> Option<Merge> {
    if !ends.iter().any(|end| plan.effect(*end) == Effect::ChangesKey) {
        return None;
    }
    let merges = plan.steps().rev().filter(|step| plan.effect(*step) == Effect::Merges);
    // The sole change of key, where nothing was merged on the way.
    let sole = ends.first().copied().filter(|_| ends.len() == 1);
    let below = merges.chain(sole).find(|step| topics.iter().all(|topic| leads_by(plan, shape, *topic, *step)))?;
    let between: BTreeSet<StepId> =
        topics.iter().flat_map(|topic| Ways::up(plan, shape, *topic, Some(below)).between).collect();
    let children = between.into_iter().filter(|step| shape.parents(*step).any(|parent| parent == below)).collect();
    Some(Merge { below, children, topics })
}

/// Whether every path from a topic upwards leads by a step.
fn leads_by(plan: &Plan, shape: &Shape, topic: StepId, step: StepId) -> bool {
    Ways::up(plan, shape, topic, Some(step)).ends == BTreeSet::from([step])
}

/// The paths upwards from a topic, through steps that records pass as they are.
struct Ways {
    /// Where they end.
    ends: BTreeSet<StepId>,
    /// The steps on them, the topic included.
    between: BTreeSet<StepId>,
}

impl Ways {
    fn up(plan: &Plan, shape: &Shape, topic: StepId, stop: Option<StepId>) -> Ways {
        let mut ways = Ways { ends: BTreeSet::new(), between: BTreeSet::from([topic]) };
        let mut open: Vec<StepId> = shape.parents(topic).collect();
        while let Some(step) = open.pop() {
            let passes = matches!(plan.effect(step), Effect::Passes | Effect::Merges);
            if !passes || stop == Some(step) {
                ways.ends.insert(step);
            } else if ways.between.insert(step) {
                open.extend(shape.parents(step));
            }
        }
        ways
    }
}
