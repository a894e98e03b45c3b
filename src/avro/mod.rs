//! Avro: schemas, evolution, serdes, and registries. Needs the feature `avro`.
//!
//! Rule: the schema of a value is known before the value is sent, and whoever reads it finds it by what stands before the value.
//!
//! A type derives `apache_avro`'s `AvroSchema` (a program names that crate among its own dependencies), and a topic names one of the serdes
//! [`PlainAvro`], [`SingleObject`], [`Confluent`] or, without a registry, [`Avro`]: also as `#[data(avro)]`. Registries are a
//! [topic](TopicRegistry) of the log that the program has anyway, [memory](MemoryRegistry) for tests, and with the feature `avro-registry` a
//! Confluent schema registry (`ConfluentClient`).

mod topic_registry;

pub use tidemill_avro::*;
pub use topic_registry::TopicRegistry;
