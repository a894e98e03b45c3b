//! From JSON to bytes.

use serde_json::{Map, Value};

use crate::error::AvroError;
use crate::input::{DEPTH_MAX, put_long, put_sized};
use crate::schema::{Field, Node, NodeId, Schema};

/// A default may stand for so many types: a record whose fields have defaults needs no more than its own text.
const DEFAULT_STEPS_MAX: u32 = 1 << 16;

/// Appends a value in Avro's JSON encoding.
pub(super) fn write_value(schema: &Schema, id: NodeId, value: &Value, out: &mut Vec<u8>) -> Result<(), AvroError> {
    Writer { schema, form: Form::Value, steps: u32::MAX, depth: 0, out }.write(id, value)
}

/// Appends the default of a field.
pub(crate) fn write_default(schema: &Schema, id: NodeId, value: &Value, out: &mut Vec<u8>) -> Result<(), AvroError> {
    Writer { schema, form: Form::Default, steps: DEFAULT_STEPS_MAX, depth: 0, out }.write(id, value)
}

/// How unions are written, and whether fields may be missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Value,
    Default,
}

struct Writer<'a> {
    schema: &'a Schema,
    form: Form,
    steps: u32,
    depth: u32,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn write(&mut self, id: NodeId, value: &Value) -> Result<(), AvroError> {
        self.steps = self.steps.saturating_sub(1);
        self.depth += 1;
        if self.steps == 0 || self.depth > DEPTH_MAX {
            return Err(AvroError::schema("it nests too deeply, or contains itself"));
        }
        let schema = self.schema;
        let node = schema.node(id);
        let unfit = || AvroError::mismatch(format!("`{value}` is no `{}`", node.label()));
        match (node, value) {
            (Node::Null, Value::Null) => {}
            (Node::Boolean, Value::Bool(value)) => self.out.push(u8::from(*value)),
            (Node::Int, Value::Number(number)) => {
                let int = number.as_i64().and_then(|long| i32::try_from(long).ok()).ok_or_else(unfit)?;
                put_long(i64::from(int), self.out);
            }
            (Node::Long, Value::Number(number)) => put_long(number.as_i64().ok_or_else(unfit)?, self.out),
            (Node::Float, _) => {
                #[expect(clippy::cast_possible_truncation, reason = "the nearest float is meant")]
                let float = double(value).ok_or_else(unfit)? as f32;
                self.out.extend_from_slice(&float.to_le_bytes());
            }
            (Node::Double, _) => self.out.extend_from_slice(&double(value).ok_or_else(unfit)?.to_le_bytes()),
            (Node::Bytes, Value::String(text)) => put_sized(&bytes(text).ok_or_else(unfit)?, self.out),
            (Node::String, Value::String(text)) => put_sized(text.as_bytes(), self.out),
            (Node::Fixed { size, .. }, Value::String(text)) => {
                let bytes = bytes(text).filter(|bytes| bytes.len() == *size).ok_or_else(unfit)?;
                self.out.extend_from_slice(&bytes);
            }
            (Node::Enum { symbols, .. }, Value::String(text)) => {
                let symbol = symbols.iter().position(|symbol| symbol == text).ok_or_else(unfit)?;
                self.put_number(symbol);
            }
            (Node::Array(items), Value::Array(list)) => {
                self.blocks(list.len(), list.iter(), |writer, item| writer.write(*items, item))?;
            }
            (Node::Map(values), Value::Object(map)) => self.blocks(map.len(), map.iter(), |writer, (key, value)| {
                put_sized(key.as_bytes(), writer.out);
                writer.write(*values, value)
            })?,
            (Node::Union(members), _) => self.union(members, value)?,
            (Node::Record { names, fields }, Value::Object(map)) => self.record(&names.full, fields, map)?,
            _ => return Err(unfit()),
        }
        self.depth -= 1;
        Ok(())
    }

    fn blocks<T>(
        &mut self,
        count: usize,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), AvroError>,
    ) -> Result<(), AvroError> {
        if count > 0 {
            self.put_number(count);
        }
        for item in items {
            write(self, item)?;
        }
        self.out.push(0);
        Ok(())
    }

    fn union(&mut self, members: &[NodeId], value: &Value) -> Result<(), AvroError> {
        let schema = self.schema;
        let of = |name: &str| members.iter().position(|member| schema.node(*member).label() == name);
        let (index, value) = match (self.form, value) {
            (Form::Default, _) if !members.is_empty() => (0, value),
            (Form::Value, Value::Null) if of("null").is_some() => (of("null").unwrap_or_default(), value),
            (Form::Value, Value::Object(map)) if map.len() == 1 => {
                let (name, value) = map.iter().next().unwrap_or_else(|| unreachable!("it has one member"));
                let index = of(name).ok_or_else(|| AvroError::mismatch(format!("the union has no member `{name}`")))?;
                (index, value)
            }
            _ => {
                let message =
                    format!("`{value}` does not say which member it is: write an object with the member's name");
                return Err(AvroError::mismatch(message));
            }
        };
        self.put_number(index);
        self.write(members[index], value)
    }

    fn record(&mut self, name: &str, fields: &[Field], map: &Map<String, Value>) -> Result<(), AvroError> {
        for field in fields {
            let value = match self.form {
                Form::Value => map.get(&field.name),
                Form::Default => map.get(&field.name).or(field.default.as_ref()),
            };
            let value = value.ok_or_else(|| AvroError::mismatch(format!("`{name}` lacks its `{}`", field.name)))?;
            self.write(field.node, value)?;
        }
        Ok(())
    }

    fn put_number(&mut self, number: usize) {
        put_long(i64::try_from(number).unwrap_or(i64::MAX), self.out);
    }
}

fn double(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        _ => value.as_f64(),
    }
}

/// The bytes of a text with one character for each.
fn bytes(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
}
