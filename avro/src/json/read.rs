//! From bytes to JSON.

use serde_json::{Map, Number, Value};

use crate::error::AvroError;
use crate::input::Input;
use crate::schema::{Node, NodeId, Schema};

/// The next value of the input.
pub(super) fn read(schema: &Schema, id: NodeId, input: &mut Input<'_>) -> Result<Value, AvroError> {
    input.step()?;
    Ok(match schema.node(id) {
        Node::Open | Node::Null => Value::Null,
        Node::Boolean => Value::Bool(input.boolean()?),
        Node::Int => input.int()?.into(),
        Node::Long => input.long()?.into(),
        // The shortest number that is this one, which is another one with 64 bits.
        Node::Float => number(f32::from_le_bytes(input.array()?).to_string().parse().unwrap_or(f64::NAN)),
        Node::Double => number(f64::from_le_bytes(input.array()?)),
        Node::Bytes => characters(input.sized()?),
        Node::String => Value::String(input.string()?.to_owned()),
        Node::Fixed { size, .. } => characters(input.bytes(*size)?),
        Node::Enum { symbols, .. } => Value::String(symbols[input.index(symbols.len(), "an enum")?].clone()),
        Node::Array(items) => {
            let mut list = Vec::new();
            input.enter()?;
            while let Some(count) = input.block()? {
                for _ in 0..count {
                    list.push(read(schema, *items, input)?);
                }
            }
            input.leave();
            Value::Array(list)
        }
        Node::Map(values) => {
            let mut map = Map::new();
            input.enter()?;
            while let Some(count) = input.block()? {
                for _ in 0..count {
                    let key = input.string()?.to_owned();
                    map.insert(key, read(schema, *values, input)?);
                }
            }
            input.leave();
            Value::Object(map)
        }
        Node::Union(members) => {
            let member = members[input.index(members.len(), "a union")?];
            let value = read(schema, member, input)?;
            match schema.node(member) {
                Node::Null => value,
                node => Value::Object(Map::from_iter([(node.label().to_owned(), value)])),
            }
        }
        Node::Record { fields, .. } => {
            let mut map = Map::new();
            input.enter()?;
            for field in fields {
                map.insert(field.name.clone(), read(schema, field.node, input)?);
            }
            input.leave();
            Value::Object(map)
        }
    })
}

fn number(value: f64) -> Value {
    let text = || {
        Value::from(if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        })
    };
    Number::from_f64(value).map_or_else(text, Value::Number)
}

fn characters(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().map(|byte| char::from(*byte)).collect())
}
