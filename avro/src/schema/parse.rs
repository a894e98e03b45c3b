//! Reads a schema's text, as strictly as its meaning needs.
//!
//! Names are of letters, digits and underscores of any script, as Avro's Java library has them. What a schema says beside its meaning
//! (documentation, order, logical types, properties) is left in the text. The depth of nesting is that of JSON: 127 at most.

use hashbrown::HashMap;
use serde_json::{Map, Value};

use super::node::{Field, Names, Node, NodeId};
use crate::error::AvroError;

/// Longer texts are refused: a topic's record does not hold more by default.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The types of a text, and which of them the text stands for.
pub(super) fn parse(text: &str) -> Result<(Vec<Node>, NodeId), AvroError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("a schema of {} bytes is longer than {TEXT_BYTES_MAX}: split it", text.len());
        return Err(AvroError::schema(message));
    }
    let json: Value = serde_json::from_str(text).map_err(|error| {
        AvroError::schema(format!("a schema is JSON, and this is none: {error}")).with_source(error)
    })?;
    let mut parser = Parser::default();
    let root = parser.any(&json, "")?;
    Ok((parser.nodes, root))
}

#[derive(Default)]
struct Parser {
    nodes: Vec<Node>,
    named: HashMap<String, NodeId>,
}

type Object = Map<String, Value>;

impl Parser {
    /// A type in the namespace `space`.
    fn any(&mut self, json: &Value, space: &str) -> Result<NodeId, AvroError> {
        match json {
            Value::String(name) => self.by_name(name, space),
            Value::Array(members) => self.union(members, space),
            Value::Object(object) => self.object(object, space),
            _ => Err(AvroError::schema(format!("`{json}` is no type: write a name, an object or a list of types"))),
        }
    }

    fn by_name(&mut self, name: &str, space: &str) -> Result<NodeId, AvroError> {
        if let Some(node) = primitive(name) {
            return self.add(node);
        }
        let known = self.named.get(&*in_space(name, space)).or_else(|| self.named.get(name));
        known.copied().ok_or_else(|| {
            AvroError::schema(format!("nothing is called `{name}` here: describe the type where it comes first"))
        })
    }

    fn object(&mut self, object: &Object, space: &str) -> Result<NodeId, AvroError> {
        match object.get("type") {
            Some(Value::String(kind)) => match kind.as_str() {
                "record" | "error" => self.record(object, space),
                "enum" => self.enumeration(object, space),
                "fixed" => self.fixed(object, space),
                "array" => self.array(object, space),
                "map" => self.map(object, space),
                name => self.by_name(name, space),
            },
            Some(inner) => self.any(inner, space),
            None => Err(AvroError::schema("a type that is an object needs a `type`")),
        }
    }

    fn union(&mut self, members: &[Value], space: &str) -> Result<NodeId, AvroError> {
        let mut nodes: Vec<NodeId> = Vec::with_capacity(members.len());
        let mut labels = hashbrown::HashSet::new();
        for member in members {
            let id = self.any(member, space)?;
            let node = &self.nodes[id.0 as usize];
            if matches!(node, Node::Union(_)) {
                return Err(AvroError::schema("a union directly in a union has no meaning: write one list"));
            }
            let label = self.label(id);
            if !labels.insert(label.clone()) {
                let message = format!("`{label}` is twice in a union: nobody could tell which is meant");
                return Err(AvroError::schema(message));
            }
            nodes.push(id);
        }
        self.add(Node::Union(nodes))
    }

    /// What a type is called in a union; a type that contains the union is open still, and has its name already.
    fn label(&self, id: NodeId) -> String {
        match &self.nodes[id.0 as usize] {
            Node::Open => {
                let name = self.named.iter().find(|(_, known)| **known == id).map(|(name, _)| name.clone());
                name.unwrap_or_default()
            }
            node => node.label().to_owned(),
        }
    }

    fn array(&mut self, object: &Object, space: &str) -> Result<NodeId, AvroError> {
        let items = self.any(member(object, "items", "array")?, space)?;
        self.add(Node::Array(items))
    }

    fn map(&mut self, object: &Object, space: &str) -> Result<NodeId, AvroError> {
        let values = self.any(member(object, "values", "map")?, space)?;
        self.add(Node::Map(values))
    }

    fn record(&mut self, object: &Object, space: &str) -> Result<NodeId, AvroError> {
        let (id, names) = self.open(object, space)?;
        let space = namespace(&names.full).to_owned();
        let Value::Array(list) = member(object, "fields", &names.full)? else {
            return Err(AvroError::schema(format!("the `fields` of `{}` are no list", names.full)));
        };
        let mut fields: Vec<Field> = Vec::with_capacity(list.len());
        let mut taken = hashbrown::HashSet::new();
        for field in list {
            let field = self.field(field, &names.full, &space)?;
            if !taken.insert(field.name.clone()) {
                let message = format!("`{}` has two fields called `{}`: rename one", names.full, field.name);
                return Err(AvroError::schema(message));
            }
            fields.push(field);
        }
        self.nodes[id.0 as usize] = Node::Record { names, fields };
        Ok(id)
    }

    fn field(&mut self, json: &Value, record: &str, space: &str) -> Result<Field, AvroError> {
        let Value::Object(object) = json else {
            return Err(AvroError::schema(format!("a field of `{record}` is no object")));
        };
        let name = text(object, "name", record)?;
        check_name(name)?;
        let node = self.any(member(object, "type", name)?, space)?;
        let default = object.get("default").cloned();
        Ok(Field { name: name.to_owned(), aliases: aliases(object), node, default })
    }

    fn enumeration(&mut self, object: &Object, space: &str) -> Result<NodeId, AvroError> {
        let (id, names) = self.open(object, space)?;
        let symbols = match member(object, "symbols", &names.full)? {
            Value::Array(list) => list.iter().map(|symbol| symbol.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let Some(symbols): Option<Vec<String>> = symbols else {
            return Err(AvroError::schema(format!("the `symbols` of `{}` are no list of names", names.full)));
        };
        check_symbols(&symbols, &names.full)?;
        let default = match object.get("default").and_then(Value::as_str) {
            None => None,
            Some(default) => Some(symbols.iter().position(|symbol| symbol == default).ok_or_else(|| {
                AvroError::schema(format!("the default `{default}` is no symbol of `{}`", names.full))
            })?),
        };
        self.nodes[id.0 as usize] = Node::Enum { names, symbols, default };
        Ok(id)
    }

    fn fixed(&mut self, object: &Object, space: &str) -> Result<NodeId, AvroError> {
        let (id, names) = self.open(object, space)?;
        let size = member(object, "size", &names.full)?.as_u64().and_then(|size| usize::try_from(size).ok());
        let Some(size) = size else {
            return Err(AvroError::schema(format!("the `size` of `{}` is no number of bytes", names.full)));
        };
        self.nodes[id.0 as usize] = Node::Fixed { names, size };
        Ok(id)
    }

    /// Takes a place and a name for a type, so that what is inside can mention it.
    fn open(&mut self, object: &Object, space: &str) -> Result<(NodeId, Names), AvroError> {
        let name = text(object, "name", "a named type")?;
        let space = match object.get("namespace").and_then(Value::as_str) {
            Some(own) => own,
            None => space,
        };
        let full = in_space(name, space);
        full.split('.').try_for_each(check_name)?;
        if primitive(&full).is_some() {
            return Err(AvroError::schema(format!("`{full}` is a type of Avro's own: choose another name")));
        }
        let own_space = namespace(&full);
        let aliases = aliases(object).iter().map(|alias| in_space(alias, own_space)).collect();
        let id = self.add(Node::Open)?;
        if self.named.insert(full.clone(), id).is_some() {
            return Err(AvroError::schema(format!("`{full}` is described twice: mention it by its name")));
        }
        Ok((id, Names { full, aliases }))
    }

    fn add(&mut self, node: Node) -> Result<NodeId, AvroError> {
        let id = u32::try_from(self.nodes.len()).map_err(|_| AvroError::schema("a schema has too many types"))?;
        self.nodes.push(node);
        Ok(NodeId(id))
    }
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int,
        "long" => Node::Long,
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::String,
        _ => return None,
    })
}

/// A name with its namespace; one with dots has its own.
fn in_space(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() { name.to_owned() } else { format!("{space}.{name}") }
}

/// The namespace of a full name.
fn namespace(full: &str) -> &str {
    full.rsplit_once('.').map_or("", |(space, _)| space)
}

fn member<'a>(object: &'a Object, name: &str, of: &str) -> Result<&'a Value, AvroError> {
    object.get(name).ok_or_else(|| AvroError::schema(format!("`{of}` lacks its `{name}`")))
}

fn text<'a>(object: &'a Object, name: &str, of: &str) -> Result<&'a str, AvroError> {
    let value = member(object, name, of)?.as_str();
    value.ok_or_else(|| AvroError::schema(format!("the `{name}` of `{of}` is no text")))
}

fn aliases(object: &Object) -> Vec<String> {
    let list = object.get("aliases").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn check_symbols(symbols: &[String], of: &str) -> Result<(), AvroError> {
    let mut taken = hashbrown::HashSet::new();
    for symbol in symbols {
        check_name(symbol)?;
        if !taken.insert(symbol) {
            return Err(AvroError::schema(format!("`{of}` has the symbol `{symbol}` twice")));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), AvroError> {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|first| first.is_alphabetic() || first == '_');
    if begins && letters.all(|letter| letter.is_alphanumeric() || letter == '_') {
        return Ok(());
    }
    let message = format!("`{name}` is no name: letters, digits and underscores, and no digit first");
    Err(AvroError::schema(message))
}
