//! Writes a schema in Avro's parsing canonical form: what decides how values are written, and nothing else.

use super::node::{Node, NodeId};

/// The canonical form of a type and of what it contains; a named type is described where it comes first.
pub(super) fn canonical(nodes: &[Node], root: NodeId) -> String {
    let mut writer = Writer { nodes, described: vec![false; nodes.len()], out: String::new() };
    writer.write(root);
    writer.out
}

struct Writer<'a> {
    nodes: &'a [Node],
    described: Vec<bool>,
    out: String,
}

impl Writer<'_> {
    /// Goes as deep as the text did: a type that was described is mentioned by its name.
    fn write(&mut self, id: NodeId) {
        let node = &self.nodes[id.0 as usize];
        match node {
            Node::Array(items) => self.container("array", "items", *items),
            Node::Map(values) => self.container("map", "values", *values),
            Node::Union(members) => {
                self.out.push('[');
                self.list(members, |writer, member| writer.write(*member));
                self.out.push(']');
            }
            Node::Record { .. } | Node::Enum { .. } | Node::Fixed { .. } if !self.described[id.0 as usize] => {
                self.described[id.0 as usize] = true;
                self.describe(node);
            }
            _ => self.quoted(node.label()),
        }
    }

    fn describe(&mut self, node: &Node) {
        self.out.push_str("{\"name\":");
        self.quoted(node.label());
        match node {
            Node::Record { fields, .. } => {
                self.out.push_str(",\"type\":\"record\",\"fields\":[");
                self.list(fields, |writer, field| {
                    writer.out.push_str("{\"name\":");
                    writer.quoted(&field.name);
                    writer.out.push_str(",\"type\":");
                    writer.write(field.node);
                    writer.out.push('}');
                });
                self.out.push(']');
            }
            Node::Enum { symbols, .. } => {
                self.out.push_str(",\"type\":\"enum\",\"symbols\":[");
                self.list(symbols, |writer, symbol| writer.quoted(symbol));
                self.out.push(']');
            }
            Node::Fixed { size, .. } => self.out.push_str(&format!(",\"type\":\"fixed\",\"size\":{size}")),
            _ => {}
        }
        self.out.push('}');
    }

    fn container(&mut self, kind: &str, member: &str, inner: NodeId) {
        self.out.push_str(&format!("{{\"type\":\"{kind}\",\"{member}\":"));
        self.write(inner);
        self.out.push('}');
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            write(self, item);
        }
    }

    /// Names have no character that JSON would escape.
    fn quoted(&mut self, name: &str) {
        self.out.push('"');
        self.out.push_str(name);
        self.out.push('"');
    }
}
