//! How values become bytes and back, with Kafka's own formats for the built-in types.
//!
//! | type | name | bytes |
//! |---|---|---|
//! | `String` | `string` | UTF-8 |
//! | `bool` | `bool` | 1 byte, 0 or 1 |
//! | `u8`, `i16` .. `u64`, `f32`, `f64` | as the type | big-endian |
//! | `Uuid` | `uuid` | its text, 36 bytes |
//! | `Vec<u8>`, `Bytes` | `bytes` | as they are |
//! | `()` | `void` | always null |
//! | `Option<T>` | as `T` | null, or as `T` |
//! | `Vec<T>` | `list<..>` | Kafka's list format, see [`List`] |
//! | `serde_json::Value`, types with `#[data(json)]` | `json` | compact JSON |
//! | tuples of 2 to 6 | | none of their own: `Topic::json`, `Store::json`, [`SerdeRef::json`] write arrays |

mod changed;
mod data;
mod error;
mod fixed;
mod json;
mod list;
mod nullable;
mod rank;
mod raw;
mod reference;
mod subscription;
#[cfg(test)]
mod testing;
mod text;
mod tuple;
mod upcasting;
mod varint;

pub(crate) use changed::{Changed, ChangedSerde};
pub use data::{Data, DefaultSerde};
pub use error::SerdeError;
pub use fixed::BigEndian;
pub use json::Json;
pub use list::List;
pub use nullable::Nullable;
pub use rank::Rank;
pub(crate) use rank::turn_over;
pub use raw::{Raw, Void};
pub use reference::SerdeRef;
pub(crate) use subscription::{Instruction, Response, ResponseSerde, Subscription, SubscriptionKey, SubscriptionSerde};
pub use text::{StrictUtf8, Utf8, UuidText};
pub use tidemill_derive::Data;
pub use upcasting::Upcasting;

/// Writes values of one type as bytes and reads them back.
///
/// Null (an absent key, a tombstone) is not bytes: [`Serde::is_null`] and [`Serde::null`] speak of it, and only serdes of
/// types that can be absent (`Option<T>`, `()`) do anything there.
pub trait Serde<T>: Send + Sync + 'static {
    /// Appends the bytes of `value` to `out`, which may hold other bytes already. Not called for a null.
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError>;

    /// The value that `bytes` stand for.
    fn read(&self, bytes: &[u8]) -> Result<T, SerdeError>;

    /// Whether `value` is written as null.
    fn is_null(&self, _value: &T) -> bool {
        false
    }

    /// What a null reads as; an error for types that cannot be absent.
    fn null(&self) -> Result<T, SerdeError> {
        Err(SerdeError::unexpected_null())
    }

    /// The size of every value's bytes, for types whose lists Kafka writes without a size per entry: numbers and `Uuid`.
    fn fixed_size(&self) -> Option<usize> {
        None
    }

    /// The format's name, for messages and fingerprints: `string`, `json`, `i64`.
    fn name(&self) -> String;

    /// The part of a key's bytes that decides the partition of its records: for a key in a window that of the key itself,
    /// so that all windows of a key lie together.
    fn placing<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes
    }

    /// Writes `value` to `out`; `false`, and nothing written, when it is null.
    fn write_nullable(&self, value: &T, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        if self.is_null(value) {
            return Ok(false);
        }
        self.write(value, out)?;
        Ok(true)
    }

    /// The bytes of `value`; `None` when it is null.
    fn to_nullable_bytes(&self, value: &T) -> Result<Option<Vec<u8>>, SerdeError> {
        let mut bytes = Vec::new();
        Ok(self.write_nullable(value, &mut bytes)?.then_some(bytes))
    }

    /// Reads bytes or a null.
    fn read_nullable(&self, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        bytes.map_or_else(|| self.null(), |bytes| self.read(bytes))
    }
}
