//! A folder in memory that remembers every operation, and does what a test told it to do wrong.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill::log::{Files, FolderLock, LogFile};

use super::image::{self, FileId, Operation};

/// What an operation does instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and reports an error.
    Error,
    /// A write stores half of its bytes and reports an error; other operations do nothing and report it.
    ShortWrite,
}

/// A folder in memory. Clones are the same folder.
///
/// Operations are counted from 0: creations, writes, cuts, syncs, removals, new names and syncs of the folder. Reads, and making and
/// locking the folder, are not. A folder that [`SimulatedFiles::crash`] gives begins with the count of what made it.
#[derive(Clone, Default)]
pub struct SimulatedFiles {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Default)]
struct Disk {
    names: BTreeMap<String, FileId>,
    contents: BTreeMap<FileId, Vec<u8>>,
    journal: Vec<Operation>,
    operations: usize,
    faults: BTreeMap<usize, Fault>,
    faults_met: usize,
    capacity: Option<usize>,
    reads_fail: bool,
    locked: bool,
}

impl SimulatedFiles {
    /// An empty folder.
    pub fn new() -> Self {
        SimulatedFiles::default()
    }

    pub(super) fn with_contents(files: BTreeMap<String, Vec<u8>>) -> Self {
        let simulated = SimulatedFiles::new();
        let mut disk = simulated.lock();
        for (name, bytes) in files {
            let id = disk.create(&name);
            disk.write(id, &bytes);
            disk.journal.push(Operation::Sync(id));
        }
        disk.journal.push(Operation::SyncFolder);
        disk.operations = disk.journal.len();
        drop(disk);
        simulated
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations there were.
    pub fn operations(&self) -> usize {
        self.lock().operations
    }

    /// Lets operation number `operation` go wrong.
    pub fn fail(&self, operation: usize, fault: Fault) {
        self.lock().faults.insert(operation, fault);
    }

    /// How many operations went wrong as they were told to, or for want of room.
    pub fn faults_met(&self) -> usize {
        self.lock().faults_met
    }

    /// Lets all files together have at most this many bytes; a write that would exceed it stores what fits and fails.
    pub fn limit(&self, bytes: Option<usize>) {
        self.lock().capacity = bytes;
    }

    /// How many bytes each file has, by the order of their names.
    pub fn sizes(&self) -> Vec<usize> {
        let disk = self.lock();
        disk.names.values().map(|id| disk.contents[id].len()).collect()
    }

    /// Lets all reads fail, or work again.
    pub fn fail_reads(&self, fail: bool) {
        self.lock().reads_fail = fail;
    }

    /// The numbers of the operations that made something durable.
    pub fn syncs(&self) -> Vec<usize> {
        let disk = self.lock();
        let syncs = disk.journal.iter().enumerate().filter(|(_, operation)| operation.is_sync());
        syncs.map(|(at, _)| at).collect()
    }

    /// The folder after a loss of power just before operation number `operation`: everything that was durable, and of the
    /// rest what `seed` leaves: nothing, all, a beginning, a torn write, or any of the writes.
    pub fn crash(&self, operation: usize, seed: u64) -> SimulatedFiles {
        let disk = self.lock();
        SimulatedFiles::with_contents(image::after_crash(&disk.journal[..operation.min(disk.journal.len())], seed))
    }

    /// The folder after the process was killed: nothing that was written is lost, the lock is free.
    pub fn after_kill(&self) -> SimulatedFiles {
        let disk = self.lock();
        let contents = |(name, id): (&String, &FileId)| (name.clone(), disk.contents[id].clone());
        SimulatedFiles::with_contents(disk.names.iter().map(contents).collect())
    }

    /// Changes stored bytes behind the back of the log.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.lock();
        let id = disk.names[name];
        change(disk.contents.get_mut(&id).expect("a named file has contents"));
    }
}

impl std::fmt::Debug for SimulatedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimulatedFiles({} operations)", self.operations())
    }
}

impl Disk {
    /// Counts an operation, and says whether it goes wrong.
    fn begin(&mut self) -> Option<Fault> {
        let fault = self.faults.get(&self.operations).copied();
        self.operations += 1;
        self.faults_met += usize::from(fault.is_some());
        if fault.is_some() {
            // Keeps the numbers of operations and journal entries equal; a write may add its half to it.
            self.journal.push(Operation::Nothing);
        }
        fault
    }

    fn create(&mut self, name: &str) -> FileId {
        let id = FileId(self.contents.len());
        self.names.insert(name.to_owned(), id);
        self.contents.insert(id, Vec::new());
        self.journal.push(Operation::Create(name.to_owned(), id));
        id
    }

    fn write(&mut self, id: FileId, bytes: &[u8]) {
        self.contents.get_mut(&id).expect("an open file has contents").extend_from_slice(bytes);
        self.journal.push(Operation::Write(id, bytes.to_vec()));
    }

    fn write_part(&mut self, id: FileId, bytes: &[u8]) {
        self.journal.pop();
        self.write(id, bytes);
    }

    fn room(&self) -> usize {
        let used: usize = self.names.values().map(|id| self.contents[id].len()).sum();
        self.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(used))
    }

    fn may_read(&self) -> io::Result<()> {
        if self.reads_fail { Err(io::Error::other("simulated read error")) } else { Ok(()) }
    }
}

fn simulated_error() -> io::Error {
    io::Error::other("simulated error")
}

impl Files for SimulatedFiles {
    fn place(&self) -> String {
        "simulated folder".to_owned()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let disk = self.lock();
        disk.may_read()?;
        Ok(disk.names.keys().cloned().collect())
    }

    fn create_folder(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &str) -> io::Result<Option<FolderLock>> {
        let mut disk = SimulatedFiles::lock(self);
        if disk.locked {
            return Ok(None);
        }
        disk.locked = true;
        Ok(Some(Box::new(Locked(self.clone()))))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let mut disk = SimulatedFiles::lock(self);
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if disk.begin().is_some() {
            return Err(simulated_error());
        }
        let id = disk.create(name);
        Ok(Arc::new(SimulatedFile { files: self.clone(), id }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let disk = SimulatedFiles::lock(self);
        disk.may_read()?;
        let id = *disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimulatedFile { files: self.clone(), id }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = SimulatedFiles::lock(self);
        if !disk.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if disk.begin().is_some() {
            return Err(simulated_error());
        }
        disk.names.remove(name);
        disk.journal.push(Operation::Remove(name.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = SimulatedFiles::lock(self);
        if !disk.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if disk.begin().is_some() {
            return Err(simulated_error());
        }
        let id = disk.names.remove(from).expect("looked for above");
        disk.names.insert(to.to_owned(), id);
        disk.journal.push(Operation::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut disk = SimulatedFiles::lock(self);
        if disk.begin().is_some() {
            return Err(simulated_error());
        }
        disk.journal.push(Operation::SyncFolder);
        Ok(())
    }
}

/// Frees the folder when it is dropped.
struct Locked(SimulatedFiles);

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.lock().locked = false;
    }
}

struct SimulatedFile {
    files: SimulatedFiles,
    id: FileId,
}

impl LogFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.files.lock().contents[&self.id].len() as u64)
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.files.lock();
        disk.may_read()?;
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let bytes = disk.contents[&self.id].get(at..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.files.lock();
        match disk.begin() {
            Some(Fault::Error) => return Err(simulated_error()),
            Some(Fault::ShortWrite) => {
                disk.write_part(self.id, &bytes[..bytes.len() / 2]);
                return Err(simulated_error());
            }
            None => {}
        }
        let fits = bytes.len().min(disk.room());
        disk.write(self.id, &bytes[..fits]);
        if fits < bytes.len() {
            disk.faults_met += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut disk = self.files.lock();
        if disk.begin().is_some() {
            return Err(simulated_error());
        }
        let length = usize::try_from(length).map_err(io::Error::other)?;
        disk.contents.get_mut(&self.id).expect("an open file has contents").truncate(length);
        disk.journal.push(Operation::Truncate(self.id, length));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.files.lock();
        if disk.begin().is_some() {
            return Err(simulated_error());
        }
        disk.journal.push(Operation::Sync(self.id));
        Ok(())
    }
}
