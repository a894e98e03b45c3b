//! A folder as it is when it is opened, for readers who take no lock while somebody else may write it.
//!
//! Rule: nothing on the disk is ever changed, and what was opened stays as it was: every file is opened once, with its length
//! of that moment, and kept. What a log does to its folder when it is opened (cutting off a broken end, beginning a segment)
//! happens in memory. Appending is refused.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::{Files, FolderLock, LogFile, StdFile, StdFiles};
use super::segment;

/// The files of a folder, frozen.
pub(super) struct FrozenFiles {
    folder: PathBuf,
    files: Mutex<BTreeMap<String, Entry>>,
}

enum Entry {
    There(Arc<dyn LogFile>),
    Removed,
}

impl FrozenFiles {
    pub(super) fn new(folder: &Path) -> Self {
        FrozenFiles { folder: folder.to_owned(), files: Mutex::default() }
    }

    /// The segments as they were when the log was opened.
    pub(super) fn segments(&self) -> Vec<(String, Arc<dyn LogFile>)> {
        let files = self.files();
        let there = files.iter().filter_map(|(name, entry)| match entry {
            Entry::There(file) => segment::first_of(name).map(|_| (name.clone(), file.clone())),
            Entry::Removed => None,
        });
        there.collect()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files for FrozenFiles {
    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = StdFiles::new(&self.folder).list()?;
        let files = self.files();
        names.retain(|name| !matches!(files.get(name), Some(Entry::Removed)));
        Ok(names)
    }

    fn create_folder(&self) -> io::Result<()> {
        if self.folder.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn lock(&self, _name: &str) -> io::Result<Option<FolderLock>> {
        Ok(Some(Box::new(())))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let file: Arc<dyn LogFile> = Arc::new(Written::default());
        self.files().insert(name.to_owned(), Entry::There(file.clone()));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let mut files = self.files();
        match files.get(name) {
            Some(Entry::There(file)) => return Ok(file.clone()),
            Some(Entry::Removed) => return Err(io::ErrorKind::NotFound.into()),
            None => {}
        }
        let file = StdFile::new(File::open(self.folder.join(name))?);
        let file: Arc<dyn LogFile> = Arc::new(Frozen { length: Mutex::new(file.length()?), file });
        files.insert(name.to_owned(), Entry::There(file.clone()));
        Ok(file)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files().insert(name.to_owned(), Entry::Removed);
        Ok(())
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        Err(only_read())
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A file of the disk that ends where it ended when it was opened, or earlier.
struct Frozen {
    file: StdFile,
    length: Mutex<u64>,
}

impl LogFile for Frozen {
    fn length(&self) -> io::Result<u64> {
        Ok(*self.length.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(at, out)
    }

    fn append(&self, _bytes: &[u8]) -> io::Result<()> {
        Err(only_read())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        *self.length.lock().unwrap_or_else(PoisonError::into_inner) = length;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What a log writes when it is opened: the beginning of a segment.
#[derive(Default)]
struct Written(Mutex<Option<Vec<u8>>>);

impl Written {
    fn bytes(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogFile for Written {
    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes().as_ref().map_or(0, Vec::len) as u64)
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let (bytes, at) = (self.bytes(), usize::try_from(at).unwrap_or(usize::MAX));
        let found = bytes.as_ref().and_then(|bytes| bytes.get(at..)?.get(..out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut written = self.bytes();
        // The first piece is the segment's beginning; the next would be a record.
        if written.is_some() {
            return Err(only_read());
        }
        *written = Some(bytes.to_vec());
        Ok(())
    }

    fn truncate(&self, _length: u64) -> io::Result<()> {
        Err(only_read())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn only_read() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the log was opened for reading only")
}
