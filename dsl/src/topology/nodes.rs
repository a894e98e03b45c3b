//! Nodes as they are declared.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use regex_lite::Regex;

use super::{Assembled, Fault, Wiring};
use crate::processor::{Edge, Takes};
use crate::record::TopicName;

/// A topic, by its full name or by the name that an application's id goes before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicRef {
    /// A topic of the outside world.
    External(TopicName),
    /// A topic of the application: repartition or changelog. Its full name is `<application>-<name>`.
    Internal(TopicName),
}

impl TopicRef {
    /// The name without an application's id, as `describe` shows it.
    pub fn name(&self) -> &TopicName {
        match self {
            TopicRef::External(name) | TopicRef::Internal(name) => name,
        }
    }

    /// The full name for an application.
    pub fn resolve(&self, application: &str) -> TopicName {
        match self {
            TopicRef::External(name) => name.clone(),
            TopicRef::Internal(name) => format!("{application}-{name}").into(),
        }
    }
}

/// A regular expression that topic names match as a whole.
#[derive(Clone, Debug)]
pub struct TopicPattern {
    text: Arc<str>,
    regex: Regex,
}

impl TopicPattern {
    /// Parses a pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let wrong = |error: regex_lite::Error| Fault::Pattern { pattern: text.into(), cause: error.to_string() };
        let regex = Regex::new(&format!("^(?:{text})$")).map_err(wrong)?;
        Ok(TopicPattern { text: text.into(), regex })
    }

    /// Whether a topic's name matches.
    pub fn matches(&self, topic: &str) -> bool {
        self.regex.is_match(topic)
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a source reads.
#[derive(Clone, Debug)]
pub enum SourceTopics {
    /// Topics by name.
    Named(Vec<TopicRef>),
    /// The topics that match when a task is made.
    Matching(TopicPattern),
}

/// Where a sink writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkTopic {
    /// One topic.
    Fixed(TopicRef),
    /// A topic chosen for each record.
    Chosen,
}

/// The type of an edge, for the check that parents and children fit together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EdgeType {
    id: TypeId,
    pub(crate) name: &'static str,
}

impl EdgeType {
    pub(crate) fn of<E: Edge>() -> Self {
        EdgeType { id: TypeId::of::<E>(), name: std::any::type_name::<E>() }
    }
}

impl PartialEq for EdgeType {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

pub(crate) enum Kind {
    Source(SourceTopics),
    Processor,
    Sink(SinkTopic),
}

type Assemble = Box<dyn FnOnce(&mut Wiring<'_>) -> Assembled>;

/// A node as it was added.
pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) parents: Vec<Arc<str>>,
    pub(crate) stores: Vec<Arc<str>>,
    pub(crate) input: Option<EdgeType>,
    pub(crate) output: Option<EdgeType>,
    /// Which of its parents' records it takes.
    pub(crate) takes: Takes,
    pub(crate) assemble: Assemble,
}
