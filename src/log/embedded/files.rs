//! The files of one folder, as the log needs them: everything durable goes through here, so that tests can make any
//! operation fail and any crash happen.

use std::any::Any;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Held as long as the folder is locked; dropping it unlocks the folder.
pub type FolderLock = Box<dyn Any + Send + Sync>;

/// One folder and its files. Names are plain file names without a path.
pub trait Files: Send + Sync + 'static {
    /// Where the folder is, for messages.
    fn place(&self) -> String;

    /// The names of all files and folders in it; nothing when the folder does not exist.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes the folder, readable by its owner only, unless it is there.
    fn create_folder(&self) -> io::Result<()>;

    /// Locks the folder by a file of this name, which is created when it is missing. `None`: somebody else has it.
    fn lock(&self, name: &str) -> io::Result<Option<FolderLock>>;

    /// Creates an empty file, readable by its owner only; an error when it exists.
    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>>;

    /// Opens a file.
    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name, in one step; a file that had this name is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes creations, removals and new names durable.
    fn sync_folder(&self) -> io::Result<()>;
}

/// One file, written at its end only and read anywhere.
pub trait LogFile: Send + Sync {
    /// How long the file is, in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Fills `out` with the bytes from position `at` on; an error when the file has fewer.
    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes behind the last byte. After an error any part of `bytes` may be in the file.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file off after `length` bytes.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    fn sync(&self) -> io::Result<()>;
}

/// A folder of the operating system.
#[derive(Clone, Debug)]
pub struct StdFiles {
    folder: PathBuf,
}

impl StdFiles {
    /// The files of `folder`, which need not exist.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        StdFiles { folder: folder.as_ref().to_owned() }
    }
}

impl Files for StdFiles {
    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names: Vec<_> =
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<_>>()?;
        names.sort();
        Ok(names)
    }

    fn create_folder(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder)?;
        // The folder itself must not be lost: its name is stored in its parent.
        let parent = self.folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        match sync_folder(parent.unwrap_or(Path::new("."))) {
            // Whoever may not read the parent did not make the folder just now.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        }
    }

    fn lock(&self, name: &str) -> io::Result<Option<FolderLock>> {
        let file = private().create(true).truncate(false).write(true).open(self.folder.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(Held(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let file = private().create_new(true).read(true).append(true).open(self.folder.join(name))?;
        Ok(Arc::new(StdFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let file = OpenOptions::new().read(true).append(true).open(self.folder.join(name))?;
        Ok(Arc::new(StdFile(file)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn sync_folder(&self) -> io::Result<()> {
        sync_folder(&self.folder)
    }
}

/// A file that is locked until this goes.
///
/// It is unlocked in words: a child process that begins at that moment has the file too until it runs its own program, and to close it
/// here would leave it locked so long.
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // The lock goes with the last who has the file open anyway.
        let _ = self.0.unlock();
    }
}

/// Options for files that only their owner may read.
fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "other systems have no such mode"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Windows knows no such operation: there, the file system's journal keeps names in order.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(folder)?.sync_all() }
}

pub(super) struct StdFile(File);

impl StdFile {
    pub(super) fn new(file: File) -> Self {
        StdFile(file)
    }
}

impl LogFile for StdFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, out, at)
    }

    #[cfg(windows)]
    fn read_at(&self, mut at: u64, mut out: &mut [u8]) -> io::Result<()> {
        while !out.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.0, out, at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => (at, out) = (at + read as u64, &mut out[read..]),
            }
        }
        Ok(())
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        // This includes the length, without which the bytes could not be read; other metadata is not needed.
        self.0.sync_data()
    }
}

impl fmt::Debug for dyn Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files(`{}`)", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_free_at_once_though_a_child_process_still_has_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = StdFiles::new(folder.path());
        let lock = files.lock("lock").unwrap().unwrap();
        assert!(files.lock("lock").unwrap().is_none());
        // What a process has that was forked and does not run its own program yet.
        let inherited = lock.downcast_ref::<Held>().unwrap().0.try_clone().unwrap();
        drop(lock);
        assert!(files.lock("lock").unwrap().is_some());
        drop(inherited);
    }
}
