//! Which streams fit into which topics.

use crate::serde::{Data, Nullable, SerdeRef};

/// Says that a stream of `Self` fits into a topic of `T`: a topic takes its own type, and for a type that is never absent
/// also its `Option`, where an absent value is written as null.
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
