//! The topology as the page draws it: boxes, what they read and write, and the stores.

use serde_json::{Value, json};

use crate::Metrics;
use crate::topology::{NodeKind, NodeView, SinkTopic, SourceTopics, Subtopology, Topology};

pub(super) fn as_json(topology: &Topology, metrics: &Metrics) -> Value {
    let application = &*metrics.application;
    let nodes = topology.subtopologies().iter().flat_map(|sub| {
        topology.nodes_of(sub).map(move |node| node_json(node, sub, application, metrics)).collect::<Vec<_>>()
    });
    let subtopologies = topology.subtopologies().iter().map(|sub| json!({ "id": sub.id, "global": sub.is_global() }));
    let stores = topology.stores().iter().map(|store| {
        json!({
            "name": **store.name(),
            "shape": store.shape(),
            "changelog": format!("{application}-{}-changelog", store.name()),
            "subtopology": topology.subtopology_of_store(store.name()).map(|sub| sub.id),
        })
    });
    json!({
        "application": application,
        "nodes": nodes.collect::<Vec<_>>(),
        "subtopologies": subtopologies.collect::<Vec<_>>(),
        "stores": stores.collect::<Vec<_>>(),
        "description": topology.describe(),
    })
}

fn node_json(node: &NodeView, sub: &Subtopology, application: &str, metrics: &Metrics) -> Value {
    let (kind, topics): (&str, Vec<String>) = match &node.kind {
        NodeKind::Source(SourceTopics::Named(topics)) => {
            ("source", topics.iter().map(|topic| topic.resolve(application).to_string()).collect())
        }
        // Those that it reads now, as far as tasks that ran here know of them.
        NodeKind::Source(SourceTopics::Matching(pattern)) => {
            let read = metrics.tasks.values().flat_map(|task| task.read.keys());
            let mut found: Vec<String> =
                read.filter(|input| pattern.matches(&input.topic)).map(|input| input.topic.to_string()).collect();
            found.sort();
            found.dedup();
            ("source", if found.is_empty() { vec![pattern.to_string()] } else { found })
        }
        NodeKind::Sink(SinkTopic::Fixed(topic)) => ("sink", vec![topic.resolve(application).to_string()]),
        NodeKind::Sink(SinkTopic::Chosen) => ("sink", vec!["chosen for each record".to_owned()]),
        NodeKind::Processor => ("processor", Vec::new()),
    };
    let names = |names: &[std::sync::Arc<str>]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "name": *node.name,
        "kind": kind,
        "subtopology": sub.id,
        "topics": topics,
        "children": names(&node.children),
        "stores": names(&node.stores),
    })
}
