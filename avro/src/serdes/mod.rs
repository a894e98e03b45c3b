//! Serdes: what stands before a value's bytes, and so where its schema is found.
//!
//! | serde | before the body | where the writer's schema is |
//! |---|---|---|
//! | [`PlainAvro`] | nothing | both sides have agreed on it |
//! | [`Avro`] | `c3 01`, fingerprint | it is the type's own |
//! | [`SingleObject`] | `c3 01`, fingerprint | in a [`SchemaRegistry`](crate::SchemaRegistry) |
//! | [`Confluent`] | `00`, number | in a [`SubjectRegistry`](crate::SubjectRegistry) |
//!
//! All of them are of values that are there. [`Nullable`](tidemill_dsl::serde::Nullable) lifts one to values that may be absent, and
//! [`EmptyAsNull`] does so for topics where an absent value was written as no bytes.

mod confluent;
mod empty_as_null;
mod own;
mod plain;
mod readings;
mod single_object;

pub use confluent::Confluent;
pub use empty_as_null::EmptyAsNull;
pub use own::Avro;
pub use plain::PlainAvro;
pub use single_object::SingleObject;
