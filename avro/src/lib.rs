//! Avro for tidemill: schemas and their ids, values of one schema read as another one, serdes, and registries.
//!
//! Programs depend on `tidemill` with the feature `avro`, which has all of this as `tidemill::avro`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use apache_avro::AvroSchema;
//! use serde::{Deserialize, Serialize};
//! use tidemill_avro::{Codec, MemoryRegistry, SingleObject};
//! use tidemill_dsl::serde::{Data, SerdeRef};
//! use tidemill_dsl::Topic;
//!
//! #[derive(Serialize, Deserialize, AvroSchema, Data)]
//! #[data(crate = tidemill_dsl)]
//! struct Account {
//!     balance: i32,
//! }
//!
//! let registry = Arc::new(MemoryRegistry::new());
//! let accounts: SerdeRef<Account> = SingleObject::new(Codec::derived()?, registry).shared();
//! let topic: Topic<String, Account> = Topic::new("accounts", SerdeRef::of(), accounts);
//! # Ok::<(), tidemill_avro::AvroError>(())
//! ```
//!
//! - [`Schema`]: a text, its canonical form, its [id](SchemaId); values as JSON.
//! - [`Resolution`]: values of a writer's schema as a reader's. The only part that looks at bytes of others, with bounds on depth,
//!   memory and time.
//! - [`Codec`]: a Rust type with a schema, by serde and the derive of `apache_avro`.
//! - [`PlainAvro`], [`Avro`], [`SingleObject`], [`Confluent`]: serdes.
//! - [`SchemaRegistry`], [`SubjectRegistry`]: who knows schemas. In memory here; on a topic in `tidemill::avro`.
//!
//! No file, clock or thread is in here; a socket only with the feature `client`.
#![forbid(unsafe_code)]

#[cfg(feature = "client")]
mod client;
mod codec;
mod error;
mod fingerprint;
mod header;
mod input;
mod json;
mod registry;
mod resolution;
mod schema;
mod serdes;

#[cfg(feature = "client")]
pub use client::ConfluentClient;
pub use codec::{AvroType, Codec};
pub use error::{AvroError, AvroErrorKind};
pub use fingerprint::SchemaId;
pub use registry::{MemoryRegistry, SchemaRegistry, SubjectRegistry};
pub use resolution::Resolution;
pub use schema::Schema;
pub use serdes::{Avro, Confluent, EmptyAsNull, PlainAvro, SingleObject};
