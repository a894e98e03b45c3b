//! Which member of a reader's union takes a writer's type: the rule of Avro's Java library, which is laxer than the specification.
//!
//! A type of the same kind and full name wins, then one with that name as an alias. A record that is not found by its name becomes the first member whose fields it can
//! fill; of those, one with the same short name. Then numbers widen, and strings and bytes are exchanged.

use hashbrown::HashMap;

use crate::schema::{Field, Names, Node, NodeId, Schema, short};

/// How deep records are looked into to see whether one can fill another.
const LOOK_MAX: u32 = 64;

/// Matches the types of two schemas.
pub(super) struct Matching<'a> {
    writer: &'a Schema,
    reader: &'a Schema,
    /// Whether a writer's type is certainly refused as a reader's.
    refused: HashMap<(NodeId, NodeId), bool>,
}

impl<'a> Matching<'a> {
    pub(super) fn new(writer: &'a Schema, reader: &'a Schema) -> Self {
        Matching { writer, reader, refused: HashMap::new() }
    }

    /// The member of the reader's union for a writer's type that is no union.
    pub(super) fn member(&mut self, written: NodeId, members: &[NodeId]) -> Option<usize> {
        self.member_at(written, members, 0)
    }

    fn member_at(&mut self, written: NodeId, members: &[NodeId], depth: u32) -> Option<usize> {
        let (writer, reader) = (self.writer, self.reader);
        let node = writer.node(written);
        if let Some(name) = node.name() {
            // First of all by name, and without a look at the others: unions of many records are compared once each.
            let named = |matches: fn(&Names, &str) -> bool| {
                let is_named = |read: &Node| names_of_same_kind(node, read).is_some_and(|names| matches(names, name));
                members.iter().position(|member| is_named(reader.node(*member)))
            };
            let by_name = [named(|names, name| names.full == name), named(Names::are)];
            for index in by_name.into_iter().flatten() {
                if !matches!(node, Node::Record { .. }) || !self.is_refused(written, members[index], depth) {
                    return Some(index);
                }
            }
            return if matches!(node, Node::Record { .. }) { self.filled(written, members, depth) } else { None };
        }
        let same_kind = |read: &Node| std::mem::discriminant(node) == std::mem::discriminant(read);
        let same = members.iter().position(|member| same_kind(reader.node(*member)));
        same.or_else(|| members.iter().position(|member| is_widened(node, reader.node(*member))))
    }

    /// The record that a writer's record of another name can fill.
    fn filled(&mut self, written: NodeId, members: &[NodeId], depth: u32) -> Option<usize> {
        let (writer, reader) = (self.writer, self.reader);
        let mut fits = None;
        for (index, member) in members.iter().enumerate() {
            let (Some(name), Some(names)) =
                (writer.node(written).name(), names_of_same_kind(writer.node(written), reader.node(*member)))
            else {
                continue;
            };
            if self.is_refused(written, *member, depth) {
                continue;
            }
            if names.short() == short(name) {
                return Some(index);
            }
            fits = fits.or(Some(index));
        }
        fits
    }

    /// Whether nothing of a writer's type can be read as a reader's. What is inside of records is looked at, of other types not: their
    /// values may be empty.
    fn is_refused(&mut self, written: NodeId, read: NodeId, depth: u32) -> bool {
        if let Some(known) = self.refused.get(&(written, read)) {
            return *known;
        }
        if depth > LOOK_MAX {
            return true;
        }
        // A type that is met within itself fits if everything else does.
        self.refused.insert((written, read), false);
        let refused = self.look(written, read, depth + 1);
        self.refused.insert((written, read), refused);
        refused
    }

    fn look(&mut self, written: NodeId, read: NodeId, depth: u32) -> bool {
        let (writer, reader) = (self.writer, self.reader);
        match (writer.node(written), reader.node(read)) {
            (Node::Union(_), _) => false,
            (_, Node::Union(members)) => self.member_at(written, members, depth).is_none(),
            (Node::Record { fields: written, .. }, Node::Record { fields, .. }) => {
                fields.iter().any(|field| match counterpart(written, field) {
                    Some(at) => self.is_refused(written[at].node, field.node, depth),
                    None => field.default.is_none(),
                })
            }
            (Node::Enum { names: written, .. }, Node::Enum { names, .. }) => !names.are(&written.full),
            (Node::Fixed { names: written, size, .. }, Node::Fixed { names, size: wanted }) => {
                !names.are(&written.full) || size != wanted
            }
            (written, read) => {
                std::mem::discriminant(written) != std::mem::discriminant(read) && !is_widened(written, read)
            }
        }
    }
}

/// What a reader's type is called, if it is a named one of the same kind.
fn names_of_same_kind<'a>(written: &Node, read: &'a Node) -> Option<&'a Names> {
    match (written, read) {
        (Node::Record { .. }, Node::Record { names, .. })
        | (Node::Enum { .. }, Node::Enum { names, .. })
        | (Node::Fixed { .. }, Node::Fixed { names, .. }) => Some(names),
        _ => None,
    }
}

/// Whether values of one type can be read as another one that holds more.
fn is_widened(written: &Node, read: &Node) -> bool {
    match written {
        Node::Int => matches!(read, Node::Long | Node::Float | Node::Double),
        Node::Long => matches!(read, Node::Float | Node::Double),
        Node::Float => matches!(read, Node::Double),
        Node::String => matches!(read, Node::Bytes),
        Node::Bytes => matches!(read, Node::String),
        _ => false,
    }
}

/// The writer's field that a reader's field is read from: of the same name, else of one of its aliases.
pub(super) fn counterpart(written: &[Field], read: &Field) -> Option<usize> {
    let by_name = |name: &str| written.iter().position(|field| field.name == name);
    by_name(&read.name).or_else(|| read.aliases.iter().find_map(|alias| by_name(short(alias))))
}
