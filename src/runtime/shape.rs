//! What an application reads and how it is cut into tasks, by the topics that there are.
//!
//! Rule: it stays as it is for a whole term. Sources by pattern may find more topics later: then the next term has another shape.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_dsl::processor::PartitionCounts;
use tidemill_dsl::record::{TopicName, TopicPartition};
use tidemill_dsl::state::Changelog;
use tidemill_dsl::topology::{NodeKind, SourceTopics, TopicKind, TopicPlan, Topology};

use super::instances;
use super::reads::Reads;
use super::shared::LogTopics;
use crate::error::{Error, ErrorKind};
use crate::log::Log;

/// See the module.
pub(super) struct Shape {
    /// The topics that there are.
    pub(super) names: Vec<TopicName>,
    /// Number of tasks of each sub-topology.
    pub(super) tasks: Vec<u32>,
    /// Number of partitions that each store's keys are spread over.
    pub(super) stores: BTreeMap<Arc<str>, u32>,
    /// Topics that only this application reads: what it has processed of them is deleted.
    pub(super) repartition: Vec<TopicName>,
    pub(super) reads: Reads,
    /// Every partition that a task reads.
    pub(super) inputs: Vec<TopicPartition>,
}

impl Shape {
    /// That of an application with the topics that there are; makes those of its own that are missing, once `accept`
    /// has nothing against the plan.
    pub(super) fn make(
        topology: &Topology,
        application: &str,
        changelog: Changelog,
        topics: &LogTopics,
        names: Vec<TopicName>,
        accept: impl FnOnce(&TopicPlan) -> Result<(), Error>,
    ) -> Result<Shape, Error> {
        let plan = topology.plan(application, changelog, &names, topics)?;
        accept(&plan)?;
        plan.internal.iter().try_for_each(|need| topics.log.create_own_topic(need))?;
        let reads = Reads::of(topology, application, &names);
        if topics.log.is_shared() {
            check_shares(&reads, topics)?;
        }
        let inputs = reads.partitions(|topic| topics.partitions(topic).unwrap_or(0)).into_iter().collect();
        let repartition = plan.internal.iter().filter(|need| need.kind == TopicKind::Repartition);
        let repartition = repartition.map(|need| need.name.clone()).collect();
        Ok(Shape { names, tasks: plan.tasks, stores: plan.stores, repartition, reads, inputs })
    }

    /// How many tasks there are.
    pub(super) fn tasks_in_all(&self) -> u32 {
        self.tasks.iter().sum()
    }
}

/// The topics of a log that patterns of sources are meant for.
pub(super) fn names_in(log: &dyn Log) -> Result<Vec<TopicName>, Error> {
    let names = log.topics()?.into_iter().map(|spec| spec.name);
    Ok(names.filter(|name| !instances::is_topic(name)).collect())
}

/// Whether a topology may read topics that come later.
pub(super) fn has_patterns(topology: &Topology) -> bool {
    topology.nodes().iter().any(|node| matches!(node.kind, NodeKind::Source(SourceTopics::Matching(_))))
}

/// Whether processes can share the work: whoever gets a partition of one topic of a task has to get those of the others.
fn check_shares(reads: &Reads, topics: &LogTopics) -> Result<(), Error> {
    let count = |topic: &TopicName| topics.partitions(topic).unwrap_or(0);
    for (sub, read) in reads.by_subtopology().iter().enumerate().filter(|(sub, _)| !reads.is_global(*sub)) {
        let mut counts = read.iter().map(|topic| (topic, count(topic)));
        let Some((first, partitions)) = counts.next() else { continue };
        if let Some((other, others)) = counts.find(|(_, others)| *others != partitions) {
            let message = format!(
                "sub-topology {sub} reads `{first}` with {partitions} partitions and `{other}` with {others}: the group gives \
                 partitions of equal numbers to one process only where topics have equally many; repartition one of the streams, or \
                 create the topics alike"
            );
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    }
    Ok(())
}
