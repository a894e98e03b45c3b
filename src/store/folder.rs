//! A folder is handed to fjall only if fjall can either make a database of it or read the one that is there.
//!
//! Two states would end otherwise: a process killed while it made the database leaves a folder that can neither be
//! made nor read, and a foreign folder among the numbered ones aborts the process.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{StoreError, StoreErrorKind};

// How fjall 3 calls its files. The version is written last when a database is made: without it there is no database.
const VERSION: &str = "version";
const LOCK: &str = "lock";
const FIRST_JOURNAL: &str = "0.jnl";
const KEYSPACES: &str = "keyspaces";

/// Removes what a killed creation left, and refuses a folder with something foreign in it.
pub(super) fn prepare(folder: &Path) -> Result<(), StoreError> {
    if is_half_made(folder).map_err(|cause| unreadable(folder, cause))? {
        remove_half_made(folder)?;
    }
    match stranger(&folder.join(KEYSPACES)).map_err(|cause| unreadable(folder, cause))? {
        None => Ok(()),
        Some(name) => Err(StoreError::new(
            StoreErrorKind::Corrupt,
            format!(
                "the store folder `{}` holds `{KEYSPACES}/{name}`, which is no store's; remove it",
                folder.display()
            ),
        )),
    }
}

fn is_half_made(folder: &Path) -> io::Result<bool> {
    let version = optional(fs::metadata(folder.join(VERSION)))?;
    let complete = version.is_some_and(|version| version.len() > 0);
    let first_journal = optional(fs::metadata(folder.join(FIRST_JOURNAL)))?;
    Ok(!complete && first_journal.is_some() && entries(&folder.join(KEYSPACES))?.is_empty())
}

/// Nothing was ever stored here. The lock keeps away from a process that is making the database now.
fn remove_half_made(folder: &Path) -> Result<(), StoreError> {
    let lock = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK));
    let lock = lock.map_err(|cause| unreadable(folder, cause))?;
    lock.try_lock().map_err(|cause| match cause {
        fs::TryLockError::WouldBlock => locked(folder),
        fs::TryLockError::Error(cause) => unreadable(folder, cause),
    })?;
    // Whoever held the lock until now may have finished.
    if !is_half_made(folder).map_err(|cause| unreadable(folder, cause))? {
        return Ok(());
    }
    for name in [VERSION, FIRST_JOURNAL] {
        optional(fs::remove_file(folder.join(name))).map_err(|cause| unreadable(folder, cause))?;
    }
    Ok(())
}

/// The first folder among the keyspaces whose name is no number.
fn stranger(keyspaces: &Path) -> io::Result<Option<String>> {
    let strange = |name: &String| name.parse::<u64>().is_err() && keyspaces.join(name).is_dir();
    Ok(entries(keyspaces)?.into_iter().find(strange))
}

/// The names in a folder, sorted; none when there is no such folder.
fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = optional(fs::read_dir(folder))? else { return Ok(Vec::new()) };
    let mut names =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn optional<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// Another process has the folder open.
pub(super) fn locked(folder: &Path) -> StoreError {
    StoreError::new(
        StoreErrorKind::Locked,
        format!(
            "the store folder `{}` is open in another process, or a second time in this one; close that, or choose \
             another folder",
            folder.display()
        ),
    )
}

/// The operating system refuses the folder.
fn unreadable(folder: &Path, cause: io::Error) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        format!("cannot use the store folder `{}`: {cause}; make it readable and writable", folder.display()),
    )
    .with_source(cause)
}
