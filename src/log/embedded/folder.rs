//! Takes a folder: only an empty one or one that a log made, and only for one process at a time.
//!
//! ```text
//! log.lock            empty; locked as long as the log is open
//! tidemill-log        "tidemill log, format 3\n": the folder is a log's
//! *.segment           the log (see `segment`)
//! copy.unfinished     this is no log but a copy of one that did not come to its end (see `copy`)
//! *.rewriting         a segment that did not get its place yet (see `rewrite`); removed when the log is opened
//! ```

use std::io;

use super::files::{Files, FolderLock};
use super::rewrite::UNFINISHED;
use super::segment;
use crate::log::{LogError, LogErrorKind};

const LOCK: &str = "log.lock";
const MARKER: &str = "tidemill-log";
const MARKER_TEXT: &str = "tidemill log, format ";
/// No marker is longer; other files are not read to their end.
const MARKER_LEN_MAX: u64 = 64;

/// What says that a folder is a copy that is not whole.
pub(super) const UNFINISHED_COPY: &str = "copy.unfinished";

/// A folder that is this process's.
pub(super) struct Folder {
    pub(super) lock: FolderLock,
    /// The numbers of the first frames of its segments, in order.
    pub(super) segments: Vec<u64>,
}

/// Locks the folder and makes sure that it is a log's, or makes it one.
pub(super) fn take(files: &dyn Files) -> Result<Folder, LogError> {
    let names = files.list().map_err(|cause| cannot(files, "read the folder", cause))?;
    check_finished(files)?;
    // Before anything is created: somebody else's folder stays as it is.
    if !names.is_empty() && !names.iter().any(|name| name == MARKER || name == LOCK) {
        let message = format!(
            "`{}` is not empty and holds no log (there is `{}`): name an empty or a new folder",
            files.place(),
            names[0]
        );
        return Err(LogError::new(LogErrorKind::Invalid, message));
    }
    files.create_folder().map_err(|cause| cannot(files, "create the folder", cause))?;
    let lock = files.lock(LOCK).map_err(|cause| cannot(files, "lock the folder", cause))?;
    let lock = lock.ok_or_else(|| {
        let message = format!("another process or another log has `{}` open: close it first", files.place());
        LogError::new(LogErrorKind::Locked, message)
    })?;
    let names = files.list().map_err(|cause| cannot(files, "read the folder", cause))?;
    for name in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
        files.remove(name).map_err(|cause| cannot(files, &format!("remove `{name}`"), cause))?;
    }
    let segments: Vec<_> = names.iter().filter_map(|name| segment::first_of(name)).collect();
    match (names.iter().any(|name| name == MARKER), segments.is_empty()) {
        (true, _) => check_marker(files, segments.is_empty())?,
        (false, true) => write_marker(files).map_err(|cause| cannot(files, "write the marker", cause))?,
        (false, false) => {
            let message = format!("`{}` has segments of a log, but the file `{MARKER}` is gone", files.place());
            return Err(LogError::new(LogErrorKind::Corrupt, message));
        }
    }
    Ok(Folder { lock, segments })
}

/// An error for a folder in which a backup, or a log that is made of one, did not come to its end.
pub(super) fn check_finished(files: &dyn Files) -> Result<(), LogError> {
    let names = files.list().map_err(|cause| cannot(files, "read the folder", cause))?;
    if !names.iter().any(|name| name == UNFINISHED_COPY) {
        return Ok(());
    }
    let message = format!(
        "`{}` is a copy of a log that did not come to its end (there is `{UNFINISHED_COPY}`): remove the folder, and make the copy again",
        files.place()
    );
    Err(LogError::new(LogErrorKind::Invalid, message))
}

/// Whether a folder holds a log.
pub(super) fn is_log(files: &dyn Files) -> bool {
    files.list().is_ok_and(|names| names.iter().any(|name| name == MARKER))
}

/// An error for a folder that cannot be used.
pub(super) fn cannot(files: &dyn Files, what: &str, cause: io::Error) -> LogError {
    let message = format!(
        "cannot {what} of the log at `{}`: {cause}; give this user the right to write there, or name another folder",
        files.place()
    );
    let kind = match cause.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::ReadOnlyFilesystem => LogErrorKind::Invalid,
        _ => LogErrorKind::Unavailable,
    };
    LogError::new(kind, message).with_source(cause)
}

fn marker() -> String {
    format!("{MARKER_TEXT}{}\n", segment::VERSION)
}

fn check_marker(files: &dyn Files, log_is_new: bool) -> Result<(), LogError> {
    let text = read_marker(files).map_err(|cause| cannot(files, "read the marker", cause))?;
    if text == marker() {
        return Ok(());
    }
    if let Some(version) = text.strip_prefix(MARKER_TEXT).and_then(|rest| rest.strip_suffix('\n')) {
        let message = format!(
            "the log at `{}` has format {version}, this program knows format {}: open it with the version that wrote it",
            files.place(),
            segment::VERSION
        );
        return Err(LogError::new(LogErrorKind::Invalid, message));
    }
    if !log_is_new {
        let message = format!("the file `{MARKER}` of the log at `{}` is damaged: restore it", files.place());
        return Err(LogError::new(LogErrorKind::Corrupt, message));
    }
    // The process stopped while it made the log; nothing was ever in it.
    files.remove(MARKER).and_then(|()| write_marker(files)).map_err(|cause| cannot(files, "write the marker", cause))
}

fn read_marker(files: &dyn Files) -> io::Result<String> {
    let file = files.open(MARKER)?;
    let length = file.length()?.min(MARKER_LEN_MAX);
    let mut bytes = vec![0; usize::try_from(length).expect("a small number")];
    file.read_at(0, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn write_marker(files: &dyn Files) -> io::Result<()> {
    let file = files.create(MARKER)?;
    file.append(marker().as_bytes())?;
    file.sync()?;
    files.sync_folder()
}
