//! A schema's types, each once: whoever names one has its number, so a type that contains itself is no special case.

/// The number of a type within its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(super) u32);

/// A type.
#[derive(Debug)]
pub(crate) enum Node {
    /// Named, and not described yet.
    Open,
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed {
        names: Names,
        size: usize,
    },
    Enum {
        names: Names,
        symbols: Vec<String>,
        default: Option<usize>,
    },
    Record {
        names: Names,
        fields: Vec<Field>,
    },
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
}

/// What a type is called, with its namespace, and was called before.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) full: String,
    pub(crate) aliases: Vec<String>,
}

impl Names {
    /// The name without its namespace.
    pub(crate) fn short(&self) -> &str {
        short(&self.full)
    }

    /// Whether a writer's type of this name is this one.
    pub(crate) fn are(&self, full: &str) -> bool {
        self.full == full || self.aliases.iter().any(|alias| alias == full)
    }
}

/// A name without its namespace.
pub(crate) fn short(full: &str) -> &str {
    full.rsplit('.').next().unwrap_or(full)
}

/// A record's field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) node: NodeId,
    pub(crate) default: Option<serde_json::Value>,
}

impl Node {
    /// The full name of a named type.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Node::Fixed { names, .. } | Node::Enum { names, .. } | Node::Record { names, .. } => Some(&names.full),
            _ => None,
        }
    }

    /// What the type is called in messages and in JSON: the full name, or the primitive's.
    pub(crate) fn label(&self) -> &str {
        match self {
            Node::Open => "an unfinished type",
            Node::Null => "null",
            Node::Boolean => "boolean",
            Node::Int => "int",
            Node::Long => "long",
            Node::Float => "float",
            Node::Double => "double",
            Node::Bytes => "bytes",
            Node::String => "string",
            Node::Fixed { names, .. } | Node::Enum { names, .. } | Node::Record { names, .. } => &names.full,
            Node::Array(_) => "array",
            Node::Map(_) => "map",
            Node::Union(_) => "union",
        }
    }
}
