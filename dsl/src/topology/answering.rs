//! Which nodes answer commands, and where their answers are found.

use std::sync::Arc;

use super::{NodeKind, SinkTopic, SourceTopics, TopicRef, Topology};

/// A node that answers commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answering {
    /// The node that decides.
    pub(crate) node: Arc<str>,
    /// The topic of answers, without the application's id.
    pub(crate) topic: Arc<str>,
    /// How many partitions that has, if it was said.
    pub(crate) partitions: Option<u32>,
}

impl Topology {
    /// The topic that has the answers to commands of a topic: that of the first `event_sourced` which the topic's records come
    /// to.
    pub fn answers_to(&self, commands: &str) -> Option<TopicRef> {
        let mut open: Vec<&str> = Vec::new();
        let mut seen = vec![false; self.nodes().len()];
        let reads = |topic: &TopicRef| {
            let reader = move |kind: &NodeKind| match kind {
                NodeKind::Source(SourceTopics::Named(topics)) => topics.contains(topic),
                NodeKind::Source(SourceTopics::Matching(pattern)) => pattern.matches(topic.name()),
                _ => false,
            };
            self.nodes().iter().filter(move |node| reader(&node.kind)).map(|node| &*node.name).collect::<Vec<_>>()
        };
        open.extend(reads(&TopicRef::External(commands.into())));
        while let Some(name) = open.pop() {
            if let Some(answering) = self.program.answering.iter().find(|answering| *answering.node == *name) {
                return Some(TopicRef::Internal(answering.topic.clone()));
            }
            let Some(number) = self.nodes().iter().position(|node| *node.name == *name) else { continue };
            if std::mem::replace(&mut seen[number], true) {
                continue;
            }
            let node = &self.nodes()[number];
            open.extend(node.children.iter().map(|child| &**child));
            if let NodeKind::Sink(SinkTopic::Fixed(topic @ TopicRef::Internal(_))) = &node.kind {
                open.extend(reads(topic));
            }
        }
        None
    }
}
