//! Values that go through a task's queue without a serde: what travels is their place in a slab.

use std::sync::{Arc, Mutex, PoisonError};

use tidemill::serde::{Serde, SerdeError, SerdeRef};

/// Keeps values, and writes their places in place of their bytes.
#[derive(Debug)]
pub(super) struct Slab<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Slab<T> {
    fn clone(&self) -> Self {
        Slab(self.0.clone())
    }
}

impl<T: Clone + Send + 'static> Slab<T> {
    pub(super) fn new() -> Self {
        Slab(Arc::default())
    }

    pub(super) fn serde(&self) -> SerdeRef<T> {
        SerdeRef::new(self.clone())
    }

    /// Keeps a value; gives the bytes of its place.
    pub(super) fn keep(&self, value: T) -> [u8; 8] {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.push(value);
        (values.len() as u64 - 1).to_be_bytes()
    }
}

impl<T: Clone + Send + 'static> Serde<T> for Slab<T> {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(&self.keep(value.clone()));
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = bytes.try_into().ok().and_then(|bytes| usize::try_from(u64::from_be_bytes(bytes)).ok());
        place.and_then(|place| values.get(place)).cloned().ok_or_else(|| SerdeError::new("no value lies at this place"))
    }

    fn name(&self) -> String {
        "slab".into()
    }
}
