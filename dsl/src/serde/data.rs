//! Says in the types whether a key or value may be absent.

use std::marker::PhantomData;

use super::{Serde, SerdeError};

/// A type that travels as a key or a value.
///
/// `Stream<String, i64>` never holds a null, `Stream<Option<String>, Option<i64>>` may: `Plain` is the type without the
/// `Option`. Derive it for your own types with `#[derive(Data)]`; `Option<T>` follows from `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether it may be absent, so it cannot be a key, a value or a row",
    label = "not `Data`",
    note = "for a type of yours: `#[derive(Data)]`, with `#[data(json)]` and serde's derives if it has no other format"
)]
pub trait Data: Sized + Send + 'static {
    /// The type of what is there when something is there: `T` for `Option<T>`, else the type itself.
    type Plain: Data<Plain = Self::Plain>;

    /// Whether a value of this type may be absent.
    const NULLABLE: bool;

    /// The type's serde, if it has one of its own. Derived together with [`DefaultSerde`]; it lets a verb write a type to a
    /// repartition topic or a changelog without being told how.
    const OWN_SERDE: Option<&'static dyn Serde<Self>> = None;

    /// The serde of lists of this type, if it has one.
    const OWN_LIST_SERDE: Option<&'static dyn Serde<Vec<Self>>> = None;

    /// The value, if it is not absent.
    fn plain(&self) -> Option<&Self::Plain>;

    /// The value, if it is not absent.
    fn into_plain(self) -> Option<Self::Plain>;

    /// Wraps a value that is there.
    fn from_plain(plain: Self::Plain) -> Self;

    /// The absent value; `None` for types that cannot be absent.
    fn absent() -> Option<Self>;
}

/// A type with a serde of its own: what `Topic::of` and `Store::of` use.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no format of its own, so nothing says how it is written",
    label = "no `DefaultSerde`",
    note = "for a type of yours: `#[derive(Data)]` with `#[data(json)]` and serde's `Serialize` and `Deserialize`",
    note = "or name a format: `Topic::json(..)`, or `Topic::new(name, key_serde, value_serde)`; `Store` has the same",
    note = "keys with windows: `TimeWindowed::serde(SerdeRef::of(), size)` or `SessionWindowed::serde(SerdeRef::of())` as the key's"
)]
pub trait DefaultSerde: Data {
    /// The serde.
    const SERDE: &'static dyn Serde<Self>;

    /// The serde of a list of such values: Kafka's list format, but plain bytes for `Vec<u8>`.
    const LIST_SERDE: &'static dyn Serde<Vec<Self>>;
}

impl<T: Data<Plain = T>> Data for Option<T> {
    type Plain = T;
    const NULLABLE: bool = true;
    const OWN_SERDE: Option<&'static dyn Serde<Self>> = match T::OWN_SERDE {
        Some(_) => Some(&OwnNullable(PhantomData)),
        None => None,
    };

    fn plain(&self) -> Option<&T> {
        self.as_ref()
    }

    fn into_plain(self) -> Option<T> {
        self
    }

    fn from_plain(plain: T) -> Self {
        Some(plain)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// Implements `Data` for types that are never absent.
macro_rules! plain_data {
    ($($type:ty),* $(,)?) => {$(
        impl Data for $type {
            type Plain = Self;
            const NULLABLE: bool = false;
            const OWN_SERDE: Option<&'static dyn Serde<Self>> = Some(<Self as DefaultSerde>::SERDE);
            const OWN_LIST_SERDE: Option<&'static dyn Serde<Vec<Self>>> = Some(<Self as DefaultSerde>::LIST_SERDE);

            fn plain(&self) -> Option<&Self> {
                Some(self)
            }

            fn into_plain(self) -> Option<Self> {
                Some(self)
            }

            fn from_plain(plain: Self) -> Self {
                plain
            }

            fn absent() -> Option<Self> {
                None
            }
        }
    )*};
}

plain_data!((), bool, u8, i16, i32, i64, u16, u32, u64, f32, f64, String, bytes::Bytes, uuid::Uuid, serde_json::Value,);

impl<T: Data> Data for Vec<T> {
    type Plain = Self;
    const NULLABLE: bool = false;
    const OWN_SERDE: Option<&'static dyn Serde<Self>> = T::OWN_LIST_SERDE;

    fn plain(&self) -> Option<&Self> {
        Some(self)
    }

    fn into_plain(self) -> Option<Self> {
        Some(self)
    }

    fn from_plain(plain: Self) -> Self {
        plain
    }

    fn absent() -> Option<Self> {
        None
    }
}

/// Lifts a type's own serde to its `Option`; made only for types that have one.
struct OwnNullable<T>(PhantomData<fn(T)>);

impl<T: Data> OwnNullable<T> {
    fn plain(&self) -> &'static dyn Serde<T> {
        T::OWN_SERDE.expect("made only for types with a serde of their own")
    }
}

impl<T: Data<Plain = T>> Serde<Option<T>> for OwnNullable<T> {
    fn write(&self, value: &Option<T>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        value.as_ref().map_or(Ok(()), |value| self.plain().write(value, out))
    }

    fn read(&self, bytes: &[u8]) -> Result<Option<T>, SerdeError> {
        self.plain().read(bytes).map(Some)
    }

    fn is_null(&self, value: &Option<T>) -> bool {
        value.as_ref().is_none_or(|value| self.plain().is_null(value))
    }

    fn null(&self) -> Result<Option<T>, SerdeError> {
        Ok(None)
    }

    fn fixed_size(&self) -> Option<usize> {
        self.plain().fixed_size()
    }

    fn name(&self) -> String {
        self.plain().name()
    }
}
