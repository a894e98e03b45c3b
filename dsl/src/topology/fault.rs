//! What can be wrong with a topology, each with its remedy.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

type Name = Arc<str>;

/// One fault of a topology. Its text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the names that the texts below put into sentences")]
pub enum Fault {
    DuplicateNode { name: Name },
    DuplicateStore { name: Name },
    UnknownParent { node: Name, parent: Name },
    SinkAsParent { node: Name, parent: Name },
    NoParent { node: Name },
    UnknownStore { node: Name, store: Name },
    UnknownProcessor { store: Name, node: Name },
    UnusedStore { store: Name },
    EdgeType { parent: Name, gives: &'static str, node: Name, takes: &'static str },
    TopicReadTwice { topic: Name, first: Name, second: Name },
    ChosenLate { topics: Name, option: &'static str },
    NoTopics { node: Name },
    Pattern { pattern: Name, cause: String },
    NoSource,
    BadName { what: &'static str, name: Name },
    NoSerde { what: &'static str, type_name: &'static str },
    OtherBuilder { verb: &'static str },
    VersionedGlobal { topic: Name },
    GraceBeyondVersions { grace: Duration, kept: Option<Duration> },
    NotCopartitioned { left: Name, left_partitions: u32, right: Name, right_partitions: u32 },
    NoPartitions { topic: Name },
    MissingTopic { topic: Name, reads: bool },
    ExplicitNames { stores: Vec<Name>, topics: Vec<Name> },
    Windows { node: Name, reason: String },
    SuppressedVersions { node: Name },
    Setting { node: Name, reason: String },
    GlobalConnected { store: Name, node: Name },
    FilledByPattern { store: Name, source: Name },
    FilledAlone { node: Name, parent: Name, store: Name },
    FilledWithOther { node: Name, store: Name, other: Name },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::DuplicateNode { name } => {
                write!(f, "two nodes are named `{name}`: names identify nodes, give one of them another name")
            }
            Fault::DuplicateStore { name } => {
                write!(f, "two stores are named `{name}`: each would write the changelog of the other; rename one")
            }
            Fault::UnknownParent { node, parent } => {
                write!(
                    f,
                    "node `{node}` has the parent `{parent}`, which does not exist: add `{parent}` first, or correct the name"
                )
            }
            Fault::SinkAsParent { node, parent } => {
                write!(
                    f,
                    "node `{node}` has the sink `{parent}` as parent: a sink has no children, connect `{node}` to the sink's parent"
                )
            }
            Fault::NoParent { node } => {
                write!(f, "node `{node}` has no parent, so nothing ever reaches it: name its parents")
            }
            Fault::UnknownStore { node, store } => {
                write!(
                    f,
                    "node `{node}` uses the store `{store}`, which does not exist: add it with `add_store` (`add_state_store` of a `TopologyBuilder`), or correct the name"
                )
            }
            Fault::UnknownProcessor { store, node } => {
                write!(
                    f,
                    "store `{store}` is connected to `{node}`, which does not exist: add the processor first, or correct the name"
                )
            }
            Fault::Windows { node, reason } => write!(f, "the windows of node `{node}` cannot be: {reason}"),
            Fault::SuppressedVersions { node } => write!(
                f,
                "node `{node}` would let changes of a versioned table wait, and a later one of them may be of an earlier time: `suppress` a table in another store"
            ),
            Fault::Setting { node, reason } => write!(f, "node `{node}` cannot work: {reason}"),
            Fault::UnusedStore { store } => {
                write!(
                    f,
                    "store `{store}` is connected to no processor, so no task would have it: connect it, or leave it out"
                )
            }
            Fault::EdgeType { parent, gives, node, takes } => {
                write!(
                    f,
                    "node `{parent}` gives `{gives}`, but its child `{node}` takes `{takes}`: put a node that converts between them"
                )
            }
            Fault::TopicReadTwice { topic, first, second } => {
                write!(
                    f,
                    "topic `{topic}` is read by the sources `{first}` and `{second}`: connect both parts to one source; `stream(..).to_table()` gives both from one"
                )
            }
            Fault::ChosenLate { topics, option } => {
                write!(
                    f,
                    "`{topics}` is read once more, with {option} that the first reading does not have: all readings share one source, so give it to the first"
                )
            }
            Fault::NoTopics { node } => write!(f, "source `{node}` reads no topic: name at least one"),
            Fault::Pattern { pattern, cause } => {
                write!(f, "the topic pattern `{pattern}` is no regular expression: {cause}")
            }
            Fault::NoSource => {
                f.write_str("the topology has no source, so nothing would ever run: add a stream or a table")
            }
            Fault::BadName { what, name } => {
                write!(
                    f,
                    "the {what} name `{name}` is not allowed: use 1 to 200 ASCII letters, digits, `.`, `_` and `-`, other than `.` and `..`"
                )
            }
            Fault::NoSerde { what, type_name } => {
                write!(
                    f,
                    "nothing says how `{type_name}`, the {what}, is written: name a format, by `#[data(json)]` on the type, by a descriptor such as `Store::json`, or by serdes in the verb's options"
                )
            }
            Fault::OtherBuilder { verb } => {
                write!(
                    f,
                    "`{verb}` was given a stream or table of another builder: make both sides with the same `StreamsBuilder`"
                )
            }
            Fault::VersionedGlobal { topic } => write!(
                f,
                "the global table of topic `{topic}` cannot keep versions, because it follows no task's time: keep it in a \
                 `Store`, or read the topic as a table"
            ),
            Fault::GraceBeyondVersions { grace, kept: None } => write!(
                f,
                "a join waits {grace:?} for a table that knows its latest rows only: keep the table in a `VersionedStore`, for \
                 {grace:?} at least"
            ),
            Fault::GraceBeyondVersions { grace, kept: Some(kept) } => write!(
                f,
                "a join waits {grace:?} for a table that keeps its versions for {kept:?}: keep them for {grace:?} at least"
            ),
            Fault::NotCopartitioned { left, left_partitions, right, right_partitions } => {
                write!(
                    f,
                    "cannot join `{left}` ({left_partitions} partitions) with `{right}` ({right_partitions} partitions): equal keys would live in different tasks; repartition one side like the other"
                )
            }
            Fault::NoPartitions { topic } => {
                write!(
                    f,
                    "nothing says how many partitions `{topic}` should have: give `repartition` a number of partitions"
                )
            }
            Fault::MissingTopic { topic, reads } => {
                let verb = if *reads { "reads" } else { "writes" };
                write!(
                    f,
                    "the topology {verb} the topic `{topic}`, which does not exist: create it, or let the application create its topics"
                )
            }
            Fault::GlobalConnected { store, node } => {
                write!(
                    f,
                    "node `{node}` is connected to the global store `{store}`, which every node can read anyway and only its own processor can write: leave the connection out"
                )
            }
            Fault::FilledByPattern { store, source } => {
                write!(
                    f,
                    "source `{source}` fills the store `{store}` and chooses its topics by a pattern: name the topics, because what the store holds must not depend on which ones exist"
                )
            }
            Fault::FilledAlone { node, parent, store } => {
                write!(
                    f,
                    "node `{node}` has the parent `{parent}`, which does nothing but fill the store `{store}`: read the topic once more under another name, or connect `{node}` elsewhere"
                )
            }
            Fault::FilledWithOther { node, store, other } => {
                write!(
                    f,
                    "node `{node}` fills the store `{store}` and is connected to `{other}` too: its records run again at a start, which would change `{other}` twice; give that another processor"
                )
            }
            Fault::ExplicitNames { stores, topics } => {
                let named = |what: &str, names: &[Name], remedy: &str| match names {
                    [] => String::new(),
                    names => format!("; {what}: `{}` ({remedy})", names.join("`, `")),
                };
                write!(
                    f,
                    "numbered names move when an operator is added upstream, and these reach the disk{}{}",
                    named(
                        "stores",
                        stores,
                        "pass a descriptor, such as a `&Store`, to the verb's `_with` form, or name the verb"
                    ),
                    named("repartition topics", topics, "`.named(..)` on the grouping, join or `repartition`"),
                )
            }
        }
    }
}

/// All faults of a topology. Never empty.
///
/// `Debug` gives the same text as `Display`, because that is what a `main` that returns an error shows.
#[derive(Clone, PartialEq, Eq)]
pub struct TopologyErrors(Vec<Fault>);

impl TopologyErrors {
    /// `Ok` when there are no faults.
    pub(crate) fn check(faults: Vec<Fault>) -> Result<(), TopologyErrors> {
        if faults.is_empty() { Ok(()) } else { Err(TopologyErrors(faults)) }
    }

    /// The faults, in the order in which they were found.
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }
}

impl fmt::Debug for TopologyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TopologyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            [fault] => write!(f, "the topology is wrong: {fault}"),
            faults => {
                write!(f, "the topology has {} faults:", faults.len())?;
                faults.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
            }
        }
    }
}

impl std::error::Error for TopologyErrors {}
