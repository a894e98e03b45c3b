//! Lifts a serde of what is there to a serde of what may be absent.

use super::{Data, DefaultSerde, List, Serde, SerdeError};

/// Lifts a serde of `V::Plain` to one of `V`: the absent value is a null, everything else has the inner serde's bytes.
///
/// For a type that is never absent it changes nothing, so generic code can always lift. `Some` of a value that the inner
/// serde writes as null (`Some(())`) is a null too, and reads as `None`.
///
/// ```
/// use tidemill_dsl::serde::{BigEndian, Nullable, SerdeRef};
///
/// const AMOUNT: SerdeRef<Option<i16>> = SerdeRef::Static(&Nullable::new(BigEndian));
///
/// let mut bytes = Vec::new();
/// assert!(!AMOUNT.write_nullable(&None, &mut bytes)?);
/// assert!(AMOUNT.write_nullable(&Some(7), &mut bytes)?);
/// assert_eq!(bytes, [0, 7]);
/// assert_eq!(AMOUNT.read_nullable(None)?, None);
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Nullable<S>(S);

impl<S> Nullable<S> {
    /// Lifts `plain`.
    pub const fn new(plain: S) -> Self {
        Nullable(plain)
    }
}

impl<V: Data, S: Serde<V::Plain>> Serde<V> for Nullable<S> {
    fn write(&self, value: &V, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        // A null is never written, so there is nothing to append for one.
        value.plain().map_or(Ok(()), |plain| self.0.write(plain, out))
    }

    fn read(&self, bytes: &[u8]) -> Result<V, SerdeError> {
        self.0.read(bytes).map(V::from_plain)
    }

    fn is_null(&self, value: &V) -> bool {
        value.plain().is_none_or(|plain| self.0.is_null(plain))
    }

    fn null(&self) -> Result<V, SerdeError> {
        V::absent().map_or_else(|| self.0.null().map(V::from_plain), Ok)
    }

    fn fixed_size(&self) -> Option<usize> {
        self.0.fixed_size()
    }

    fn name(&self) -> String {
        self.0.name()
    }

    fn placing<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        self.0.placing(bytes)
    }
}

impl<T: DefaultSerde + Data<Plain = T>> DefaultSerde for Option<T> {
    const SERDE: &'static dyn Serde<Self> = &Nullable::new(T::SERDE);
    const LIST_SERDE: &'static dyn Serde<Vec<Self>> = &List::new(Nullable::new(T::SERDE));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, check_null, refuses_null};
    use super::super::{BigEndian, SerdeRef};
    use super::*;

    #[test]
    fn none_is_null_and_some_has_the_plain_bytes() {
        check_null(None::<i64>);
        check(Some(1_i64), "0000000000000001");
        check_null(None::<String>);
        check(Some(String::new()), "");
        assert_eq!(SerdeRef::<Option<i64>>::of().name(), "i64");
    }

    #[test]
    fn a_null_has_no_place_in_a_plain_type() {
        refuses_null::<i64>();
        refuses_null::<String>();
        const LIFTED: SerdeRef<i64> = SerdeRef::Static(&Nullable::new(BigEndian));
        assert_eq!(LIFTED.null().unwrap_err().to_string(), SerdeError::unexpected_null().to_string());
        assert!(!LIFTED.is_null(&0));
    }

    #[test]
    fn some_void_is_null_too() {
        let serde = SerdeRef::<Option<()>>::of();
        assert!(serde.is_null(&Some(())));
        assert_eq!(serde.null().unwrap(), None);
    }
}
