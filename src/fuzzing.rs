//! Decoders that are nobody's interface, for the fuzz targets and for nothing else (feature `fuzzing`).

pub use crate::log::embedded_fuzzing::{frame_around, frames};
#[cfg(feature = "kafka")]
pub use crate::log::kafka::fuzzing::{notes, offset_metadata};
pub use tidemill_dsl::fuzzing::*;

/// What stores on disk say of themselves.
pub fn store_labels(bytes: &[u8]) {
    crate::store::Label::check(bytes);
}
