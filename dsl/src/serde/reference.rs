//! A shared serde: a constant one costs nothing, one made at run time is counted.

use std::ops::Deref;
use std::sync::Arc;

use super::Serde;

/// A serde by reference. Cheap to clone; can be a constant.
pub enum SerdeRef<T: 'static> {
    /// A serde known at compile time.
    Static(&'static dyn Serde<T>),
    /// A serde made at run time, with settings of its own.
    Shared(Arc<dyn Serde<T>>),
}

impl<T> SerdeRef<T> {
    /// Shares a serde made at run time.
    pub fn new(serde: impl Serde<T>) -> Self {
        SerdeRef::Shared(Arc::new(serde))
    }
}

impl<T> Clone for SerdeRef<T> {
    fn clone(&self) -> Self {
        match self {
            SerdeRef::Static(serde) => SerdeRef::Static(*serde),
            SerdeRef::Shared(serde) => SerdeRef::Shared(serde.clone()),
        }
    }
}

impl<T> Deref for SerdeRef<T> {
    type Target = dyn Serde<T>;

    fn deref(&self) -> &Self::Target {
        match self {
            SerdeRef::Static(serde) => *serde,
            SerdeRef::Shared(serde) => &**serde,
        }
    }
}

impl<T> std::fmt::Debug for SerdeRef<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}
