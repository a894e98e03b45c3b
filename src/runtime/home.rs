//! The folder that one process of an application has for itself: its stores, and what tells it from the others.
//!
//! ```text
//! process.lock        empty; locked as long as the process runs
//! instance            which process it is: 32 hexadecimal digits, the same after a restart
//! state/<application> the stores
//! ```
//!
//! Rule: a folder is one process's at a time, and readable by its owner only.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::log::{Files, FolderLock, StdFiles};
use crate::store::{PROCESS_LOCK, state_folder};

const INSTANCE: &str = "instance";
/// What becomes of `INSTANCE` when it is whole.
const NEW_INSTANCE: &str = "instance.new";
const DIGITS: usize = 32;

/// A folder that is this process's.
pub(super) struct Home {
    folder: PathBuf,
    instance: String,
    _lock: FolderLock,
}

impl Home {
    /// Takes a folder, which is made where it is missing.
    pub(super) fn open(folder: &Path) -> Result<Home, Error> {
        let files = StdFiles::new(folder);
        let cannot = |what: &str, cause: io::Error| {
            let message = format!("cannot {what} in the state folder `{}`: {cause}", folder.display());
            Error::new(ErrorKind::Unavailable, message)
        };
        files.create_folder().map_err(|cause| cannot("make files", cause))?;
        let lock =
            files.lock(PROCESS_LOCK).map_err(|cause| cannot("lock `process.lock`", cause))?.ok_or_else(|| {
                let message = format!(
                    "the state folder `{}` is another process's: stop that, or give each process a folder of its own",
                    folder.display()
                );
                Error::new(ErrorKind::Locked, message)
            })?;
        let instance = match read_instance(&files).map_err(|cause| cannot("read `instance`", cause))? {
            Some(instance) => instance,
            None => new_instance(&files).map_err(|cause| cannot("write `instance`", cause))?,
        };
        Ok(Home { folder: folder.to_owned(), instance, _lock: lock })
    }

    /// Which process it is.
    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// Where the stores of an application lie.
    pub(super) fn stores(&self, application: &str) -> PathBuf {
        state_folder(&self.folder, application)
    }
}

/// A name that no other process has.
pub(super) fn random_instance() -> String {
    // Keys of the operating system's; whoever could guess them could only be told from itself.
    let half = || RandomState::new().hash_one(0_u64);
    format!("{:016x}{:016x}", half(), half())
}

fn read_instance(files: &StdFiles) -> io::Result<Option<String>> {
    if !files.list()?.iter().any(|name| name == INSTANCE) {
        return Ok(None);
    }
    let mut bytes = [0; DIGITS];
    files.open(INSTANCE)?.read_at(0, &mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(Some(text));
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "it has no 32 hexadecimal digits; remove the file, and a new one is made",
    ))
}

fn new_instance(files: &StdFiles) -> io::Result<String> {
    let instance = random_instance();
    if files.list()?.iter().any(|name| name == NEW_INSTANCE) {
        files.remove(NEW_INSTANCE)?;
    }
    let file = files.create(NEW_INSTANCE)?;
    file.append(instance.as_bytes())?;
    file.sync()?;
    files.rename(NEW_INSTANCE, INSTANCE)?;
    files.sync_folder()?;
    Ok(instance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_the_same_after_a_restart_and_another_in_another_folder() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = Home::open(one.path()).unwrap().instance().to_owned();
        assert_eq!(first.len(), DIGITS);
        assert_eq!(Home::open(one.path()).unwrap().instance(), first);
        assert_ne!(Home::open(other.path()).unwrap().instance(), first);
    }

    #[test]
    fn a_folder_is_one_processs_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert_eq!(Home::open(folder.path()).err().unwrap().kind(), ErrorKind::Locked);
        drop(home);
        assert!(Home::open(folder.path()).is_ok());
    }

    #[test]
    fn a_cut_off_name_is_an_error_and_not_a_new_process() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(INSTANCE), "12").unwrap();
        let error = Home::open(folder.path()).err().unwrap();
        assert!(error.to_string().contains("`instance`"), "{error}");
    }
}
