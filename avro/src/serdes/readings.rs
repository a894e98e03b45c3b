//! What a serde has found out about the schemas of its writers.
//!
//! Rule: only schemas that a registry knows are remembered, so strange ids fill no memory.

use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;

use crate::error::{AvroError, AvroErrorKind};
use crate::resolution::Resolution;

/// How values are read, by the id of their writer's schema.
pub(super) struct Readings<K>(RwLock<HashMap<K, Known>>);

/// Two schemas that do not meet are not compared for each record again.
type Known = Result<Arc<Resolution>, (AvroErrorKind, String)>;

impl<K> Default for Readings<K> {
    fn default() -> Self {
        Readings(RwLock::default())
    }
}

impl<K: Eq + Hash> Readings<K> {
    /// How values of this id are read; `make` says it for an id that is new here.
    pub(super) fn get(
        &self,
        id: K,
        make: impl FnOnce() -> Result<Result<Resolution, AvroError>, AvroError>,
    ) -> Result<Arc<Resolution>, AvroError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let known = match known {
            Some(known) => known,
            None => {
                let made = make()?.map(Arc::new).map_err(|error| (error.kind(), error.to_string()));
                self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, made.clone());
                made
            }
        };
        known.map_err(|(kind, message)| AvroError::new(kind, message))
    }
}
