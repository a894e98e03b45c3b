//! Says in the types whether a key or value may be absent.

use super::Serde;

/// A type that travels as a key or a value.
///
/// `Stream<String, i64>` never holds a null, `Stream<Option<String>, Option<i64>>` may: `Plain` is the type without the
/// `Option`. Derive it for your own types with `#[derive(Data)]`; `Option<T>` follows from `T`.
pub trait Data: Sized + Send + 'static {
    /// The type of what is there when something is there: `T` for `Option<T>`, else the type itself.
    type Plain: Data<Plain = Self::Plain>;

    /// Whether a value of this type may be absent.
    const NULLABLE: bool;

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
pub trait DefaultSerde: Data {
    /// The serde.
    const SERDE: &'static dyn Serde<Self>;

    /// The serde of a list of such values: Kafka's list format, but plain bytes for `Vec<u8>`.
    const LIST_SERDE: &'static dyn Serde<Vec<Self>>;
}

impl<T: Data<Plain = T>> Data for Option<T> {
    type Plain = T;
    const NULLABLE: bool = true;

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
    ($([$($p:ident)?] $type:ty),* $(,)?) => {$(
        impl$(<$p: Data>)? Data for $type {
            type Plain = Self;
            const NULLABLE: bool = false;

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

plain_data!(
    [] (), [] bool, [] u8, [] i16, [] i32, [] i64, [] u16, [] u32, [] u64, [] f32, [] f64,
    [] String, [] bytes::Bytes, [] uuid::Uuid, [] serde_json::Value, [T] Vec<T>,
);
