//! Decides how many partitions the topics of an application have, and checks that joined topics agree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::instantiate::changelog_topic;
use super::{
    Answering, Fault, NodeKind, SinkTopic, SourceTopics, Subtopology, TopicKind, TopicNeed, TopicRef, Topology,
    TopologyErrors,
};
use crate::processor::PartitionCounts;
use crate::record::TopicName;
use crate::state::{Changelog, StoreSpec};

/// The topics that an application makes for itself, and how many tasks its sub-topologies have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// Repartition topics and changelogs, by name.
    pub internal: Vec<TopicNeed>,
    /// For each sub-topology the number of its tasks: the greatest number of partitions that it reads, and none for one that
    /// maintains a global store.
    pub tasks: Vec<u32>,
    /// For each store the number of partitions that its keys are spread over: the greatest number among the topics that its
    /// rows come from. A sub-topology may have more tasks, because of what else it reads.
    pub stores: BTreeMap<Arc<str>, u32>,
}

/// Numbers of partitions known so far, by topic.
type Known = BTreeMap<TopicRef, u32>;
/// The topics that exist, and their numbers of partitions.
type Existing<'a> = (&'a [TopicName], &'a dyn PartitionCounts);

impl Topology {
    /// Plans the application's own topics, given the topics that exist.
    ///
    /// Rules of Kafka Streams: a repartition topic without a number of its own gets the greatest number of the topics that
    /// its records come from; topics that a join brings together have equal numbers, and repartition topics follow the
    /// others.
    pub fn plan(
        &self,
        application: &str,
        changelog: Changelog,
        topics: &[TopicName],
        counts: &dyn PartitionCounts,
    ) -> Result<TopicPlan, TopologyErrors> {
        let mut faults = Vec::new();
        let mut known = self.external_partitions(counts, &mut faults);
        TopologyErrors::check(std::mem::take(&mut faults))?;
        for (name, partitions) in &self.program.partitions {
            known.insert(TopicRef::Internal(name.clone()), *partitions);
        }
        self.derive_partitions(&mut known, (topics, counts), &mut faults);
        self.align(&mut known, &mut faults);
        for Answering { topic, partitions, .. } in &self.program.answering {
            let topic = TopicRef::Internal(topic.clone());
            let count = partitions.or_else(|| self.upstream(&topic, &known, (topics, counts), false)).unwrap_or(1);
            known.insert(topic, count.max(1));
        }
        TopologyErrors::check(faults)?;
        let tasks: Vec<u32> =
            self.subtopologies().iter().map(|sub| self.tasks(sub, &known, (topics, counts))).collect();
        let spread = |store: &StoreSpec| (store.name().clone(), self.spread(store.name(), &known, (topics, counts)));
        let stores = self.stores().iter().map(spread).collect();
        Ok(TopicPlan { internal: self.internal(application, changelog, &known, &tasks), tasks, stores })
    }

    fn external_partitions(&self, counts: &dyn PartitionCounts, faults: &mut Vec<Fault>) -> Known {
        let mut known = Known::new();
        let reads = self.source_topics().into_iter().map(|topic| (topic, true));
        for (topic, reads) in reads.chain(self.sink_topics().into_iter().map(|topic| (topic, false))) {
            let TopicRef::External(name) = topic else { continue };
            match counts.partitions(name) {
                Some(partitions) => {
                    known.insert(topic.clone(), partitions);
                }
                None if faults.iter().any(|f| matches!(f, Fault::MissingTopic { topic, .. } if topic == name)) => {}
                None => faults.push(Fault::MissingTopic { topic: name.clone(), reads }),
            }
        }
        known
    }

    /// Gives every repartition topic the greatest number upstream, until nothing more follows. Where topics lie upstream of
    /// each other, as in a table that is joined with itself by a foreign key, those decide that are known.
    fn derive_partitions(&self, known: &mut Known, existing: Existing<'_>, faults: &mut Vec<Fault>) {
        loop {
            let open: Vec<&TopicRef> =
                self.source_topics().into_iter().filter(|topic| !known.contains_key(topic)).collect();
            let found = |all: bool| -> Vec<(TopicRef, u32)> {
                let count = |topic: &&TopicRef| self.upstream(topic, known, existing, all);
                open.iter().filter_map(|topic| count(topic).map(|count| ((*topic).clone(), count))).collect()
            };
            let mut found_now = found(true);
            if found_now.is_empty() {
                found_now = found(false);
            }
            if found_now.is_empty() {
                faults.extend(open.iter().map(|topic| Fault::NoPartitions { topic: topic.name().clone() }));
                return;
            }
            known.extend(found_now);
        }
    }

    /// The greatest number among the topics that the writers of `topic` read, if `all` of them, or at least one, are known.
    fn upstream(&self, topic: &TopicRef, known: &Known, existing: Existing<'_>, all: bool) -> Option<u32> {
        let writes = |sub: &&Subtopology| {
            self.nodes_of(sub).any(|node| matches!(&node.kind, NodeKind::Sink(SinkTopic::Fixed(to)) if to == topic))
        };
        let writers: Vec<&Subtopology> = self.subtopologies().iter().filter(writes).collect();
        let named = writers.iter().flat_map(|sub| self.topics_of(sub)).map(|source| known.get(source).copied());
        let matching = writers.iter().flat_map(|sub| self.matching(sub, existing)).map(Some);
        let counts: Vec<Option<u32>> = named.chain(matching).collect();
        if all && counts.contains(&None) {
            return None;
        }
        counts.into_iter().flatten().max()
    }

    fn topics_of<'a>(&'a self, sub: &'a Subtopology) -> impl Iterator<Item = &'a TopicRef> {
        self.nodes_of(sub).flat_map(|node| match &node.kind {
            NodeKind::Source(SourceTopics::Named(topics)) => topics.as_slice(),
            _ => &[],
        })
    }

    /// Makes the topics of each join equal where that is ours to decide, and reports where it is not.
    fn align(&self, known: &mut Known, faults: &mut Vec<Fault>) {
        for sources in &self.program.copartitioned {
            let topics: Vec<TopicRef> =
                sources.iter().flat_map(|source| self.topics_of_source(source)).cloned().collect();
            let free = |topic: &TopicRef| matches!(topic, TopicRef::Internal(name) if !self.program.partitions.contains_key(name));
            let (follow, fixed): (Vec<_>, Vec<_>) = topics.into_iter().partition(free);
            let count = |topic: &TopicRef| known.get(topic).copied().unwrap_or_default();
            if let Some((first, rest)) = fixed.split_first() {
                for other in rest.iter().filter(|other| count(other) != count(first)) {
                    faults.push(Fault::NotCopartitioned {
                        left: first.name().clone(),
                        left_partitions: count(first),
                        right: other.name().clone(),
                        right_partitions: count(other),
                    });
                }
            }
            let common = fixed.first().map(&count).or_else(|| follow.iter().map(&count).max());
            if let Some(common) = common {
                known.extend(follow.into_iter().map(|topic| (topic, common)));
            }
        }
    }

    fn topics_of_source(&self, source: &Arc<str>) -> &[TopicRef] {
        match self.nodes().iter().find(|node| node.name == *source).map(|node| &node.kind) {
            Some(NodeKind::Source(SourceTopics::Named(topics))) => topics,
            _ => &[],
        }
    }

    fn tasks(&self, sub: &Subtopology, known: &Known, existing: Existing<'_>) -> u32 {
        if sub.is_global() {
            return 0;
        }
        let named = self.topics_of(sub).filter_map(|topic| known.get(topic).copied());
        named.chain(self.matching(sub, existing)).max().unwrap_or(0)
    }

    /// The numbers of the topics that a sub-topology reads by pattern.
    fn matching<'a>(&'a self, sub: &'a Subtopology, existing: Existing<'a>) -> impl Iterator<Item = u32> {
        self.nodes_of(sub).flat_map(move |node| matching(&node.kind, existing))
    }

    /// The greatest number among the topics that lie above the users of a store.
    fn spread(&self, store: &str, known: &Known, existing: Existing<'_>) -> u32 {
        // All rows of a global store are in one place.
        if self.subtopology_of_store(store).is_some_and(Subtopology::is_global) {
            return 1;
        }
        let mut above: BTreeSet<&Arc<str>> = BTreeSet::new();
        // Parents were added before their children, so backwards every node is seen after all that lie below it.
        for node in self.nodes().iter().rev() {
            if above.contains(&node.name) || node.stores.iter().any(|name| **name == *store) {
                above.insert(&node.name);
                above.extend(&node.parents);
            }
        }
        let nodes = self.nodes().iter().filter(|node| above.contains(&node.name));
        let numbers = nodes.flat_map(|node| {
            let named = match &node.kind {
                NodeKind::Source(SourceTopics::Named(topics)) => topics.as_slice(),
                _ => &[],
            };
            named.iter().filter_map(|topic| known.get(topic).copied()).chain(matching(&node.kind, existing))
        });
        numbers.max().unwrap_or(0)
    }

    fn kind_of(&self, topic: &TopicRef) -> TopicKind {
        let answers = self.program.answering.iter().any(|answering| answering.topic == *topic.name());
        if answers { TopicKind::Answers } else { TopicKind::Repartition }
    }

    fn internal(&self, application: &str, changelog: Changelog, known: &Known, tasks: &[u32]) -> Vec<TopicNeed> {
        let internal = known.iter().filter(|(topic, _)| matches!(topic, TopicRef::Internal(_)));
        let mut needs: Vec<TopicNeed> = internal
            .map(|(topic, partitions)| TopicNeed {
                name: topic.resolve(application),
                partitions: *partitions,
                kind: self.kind_of(topic),
                settings: BTreeMap::new(),
            })
            .collect();
        for store in self.stores() {
            if store.changelog_declared().unwrap_or(changelog) == Changelog::Off {
                continue;
            }
            let partitions = self.subtopology_of_store(store.name()).map_or(0, |sub| tasks[sub.id]);
            let (name, kind) = (changelog_topic(application, store.name()), store.changelog_kind());
            needs.push(TopicNeed { name, partitions, kind, settings: store.changelog_settings().clone() });
        }
        needs.sort_by(|a, b| a.name.cmp(&b.name));
        needs
    }
}

/// The numbers of the topics that a source reads by pattern.
fn matching<'a>(kind: &'a NodeKind, (topics, counts): Existing<'a>) -> impl Iterator<Item = u32> {
    let pattern = match kind {
        NodeKind::Source(SourceTopics::Matching(pattern)) => Some(pattern),
        _ => None,
    };
    let matching = pattern.into_iter().flat_map(|pattern| topics.iter().filter(|topic| pattern.matches(topic)));
    matching.filter_map(|topic| counts.partitions(topic))
}
