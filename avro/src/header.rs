//! What stands before a body.
//!
//! ```text
//! single object   c3 01 | fingerprint i64, little-endian
//! Confluent       00 | number u32, big-endian
//! ```

use crate::error::AvroError;
use crate::fingerprint::SchemaId;

const SINGLE_OBJECT: [u8; 2] = [0xc3, 0x01];
const CONFLUENT: [u8; 1] = [0x00];

/// Appends the header of a single object.
pub(crate) fn put_single_object(id: SchemaId, out: &mut Vec<u8>) {
    out.extend_from_slice(&SINGLE_OBJECT);
    out.extend_from_slice(&id.to_le_bytes());
}

/// The id of the writer's schema, and the body.
pub(crate) fn single_object(bytes: &[u8]) -> Result<(SchemaId, &[u8]), AvroError> {
    let rest = bytes.strip_prefix(&SINGLE_OBJECT).ok_or_else(|| unlike(bytes, "c3 01"))?;
    let (id, body) = rest.split_first_chunk().ok_or_else(|| short(bytes, 10))?;
    Ok((SchemaId::from_le_bytes(*id), body))
}

/// Appends the header of Confluent's wire format.
pub(crate) fn put_confluent(id: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&CONFLUENT);
    out.extend_from_slice(&id.to_be_bytes());
}

/// The number of the writer's schema, and the body.
pub(crate) fn confluent(bytes: &[u8]) -> Result<(u32, &[u8]), AvroError> {
    let rest = bytes.strip_prefix(&CONFLUENT).ok_or_else(|| unlike(bytes, "00"))?;
    let (id, body) = rest.split_first_chunk().ok_or_else(|| short(bytes, 5))?;
    Ok((u32::from_be_bytes(*id), body))
}

fn unlike(bytes: &[u8], expected: &str) -> AvroError {
    let begin: Vec<String> = bytes.iter().take(2).map(|byte| format!("{byte:02x}")).collect();
    AvroError::malformed(format!(
        "a value begins with `{}` in place of `{expected}`: was it written with another serde?",
        begin.join(" ")
    ))
}

fn short(bytes: &[u8], length: usize) -> AvroError {
    AvroError::malformed(format!("a header has {length} bytes, and {} came", bytes.len()))
}
