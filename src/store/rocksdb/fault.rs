//! What RocksDB says, as an error of ours.

use std::path::Path;

use ::rocksdb::{Error, ErrorKind};

use crate::store::folder::locked;
use crate::store::{StoreError, StoreErrorKind, StoreId};

pub(super) fn cannot_open(folder: &Path, cause: Error) -> StoreError {
    if is_lock(&cause) {
        return locked(folder).with_source(cause);
    }
    let kind = kind_of(&cause);
    let next = match kind {
        StoreErrorKind::Corrupt => "remove it, and its stores are rebuilt from their changelogs",
        _ => "make it readable and writable",
    };
    let message = format!("cannot open the store folder `{}`: {cause}; {next}", folder.display());
    StoreError::new(kind, message).with_source(cause)
}

pub(super) fn failed(id: &StoreId, what: &str, cause: Error) -> StoreError {
    let kind = kind_of(&cause);
    let next = match kind {
        StoreErrorKind::Corrupt => "wipe it, and it is rebuilt from its changelog",
        _ => "remove the cause and open its folder again",
    };
    StoreError::new(kind, format!("the store `{id}` could not {what}: {cause}; {next}")).with_source(cause)
}

pub(super) fn unknown_layout(folder: &Path, what: &str) -> StoreError {
    let message = format!(
        "the store folder `{}` has {what} in no layout known here; start the version that wrote it, or remove the folder, \
         and its stores are rebuilt from their changelogs",
        folder.display()
    );
    StoreError::new(StoreErrorKind::Corrupt, message)
}

/// RocksDB has one kind for everything that the operating system refuses.
fn is_lock(cause: &Error) -> bool {
    let text: &str = cause.as_ref();
    cause.kind() == ErrorKind::IOError && text.contains("lock")
}

fn kind_of(cause: &Error) -> StoreErrorKind {
    match cause.kind() {
        ErrorKind::Corruption | ErrorKind::NotFound | ErrorKind::InvalidArgument => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Unavailable,
    }
}
