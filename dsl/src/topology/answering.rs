//! Which nodes answer commands, and where their answers are found.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::{NodeKind, SinkTopic, SourceTopics, TopicRef, Topology};
use crate::event_sourcing::{Aggregate, ReplySerde};

/// A node that answers commands.
#[derive(Clone)]
pub(crate) struct Answering {
    /// The node that decides.
    pub(crate) node: Arc<str>,
    /// The topic of answers, without the application's id.
    pub(crate) topic: Arc<str>,
    /// How many partitions that has, if it was said.
    pub(crate) partitions: Option<u32>,
    /// The `ReplySerde` of its aggregate.
    pub(crate) replies: Arc<dyn Any + Send + Sync>,
}

/// Where commands of a topic are decided, and where the answers are.
pub struct AnswerRoute<'t> {
    answering: &'t Answering,
    subtopology: usize,
    is_direct: bool,
}

impl AnswerRoute<'_> {
    /// The topic of answers.
    pub fn topic(&self) -> TopicRef {
        TopicRef::Internal(self.answering.topic.clone())
    }

    /// The node that decides.
    pub fn node(&self) -> &str {
        &self.answering.node
    }

    /// The number of the sub-topology that decides.
    pub fn subtopology(&self) -> usize {
        self.subtopology
    }

    /// Whether the commands' own partitions are those of the tasks that decide: no repartition topic lies in between.
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// How the answers are written; `None` when another aggregate decides.
    pub fn replies<A: Aggregate>(&self) -> Option<&ReplySerde<A::Event, A::Refusal>> {
        self.answering.replies.downcast_ref()
    }
}

impl fmt::Debug for AnswerRoute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerRoute({} -> {})", self.answering.node, self.answering.topic)
    }
}

impl Topology {
    /// Where commands of a topic are answered: by the first `event_sourced` that the topic's records come to.
    pub fn answers_to(&self, commands: &str) -> Option<AnswerRoute<'_>> {
        // Numbers of nodes, and whether no repartition topic lies above.
        let mut open: Vec<(usize, bool)> =
            self.readers(&TopicRef::External(commands.into())).map(|node| (node, true)).collect();
        let mut seen = vec![false; self.nodes().len()];
        while let Some((number, is_direct)) = open.pop() {
            let node = &self.nodes()[number];
            if let Some(answering) = self.program.answering.iter().find(|answering| answering.node == node.name) {
                let subtopology = self.subtopologies().iter().find(|sub| sub.nodes.contains(&number))?.id;
                return Some(AnswerRoute { answering, subtopology, is_direct });
            }
            if std::mem::replace(&mut seen[number], true) {
                continue;
            }
            let numbers = node.children.iter().filter_map(|child| self.nodes().iter().position(|n| n.name == *child));
            open.extend(numbers.map(|child| (child, is_direct)));
            if let NodeKind::Sink(SinkTopic::Fixed(topic @ TopicRef::Internal(_))) = &node.kind {
                open.extend(self.readers(topic).map(|node| (node, false)));
            }
        }
        None
    }

    /// The numbers of the sources that read a topic.
    fn readers(&self, topic: &TopicRef) -> impl Iterator<Item = usize> {
        let reads = move |kind: &NodeKind| match kind {
            NodeKind::Source(SourceTopics::Named(topics)) => topics.contains(topic),
            NodeKind::Source(SourceTopics::Matching(pattern)) => pattern.matches(topic.name()),
            _ => false,
        };
        self.nodes().iter().enumerate().filter(move |(_, node)| reads(&node.kind)).map(|(number, _)| number)
    }
}
