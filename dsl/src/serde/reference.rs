//! A shared serde: a constant one costs nothing, one made at run time is counted.

use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Data, DefaultSerde, Json, Nullable, Serde, SerdeError};

/// A serde by reference. Cheap to clone; can be a constant.
///
/// ```
/// use tidemill_dsl::serde::SerdeRef;
///
/// const BALANCE: SerdeRef<Option<i64>> = SerdeRef::of(); // eight bytes, or a null
/// const LIMITS: SerdeRef<Vec<u32>> = SerdeRef::json();
///
/// assert_eq!(BALANCE.read_nullable(None)?, None);
/// assert_eq!(LIMITS.read(b"[1,2]")?, [1, 2]);
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
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

impl<V: DefaultSerde> SerdeRef<V> {
    /// The type's own serde.
    pub const fn of() -> Self {
        SerdeRef::Static(V::SERDE)
    }
}

impl<V: Data> SerdeRef<V>
where
    V::Plain: Serialize + DeserializeOwned,
{
    /// Compact JSON; an absent value is a null, not JSON's `null`.
    pub const fn json() -> Self {
        SerdeRef::Static(const { &Nullable::new(Json::<V::Plain>::new()) })
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

/// A reference to a serde is a serde: everything is asked of what it refers to.
macro_rules! forward_serde {
    ($([$($generics:tt)*] $reference:ty),* $(,)?) => {$(
        impl<$($generics)*> Serde<T> for $reference {
            fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
                (**self).write(value, out)
            }

            fn read(&self, bytes: &[u8]) -> Result<T, SerdeError> {
                (**self).read(bytes)
            }

            fn is_null(&self, value: &T) -> bool {
                (**self).is_null(value)
            }

            fn null(&self) -> Result<T, SerdeError> {
                (**self).null()
            }

            fn fixed_size(&self) -> Option<usize> {
                (**self).fixed_size()
            }

            fn name(&self) -> String {
                (**self).name()
            }

            fn placing<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
                (**self).placing(bytes)
            }

            fn write_nullable(&self, value: &T, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
                (**self).write_nullable(value, out)
            }

            fn read_nullable(&self, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
                (**self).read_nullable(bytes)
            }
        }
    )*};
}

forward_serde!([T: 'static] SerdeRef<T>, [T, S: Serde<T> + ?Sized] &'static S);

#[cfg(test)]
mod tests {
    use super::super::List;
    use super::*;

    const CONSTANT: SerdeRef<Option<i64>> = SerdeRef::of();

    #[test]
    fn constant_and_shared_references_are_serdes_themselves() {
        let shared = SerdeRef::new(List::new(CONSTANT));
        let mut out = Vec::new();
        shared.clone().write(&vec![None, Some(1)], &mut out).unwrap();
        assert_eq!(shared.read(&out).unwrap(), [None, Some(1)]);
        assert_eq!(out.len(), 1 + 4 + 4 + 4 + 8, "the entries' fixed size is seen through the reference");
        assert_eq!(format!("{shared:?} {CONSTANT:?}"), "list<i64> i64");
    }
}
