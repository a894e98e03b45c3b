//! Who knows schemas by their ids.
//!
//! Rule: a schema is known before a value of it is sent.

use std::sync::{PoisonError, RwLock};

use hashbrown::HashMap;

use crate::error::AvroError;
use crate::fingerprint::SchemaId;
use crate::schema::Schema;

/// Schemas by fingerprint: what the single-object encoding needs.
///
/// Asked for a schema once in a reader's life, and told of one once in a writer's: in the thread that writes or reads, which waits.
pub trait SchemaRegistry: Send + Sync + 'static {
    /// Makes a schema known to everybody who asks from now on.
    ///
    /// # Errors
    ///
    /// [`Registry`](crate::AvroErrorKind::Registry) when it may not be: the call may be repeated.
    fn put(&self, schema: &Schema) -> Result<(), AvroError>;

    /// The schema of this id; `None`: nobody has made it known.
    ///
    /// # Errors
    ///
    /// [`Registry`](crate::AvroErrorKind::Registry) when there is no answer.
    fn get(&self, id: SchemaId) -> Result<Option<Schema>, AvroError>;
}

/// Schemas by the numbers that a registry gave them: what Confluent's wire format needs.
pub trait SubjectRegistry: Send + Sync + 'static {
    /// The number of a schema under a subject, which is made known there if it is not.
    ///
    /// # Errors
    ///
    /// [`Registry`](crate::AvroErrorKind::Registry) when there is no answer, or the subject refuses the schema.
    fn register(&self, subject: &str, schema: &Schema) -> Result<u32, AvroError>;

    /// The schema of this number; `None`: there is none.
    ///
    /// # Errors
    ///
    /// [`Registry`](crate::AvroErrorKind::Registry) when there is no answer.
    fn schema(&self, id: u32) -> Result<Option<Schema>, AvroError>;
}

/// Schemas in memory, for tests: of both kinds.
#[derive(Debug, Default)]
pub struct MemoryRegistry(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    by_id: HashMap<SchemaId, Schema>,
    /// The first one has the number 1.
    numbered: Vec<Schema>,
}

impl MemoryRegistry {
    /// One that knows nothing.
    pub fn new() -> Self {
        MemoryRegistry::default()
    }
}

impl SchemaRegistry for MemoryRegistry {
    fn put(&self, schema: &Schema) -> Result<(), AvroError> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.by_id.insert(schema.id(), schema.clone());
        Ok(())
    }

    fn get(&self, id: SchemaId) -> Result<Option<Schema>, AvroError> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned())
    }
}

impl SubjectRegistry for MemoryRegistry {
    fn register(&self, _subject: &str, schema: &Schema) -> Result<u32, AvroError> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let found = known.numbered.iter().position(|known| known.text() == schema.text());
        let index = found.unwrap_or(known.numbered.len());
        if found.is_none() {
            known.numbered.push(schema.clone());
        }
        u32::try_from(index + 1).map_err(|_| AvroError::schema("a registry has no more numbers"))
    }

    fn schema(&self, id: u32) -> Result<Option<Schema>, AvroError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        Ok(index.and_then(|index| known.numbered.get(index).cloned()))
    }
}
