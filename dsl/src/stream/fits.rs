//! Which streams fit into which topics.

use crate::serde::{Data, Nullable, Serde, SerdeError, SerdeRef};

/// Says that a stream of `Self` fits into a topic of `T`: a topic takes its own type, and for a type that is never absent
/// also its `Option`, where an absent value is written as null; and a topic of an `Option` takes what is never absent.
#[diagnostic::on_unimplemented(
    message = "a stream of `{Self}` does not fit into a topic of `{T}`",
    label = "the stream has `{Self}`, the topic `{T}`",
    note = "a topic takes its own type and the `Option` of it; `map` or `map_values` make one type of another",
    note = "keys with windows go to `Topic::new(name, TimeWindowed::serde(SerdeRef::of(), size), SerdeRef::of())`, or `map` makes other keys"
)]
pub trait Fits<T: 'static>: Data {
    /// The serde of `Self`, given that of the topic.
    fn serde(topic: &SerdeRef<T>) -> SerdeRef<Self>;
}

impl<T: Data> Fits<T> for T {
    fn serde(topic: &SerdeRef<T>) -> SerdeRef<T> {
        topic.clone()
    }
}

impl<T: Data<Plain = T>> Fits<T> for Option<T> {
    fn serde(topic: &SerdeRef<T>) -> SerdeRef<Option<T>> {
        SerdeRef::new(Nullable::new(topic.clone()))
    }
}

impl<T: Data<Plain = T> + Clone> Fits<Option<T>> for T {
    fn serde(topic: &SerdeRef<Option<T>>) -> SerdeRef<T> {
        SerdeRef::new(Present(topic.clone()))
    }
}

/// Writes values that are there with the serde of their `Option`.
struct Present<T: 'static>(SerdeRef<Option<T>>);

impl<T: Data<Plain = T> + Clone> Serde<T> for Present<T> {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        self.0.write(&Some(value.clone()), out)
    }

    fn read(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        self.0.read(bytes)?.ok_or_else(SerdeError::unexpected_null)
    }

    fn name(&self) -> String {
        self.0.name()
    }

    fn placing<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        self.0.placing(bytes)
    }
}
