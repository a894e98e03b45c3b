//! `describe()`: the text that Kafka Streams prints for the same topology, to the last byte.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::java_order::hash_map_order;
use super::java_tree::JavaTree;
use super::{NodeKind, NodeView, SinkTopic, SourceTopics, Subtopology, Topology};

impl Topology {
    /// The topology in the words of Kafka Streams' `Topology#describe()`, so that tools which read or compare that text
    /// work unchanged.
    pub fn describe(&self) -> String {
        let mut text = String::from("Topologies:\n");
        for (position, sub) in self.subtopologies().iter().enumerate() {
            let indent = if position == 0 { "   " } else { "  " };
            let ending = if sub.is_global() { " for global store (will not generate tasks)" } else { "" };
            let _ = writeln!(text, "{indent}Sub-topology: {}{ending}", sub.id);
            for (node, links) in self.described(sub) {
                describe_node(&mut text, node, &links);
            }
            if !sub.is_global() {
                text.push('\n');
            }
        }
        text
    }

    /// The nodes of a sub-topology in the order of the text.
    fn described<'a>(&'a self, sub: &'a Subtopology) -> Vec<(&'a NodeView, Links<'a>)> {
        let nodes: BTreeMap<&str, &NodeView> = self.nodes_of(sub).map(|node| (&*node.name, node)).collect();
        // Kafka Streams collects the names of a sub-topology in a hash set, in the order in which the nodes were added.
        let names: Vec<&str> = self.nodes_of(sub).map(|node| &*node.name).collect();
        let mut links: BTreeMap<&str, Links<'_>> = nodes.keys().map(|name| (*name, Links::default())).collect();
        for name in hash_map_order(&names) {
            for parent in &nodes[name].parents {
                connect(&mut links, parent, name);
            }
        }
        let mut order: Vec<&str> = nodes.keys().copied().collect();
        order.sort_by(|a, b| links[b].size.cmp(&links[a].size).then(a.cmp(b)));
        order.into_iter().filter_map(|name| links.remove(name).map(|links| (nodes[name], links))).collect()
    }
}

/// A node's neighbours in the order of the text, and the size of what lies below it.
struct Links<'a> {
    size: usize,
    parents: JavaTree<&'a str>,
    children: JavaTree<&'a str>,
}

impl Default for Links<'_> {
    fn default() -> Self {
        Links { size: 1, parents: JavaTree::default(), children: JavaTree::default() }
    }
}

fn connect<'a>(links: &mut BTreeMap<&'a str, Links<'a>>, parent: &'a str, child: &'a str) {
    insert(links, child, parent, |links| &mut links.parents);
    insert(links, parent, child, |links| &mut links.children);
    let size = links[child].size;
    grow(links, parent, size);
}

/// Adds `added` to a neighbour list of `node`, which is sorted by the sizes known at this moment, as in the original.
fn insert<'a>(
    links: &mut BTreeMap<&'a str, Links<'a>>,
    node: &str,
    added: &'a str,
    list: for<'l> fn(&'l mut Links<'a>) -> &'l mut JavaTree<&'a str>,
) {
    let Some(mut sorted) = links.get_mut(node).map(|links| std::mem::take(list(links))) else { return };
    sorted.insert(added, |there| links[there].size.cmp(&links[added].size).then_with(|| added.cmp(there)));
    if let Some(links) = links.get_mut(node) {
        *list(links) = sorted;
    }
}

fn grow(links: &mut BTreeMap<&str, Links<'_>>, node: &str, by: usize) {
    let parents = match links.get_mut(node) {
        Some(links) => {
            links.size += by;
            links.parents.items()
        }
        None => return,
    };
    for parent in parents {
        grow(links, parent, by);
    }
}

fn describe_node(text: &mut String, node: &NodeView, links: &Links<'_>) {
    let name = &node.name;
    let _ = match &node.kind {
        NodeKind::Source(SourceTopics::Named(topics)) => {
            let topics: Vec<&str> = topics.iter().map(|topic| &**topic.name()).collect();
            writeln!(text, "    Source: {name} (topics: [{}])", topics.join(", "))
        }
        NodeKind::Source(SourceTopics::Matching(pattern)) => writeln!(text, "    Source: {name} (topics: {pattern})"),
        NodeKind::Processor => writeln!(text, "    Processor: {name} (stores: [{}])", stores(node).join(", ")),
        NodeKind::Sink(SinkTopic::Fixed(topic)) => writeln!(text, "    Sink: {name} (topic: {})", topic.name()),
        NodeKind::Sink(SinkTopic::Chosen) => writeln!(text, "    Sink: {name} (extractor class: *)"),
    };
    if !matches!(node.kind, NodeKind::Sink(_)) {
        let _ = writeln!(text, "      --> {}", list(&links.children));
    }
    if !matches!(node.kind, NodeKind::Source(_)) {
        let _ = writeln!(text, "      <-- {}", list(&links.parents));
    }
}

/// A node's stores, which Kafka Streams collects in a hash set too.
fn stores(node: &NodeView) -> Vec<&str> {
    let names: Vec<&str> = node.stores.iter().map(|store| &**store).collect();
    hash_map_order(&names)
}

fn list(names: &JavaTree<&str>) -> String {
    let names = names.items();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
