//! What an application needs of a log before it starts: the topics it reads and writes, those of its own, and what a Kafka
//! cluster must allow it.
//!
//! Rule: a plan is made of the topology and of numbers of partitions alone, so it can be made where there is no log yet; the topics in it
//! are those that a start creates and asks for.

mod answer;
mod permission;

use std::collections::BTreeMap;
use std::fmt;

use tidemill_dsl::processor::PartitionCounts;
use tidemill_dsl::record::TopicName;
use tidemill_dsl::state::Changelog;
use tidemill_dsl::topology::{NodeKind, SinkTopic, SourceTopics, TopicNeed, TopicRef, Topology, TopologyErrors};

pub use answer::QUESTION;
pub use permission::{Permission, Resource};

/// What `Plan` is made of: an application and the topics that exist, or will.
///
/// ```
/// use tidemill::plan::Planning;
/// use tidemill::prelude::*;
///
/// const ORDERS: Topic<String, i64> = Topic::of("orders");
/// const COUNTS: Store<String, i64> = Store::of("counts");
///
/// let builder = StreamsBuilder::new();
/// builder.stream(&ORDERS).group_by_key().count_with(&COUNTS);
/// let plan = Planning::of("shop").topic("orders", 6).plan(&builder.build()?)?;
/// assert_eq!(plan.internal[0].name.as_ref(), "shop-counts-changelog");
/// assert!(plan.to_string().contains("reads    orders, 6 partitions"), "{plan}");
/// # Ok::<(), TopologyErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct Planning {
    application: String,
    changelog: Changelog,
    topics: BTreeMap<TopicName, u32>,
    notes_topic: TopicName,
}

/// What an application needs. `Display` lists it, the permissions as arguments of Kafka's own tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The topics that it reads, with their numbers of partitions.
    pub reads: BTreeMap<TopicName, u32>,
    /// The topics that it writes, with their numbers of partitions, where they are known before a record is written.
    pub writes: BTreeMap<TopicName, u32>,
    /// Its own topics, by name: a start creates those that are missing.
    pub internal: Vec<TopicNeed>,
    /// How many tasks each sub-topology has: of more workers than all together some have nothing to do.
    pub tasks: Vec<u32>,
    /// What a Kafka cluster must allow it.
    pub permissions: Vec<Permission>,
    /// Whether it writes topics that records name. Those are in neither list.
    pub writes_others: bool,
}

impl Planning {
    /// Plans for this application id, with the settings that applications have unless told otherwise.
    pub fn of(application: impl Into<String>) -> Self {
        let (application, notes_topic) = (application.into(), TopicName::from("tidemill-notes"));
        Planning { application, changelog: Changelog::LastPerCommit, topics: BTreeMap::new(), notes_topic }
    }

    /// A topic that there is, or will be, and its number of partitions.
    #[must_use]
    pub fn topic(mut self, name: impl Into<TopicName>, partitions: u32) -> Self {
        self.topics.insert(name.into(), partitions);
        self
    }

    /// What changelogs get, where stores say nothing themselves (`Settings::tasks`).
    #[must_use]
    pub fn changelog(self, changelog: Changelog) -> Self {
        Planning { changelog, ..self }
    }

    /// The topic of notes, if it is called otherwise on that cluster (`KafkaSettings::notes_topic`).
    #[must_use]
    pub fn notes_topic(self, name: impl Into<TopicName>) -> Self {
        Planning { notes_topic: name.into(), ..self }
    }

    /// The plan for a topology.
    ///
    /// # Errors
    ///
    /// All faults that depend on topics, at once: those that are missing, and numbers that do not fit together.
    pub fn plan(&self, topology: &Topology) -> Result<Plan, TopologyErrors> {
        let names: Vec<TopicName> = self.topics.keys().cloned().collect();
        let planned = topology.plan(&self.application, self.changelog, &names, &Counts(self.topics.clone()))?;
        let known = |topic: &TopicName| Some((topic.clone(), *self.topics.get(topic)?));
        let external = |topic: &TopicRef| match topic {
            TopicRef::External(name) => known(name),
            TopicRef::Internal(_) => None,
        };
        let matching = topology.nodes().iter().flat_map(|node| match &node.kind {
            NodeKind::Source(SourceTopics::Matching(pattern)) => {
                names.iter().filter(|name| pattern.matches(name)).filter_map(known).collect()
            }
            _ => Vec::new(),
        });
        let reads: BTreeMap<TopicName, u32> =
            topology.source_topics().into_iter().filter_map(external).chain(matching).collect();
        let writes: BTreeMap<TopicName, u32> = topology.sink_topics().into_iter().filter_map(external).collect();
        let others = |kind: &NodeKind| matches!(kind, NodeKind::Sink(topic) if !matches!(topic, SinkTopic::Fixed(_)));
        Ok(Plan {
            permissions: self.permissions(&reads, &writes),
            writes_others: topology.nodes().iter().any(|node| others(&node.kind)),
            internal: planned.internal,
            tasks: planned.tasks,
            reads,
            writes,
        })
    }

    fn permissions(&self, reads: &BTreeMap<TopicName, u32>, writes: &BTreeMap<TopicName, u32>) -> Vec<Permission> {
        let own = || format!("{}-", self.application);
        let mut permissions = vec![
            Permission::on(Resource::Group, &self.application, &["Read", "Describe", "Delete"]),
            Permission::on_all(Resource::TransactionalId, own(), &["Write", "Describe"]),
            // Of sends that write several topics in one step.
            Permission::on_all(Resource::TransactionalId, "tidemill-log-".to_owned(), &["Write", "Describe"]),
            Permission::on_all(
                Resource::Topic,
                own(),
                // To delete records is to delete: what was processed leaves repartition topics.
                &["Read", "Write", "Create", "Delete", "Describe", "DescribeConfigs"],
            ),
            Permission::on(
                Resource::Topic,
                &self.notes_topic,
                &["Read", "Write", "Create", "Describe", "DescribeConfigs"],
            ),
        ];
        let external: BTreeMap<&TopicName, u32> =
            reads.iter().chain(writes).map(|(name, count)| (name, *count)).collect();
        permissions.extend(external.into_keys().map(|name| {
            let of = |map: &BTreeMap<_, _>, operation| map.contains_key(name).then_some(operation);
            let operations =
                of(reads, "Read").into_iter().chain(of(writes, "Write")).chain(["Describe", "DescribeConfigs"]);
            Permission::on(Resource::Topic, name, &operations.collect::<Vec<_>>())
        }));
        permissions
    }
}

/// The numbers that were told.
struct Counts(BTreeMap<TopicName, u32>);

impl PartitionCounts for Counts {
    fn partitions(&self, topic: &str) -> Option<u32> {
        self.0.get(topic).copied()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partitions = |count: u32| if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") };
        for (word, topics) in [("reads ", &self.reads), ("writes", &self.writes)] {
            topics.iter().try_for_each(|(name, count)| writeln!(f, "{word}   {name}, {}", partitions(*count)))?;
        }
        if self.writes_others {
            writeln!(f, "writes   topics that records name: allow writing them")?;
        }
        for need in &self.internal {
            let configs: Vec<String> = need.configs().iter().map(|(key, value)| format!("{key}={value}")).collect();
            writeln!(f, "creates  {}, {}, {}", need.name, partitions(need.partitions), configs.join(" "))?;
        }
        self.permissions.iter().try_for_each(|permission| writeln!(f, "allow    {permission}"))
    }
}
