//! What a topology may do although it is seldom meant: what comes of it, and what to do instead.

use std::fmt;
use std::sync::Arc;

use super::{NodeKind, SinkTopic, SourceTopics, TopicRef, Topology};
use crate::state::{Changelog, Persistence};

/// Something that is allowed and seldom meant. Its text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A store lies in memory and has no changelog.
    NothingKept {
        /// The store.
        store: Arc<str>,
    },
    /// A join looks up a table that is made of the join's own results.
    OwnResults {
        /// The join.
        join: Arc<str>,
        /// The table's store.
        store: Arc<str>,
        /// The topic by which the results come back.
        topic: Arc<str>,
    },
    /// Commands that are decided may have no key.
    UnkeyedCommands {
        /// The node that decides them.
        node: Arc<str>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::NothingKept { store } => write!(
                f,
                "store `{store}` lies in memory and has no changelog: its rows are lost when the application stops; give it a \
                 changelog, or keep it on disk"
            ),
            Warning::OwnResults { join, store, topic } => write!(
                f,
                "join `{join}` looks up store `{store}`, which is made of its own results by way of topic `{topic}`: a record \
                 may find the row as it was before the records ahead of it were decided; decide with \
                 `event_sourced`, or let one processor read the row, decide and write it (the guide tells why: \
                 docs/guide/explorer.md)"
            ),
            Warning::UnkeyedCommands { node } => write!(
                f,
                "node `{node}` decides commands that may have no key, and drops those: send each command under the key of its \
                 state, and declare the topic's key as a type that is never absent"
            ),
        }
    }
}

impl Topology {
    /// What the topology does that is seldom meant, where stores that do not say otherwise have this changelog. An
    /// application logs it when it starts.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::{Changelog, Store};
    /// use tidemill_dsl::stream::Materialized;
    ///
    /// const COUNTS: Store<String, i64> = Store::of("counts");
    /// # let builder = StreamsBuilder::new();
    /// let lost = Materialized::store(&COUNTS).in_memory().changelog(Changelog::Off);
    /// builder.stream(&IN).group_by_key().count_with(lost);
    /// let warnings = builder.build()?.warnings(Changelog::LastPerCommit);
    /// assert!(warnings[0].to_string().contains("its rows are lost"));
    /// # Ok::<(), tidemill_dsl::topology::TopologyErrors>(())
    /// ```
    pub fn warnings(&self, default: Changelog) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (number, store) in self.stores().iter().enumerate() {
            let changelog = store.changelog_declared().unwrap_or(default);
            let restored = store.source_topic().is_some() || self.program.filled[number].is_some();
            if store.persistence() == Persistence::Memory && changelog == Changelog::Off && !restored {
                warnings.push(Warning::NothingKept { store: store.name().clone() });
            }
        }
        for (join, store) in &self.program.lookups {
            if let Some(topic) = self.way_back(join, store) {
                let (join, store, topic) = (join.clone(), store.clone(), topic.name().clone());
                warnings.push(Warning::OwnResults { join, store, topic });
            }
        }
        warnings.extend(self.program.unkeyed.iter().map(|node| Warning::UnkeyedCommands { node: node.clone() }));
        warnings
    }

    /// The topic by which what comes of a node gets to the one that keeps a store's rows, if it does.
    fn way_back(&self, from: &str, store: &str) -> Option<&TopicRef> {
        // The table is there before anything looks it up, so its keeper is the first to use the store.
        let keeper = self.nodes().iter().find(|node| node.stores.iter().any(|name| **name == *store))?;
        let number = |name: &str| self.nodes().iter().position(|node| *node.name == *name);
        // Nodes with the first topic on the way to them.
        let mut open: Vec<(usize, Option<&TopicRef>)> = number(from).map(|from| (from, None)).into_iter().collect();
        let mut seen = vec![false; self.nodes().len()];
        while let Some((at, topic)) = open.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let node = &self.nodes()[at];
            if node.name == keeper.name && topic.is_some() {
                return topic;
            }
            open.extend(node.children.iter().filter_map(|child| number(child)).map(|child| (child, topic)));
            if let NodeKind::Sink(SinkTopic::Fixed(written)) = &node.kind {
                let readers = self.nodes().iter().enumerate().filter(|(_, node)| reads(&node.kind, written));
                open.extend(readers.map(|(reader, _)| (reader, topic.or(Some(written)))));
            }
        }
        None
    }
}

fn reads(kind: &NodeKind, topic: &TopicRef) -> bool {
    match kind {
        NodeKind::Source(SourceTopics::Named(topics)) => topics.contains(topic),
        NodeKind::Source(SourceTopics::Matching(pattern)) => pattern.matches(topic.name()),
        _ => false,
    }
}
