//! Schemas: their text as it was given, what it means, and the id that follows from that.

mod canonical;
mod node;
mod parse;
mod pretty;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::AvroError;
use crate::fingerprint::SchemaId;

pub(crate) use node::{Field, Names, Node, NodeId, short};

/// An Avro schema. Cheap to clone.
///
/// ```
/// use tidemill_avro::Schema;
///
/// let schema: Schema = r#"{"type":"record","name":"bank.Account","doc":"A row","fields":[{"name":"balance","type":"int"}]}"#.parse()?;
/// assert_eq!(schema.id().get(), 5954662915099642308);
/// assert_eq!(
///     schema.canonical(),
///     r#"{"name":"bank.Account","type":"record","fields":[{"name":"balance","type":"int"}]}"#
/// );
/// # Ok::<(), tidemill_avro::AvroError>(())
/// ```
#[derive(Clone)]
pub struct Schema(Arc<Inner>);

struct Inner {
    text: String,
    canonical: String,
    id: SchemaId,
    nodes: Vec<Node>,
    root: NodeId,
}

impl Schema {
    /// Reads a schema's text.
    ///
    /// # Errors
    ///
    /// [`AvroErrorKind::Schema`](crate::AvroErrorKind::Schema) for a text that is no schema, is longer than a mebibyte, or nests deeper than
    /// JSON may.
    pub fn parse(text: &str) -> Result<Schema, AvroError> {
        let (nodes, root) = parse::parse(text)?;
        let canonical = canonical::canonical(&nodes, root);
        let id = SchemaId::of(&canonical);
        Ok(Schema(Arc::new(Inner { text: text.to_owned(), canonical, id, nodes, root })))
    }

    /// The text as it was given: what a registry keeps.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The text over several lines, for people.
    pub fn pretty(&self) -> String {
        pretty::pretty(&self.0.text)
    }

    /// Avro's parsing canonical form: what decides how values are written.
    pub fn canonical(&self) -> &str {
        &self.0.canonical
    }

    /// The fingerprint of the canonical form.
    pub fn id(&self) -> SchemaId {
        self.0.id
    }

    pub(crate) fn root(&self) -> NodeId {
        self.0.root
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.0.nodes[id.0 as usize]
    }
}

impl FromStr for Schema {
    type Err = AvroError;

    fn from_str(text: &str) -> Result<Schema, AvroError> {
        Schema::parse(text)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.text()).finish()
    }
}

/// Two schemas are equal when values of them are written alike: when their canonical forms are.
impl PartialEq for Schema {
    fn eq(&self, other: &Schema) -> bool {
        self.canonical() == other.canonical()
    }
}

impl Eq for Schema {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, because: &str) {
        let error = Schema::parse(text).expect_err("this is no schema").to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn a_type_that_contains_itself_is_named_where_it_comes_again() {
        let text =
            r#"{"type":"record","name":"n.Node","fields":[{"name":"next","type":["null","Node"],"default":null}]}"#;
        let schema = Schema::parse(text).unwrap();
        let canonical = r#"{"name":"n.Node","type":"record","fields":[{"name":"next","type":["null","n.Node"]}]}"#;
        assert_eq!((schema.canonical(), schema.text()), (canonical, text));
    }

    #[test]
    fn texts_that_are_no_schemas_say_why() {
        refused("nonsense", "is JSON");
        refused("7", "is no type");
        refused("\"Unknown\"", "nothing is called `Unknown`");
        refused(r#"{"name":"a"}"#, "needs a `type`");
        refused(r#"{"type":"record","name":"a"}"#, "lacks its `fields`");
        refused(r#"{"type":"record","name":"a b","fields":[]}"#, "`a b` is no name");
        refused(r#"{"type":"record","name":"int","fields":[]}"#, "Avro's own");
        refused(r#"{"type":"fixed","name":"a","size":-1}"#, "no number of bytes");
        refused(r#"{"type":"enum","name":"a","symbols":["A","A"]}"#, "`A` twice");
        refused(r#"{"type":"enum","name":"a","symbols":["A"],"default":"B"}"#, "no symbol");
        refused(r#"["null","null"]"#, "twice in a union");
        refused(r#"["null",["int"]]"#, "directly in a union");
        let twice = r#"{"type":"record","name":"a","fields":[{"name":"x","type":"int"},{"name":"x","type":"int"}]}"#;
        refused(twice, "two fields called `x`");
        let again = r#"[{"type":"fixed","name":"a","size":1},{"type":"fixed","name":"a","size":1}]"#;
        refused(again, "described twice");
    }

    #[test]
    fn deep_and_long_texts_are_refused_in_time() {
        let deep = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(5_000), "}".repeat(5_000));
        refused(&deep, "recursion limit");
        refused(&" ".repeat(2 << 20), "longer than");
    }
}
