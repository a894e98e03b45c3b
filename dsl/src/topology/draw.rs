//! Pictures of a topology: Graphviz DOT and Mermaid.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{NodeKind, SinkTopic, SourceTopics, Topology};

/// A picture's box.
struct Shape {
    id: String,
    label: String,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Node,
    Topic,
    Store,
}

/// What both languages draw: boxes by sub-topology, boxes outside, arrows.
struct Picture {
    groups: Vec<(String, Vec<Shape>)>,
    topics: Vec<Shape>,
    arrows: Vec<(String, String)>,
    /// Store and node, without direction.
    uses: Vec<(String, String)>,
}

impl Topology {
    /// The topology in Graphviz's language: `dot -Tsvg`. Topics are ovals, stores cylinders, each sub-topology a frame.
    pub fn to_dot(&self) -> String {
        let picture = self.picture();
        let mut text = String::from("digraph topology {\n  rankdir=LR;\n  node [fontname=\"Helvetica\"];\n");
        let form = |form| match form {
            Form::Node => "box",
            Form::Topic => "oval",
            Form::Store => "cylinder",
        };
        let shape = |text: &mut String, indent: &str, s: &Shape| {
            let _ = writeln!(
                text,
                "{indent}{} [label=\"{}\", shape={}];",
                s.id,
                s.label.replace('\\', "\\\\").replace('"', "\\\""),
                form(s.form)
            );
        };
        for (number, (title, shapes)) in picture.groups.iter().enumerate() {
            let _ = writeln!(text, "  subgraph cluster_{number} {{\n    label=\"{title}\";");
            shapes.iter().for_each(|s| shape(&mut text, "    ", s));
            text.push_str("  }\n");
        }
        picture.topics.iter().for_each(|s| shape(&mut text, "  ", s));
        for (from, to) in &picture.arrows {
            let _ = writeln!(text, "  {from} -> {to};");
        }
        for (store, node) in &picture.uses {
            let _ = writeln!(text, "  {store} -> {node} [dir=none, style=dashed];");
        }
        text.push_str("}\n");
        text
    }

    /// The topology as a Mermaid flowchart, which many places show as a picture.
    pub fn to_mermaid(&self) -> String {
        let picture = self.picture();
        let mut text = String::from("flowchart LR\n");
        let shape = |text: &mut String, indent: &str, s: &Shape| {
            let label = s.label.replace('"', "#quot;");
            let _ = match s.form {
                Form::Node => writeln!(text, "{indent}{}[\"{label}\"]", s.id),
                Form::Topic => writeln!(text, "{indent}{}([\"{label}\"])", s.id),
                Form::Store => writeln!(text, "{indent}{}[(\"{label}\")]", s.id),
            };
        };
        for (number, (title, shapes)) in picture.groups.iter().enumerate() {
            let _ = writeln!(text, "  subgraph sub{number} [\"{title}\"]");
            shapes.iter().for_each(|s| shape(&mut text, "    ", s));
            text.push_str("  end\n");
        }
        picture.topics.iter().for_each(|s| shape(&mut text, "  ", s));
        for (from, to) in &picture.arrows {
            let _ = writeln!(text, "  {from} --> {to}");
        }
        for (store, node) in &picture.uses {
            let _ = writeln!(text, "  {store} -.- {node}");
        }
        text
    }

    fn picture(&self) -> Picture {
        let mut topics: BTreeMap<String, String> = BTreeMap::new();
        let mut topic_id = |label: String| {
            let next = format!("t{}", topics.len());
            topics.entry(label).or_insert(next).clone()
        };
        let node_ids: BTreeMap<&str, String> =
            self.nodes().iter().enumerate().map(|(number, node)| (&*node.name, format!("n{number}"))).collect();
        let store_ids: BTreeMap<&str, String> =
            self.stores().iter().enumerate().map(|(number, store)| (&**store.name(), format!("s{number}"))).collect();
        let (mut arrows, mut uses, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        for sub in self.subtopologies() {
            let mut shapes = Vec::new();
            for node in self.nodes_of(sub) {
                let id = &node_ids[&*node.name];
                shapes.push(Shape { id: id.clone(), label: node.name.to_string(), form: Form::Node });
                match &node.kind {
                    NodeKind::Source(SourceTopics::Named(names)) => {
                        arrows.extend(names.iter().map(|t| (topic_id(t.name().to_string()), id.clone())));
                    }
                    NodeKind::Source(SourceTopics::Matching(pattern)) => {
                        arrows.push((topic_id(pattern.to_string()), id.clone()));
                    }
                    NodeKind::Sink(SinkTopic::Fixed(topic)) => {
                        arrows.push((id.clone(), topic_id(topic.name().to_string())));
                    }
                    NodeKind::Sink(SinkTopic::Chosen) => {
                        arrows.push((id.clone(), topic_id("chosen for each record".into())));
                    }
                    NodeKind::Processor => {}
                }
                arrows.extend(node.children.iter().map(|child| (id.clone(), node_ids[&**child].clone())));
                for store in &node.stores {
                    let store_id = &store_ids[&**store];
                    uses.push((store_id.clone(), id.clone()));
                    if !shapes.iter().any(|shape: &Shape| shape.id == *store_id) {
                        shapes.push(Shape { id: store_id.clone(), label: store.to_string(), form: Form::Store });
                    }
                }
            }
            let kind = if sub.is_global() { " (global)" } else { "" };
            groups.push((format!("sub-topology {}{kind}", sub.id), shapes));
        }
        let shape = |(label, id): (String, String)| Shape { id, label, form: Form::Topic };
        Picture { groups, topics: topics.into_iter().map(shape).collect(), arrows, uses }
    }
}
