//! Writes changes as frames, and reads batches back: the disk under a ledger.
//!
//! Rule: a frame is written as a whole behind the last one. A segment is durable as a whole before the next one begins,
//! so a broken end can only be in the last segment.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use tidemill_dsl::record::{Batch, BatchBuilder, Offset, Timestamp};

use super::Settings;
use super::body::{self, RECORDS_PREFIX};
use super::clean::Cleaner;
use super::files::{Files, FolderLock, LogFile};
use super::folder::{self, cannot};
use super::frame::{self, HEADER};
use super::index::{Index, Place, SegmentId, Wanted};
use super::recover::{self, End, Recovered, damaged};
use super::segment;
use super::sync::{Breakage, Durability, Syncer};
use crate::log::ledger::{Book, Call, Change, Keep, Ledger, PartitionId, Ticket};
use crate::log::{Cleaned, LogError};

/// How many old segments are kept open for readers.
const OPEN_FILES: usize = 64;
/// A frame's buffer that grew beyond this is given back.
const BUFFER_KEPT: usize = 4 << 20;
/// Batches that stand this close together are read in one piece.
const READ_GAP: u32 = 4 << 10;

/// A segment's name and its file.
type OpenSegment = (String, Arc<dyn LogFile>);

/// The segments of a log.
pub(super) struct Journal {
    pub(super) files: Arc<dyn Files>,
    pub(super) index: RwLock<Index>,
    pub(super) syncer: Arc<Syncer>,
    pub(super) settings: Settings,
    writer: Mutex<Writer>,
    breakage: Arc<Breakage>,
    old_files: Mutex<VecDeque<(SegmentId, Arc<dyn LogFile>)>>,
    /// Held by the one who cleans.
    pub(super) cleaning: Mutex<Cleaner>,
    interval_thread: Option<JoinHandle<()>>,
    _lock: FolderLock,
}

struct Writer {
    end: End,
    frame: Vec<u8>,
}

impl Journal {
    /// Takes the folder and reads what is in it.
    pub(super) fn open(files: Arc<dyn Files>, settings: Settings) -> Result<(Book, Journal), LogError> {
        let folder = folder::take(&*files)?;
        let Recovered { book, index, end } =
            recover::recover(&*files, &folder.segments, Index::new(settings.recent_bytes))?;
        let breakage = Arc::new(Breakage::default());
        let syncer = Arc::new(Syncer::new(end.file.clone(), end.name.clone(), end.number, breakage.clone()));
        let interval_thread = match settings.durability {
            Durability::Interval(interval) => {
                let syncer = syncer.clone();
                let thread = thread::Builder::new().name("tidemill-log-sync".to_owned());
                let thread = thread.spawn(move || syncer.every(interval));
                Some(thread.map_err(|cause| cannot(&*files, "start the sync thread", cause))?)
            }
            Durability::Never | Durability::EveryCommit => None,
        };
        let journal = Journal {
            files,
            index: RwLock::new(index),
            syncer,
            settings,
            writer: Mutex::new(Writer { end, frame: Vec::new() }),
            breakage,
            old_files: Mutex::default(),
            cleaning: Mutex::default(),
            interval_thread,
            _lock: folder.lock,
        };
        Ok((book, journal))
    }

    /// Ends the segment that is written now and begins the next one. Called under the ledger's lock.
    pub(super) fn roll(&self, book: &Book) -> Result<(), LogError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.roll_writer(&mut writer, book)
    }

    fn roll_writer(&self, writer: &mut Writer, book: &Book) -> Result<(), LogError> {
        let End { file, name, number, .. } = &writer.end;
        file.sync().map_err(|cause| self.broken(format!("cannot sync `{name}`"), cause))?;
        let first = *number;
        let end = recover::begin_segment(&*self.files, first, book);
        let end = end.map_err(|cause| self.broken("cannot begin a segment".to_owned(), cause))?;
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.add_segment(first);
        index.grow(end.at);
        self.syncer.rolled(end.file.clone(), end.name.clone(), end.number);
        writer.end = end;
        Ok(())
    }

    fn broken(&self, what: String, cause: std::io::Error) -> LogError {
        let error = self.breakage.failed(format!("{what} of the log at `{}`", self.files.place()), cause);
        self.syncer.broke();
        error
    }

    /// Reads batches that stand close together in one piece.
    fn read_run(&self, (name, file): &OpenSegment, run: &[Place], out: &mut Vec<Arc<Batch>>) -> Result<(), LogError> {
        let (first, last) = (run[0], run[run.len() - 1]);
        let length = (last.at - first.at) as usize + RECORDS_PREFIX + last.length() as usize;
        let mut bytes = vec![0; length];
        file.read_at(u64::from(first.at), &mut bytes).map_err(|cause| cannot(&*self.files, "read a segment", cause))?;
        for place in run {
            let at = (place.at - first.at) as usize;
            let stored = &bytes[at..at + RECORDS_PREFIX + place.length() as usize];
            let batch = body::decode_records(place.base, place.span, place.is_thinned(), stored);
            out.push(Arc::new(batch.map_err(|why| damaged(&*self.files, name, u64::from(place.at), why))?));
        }
        Ok(())
    }

    /// Opens the file of a segment that the index knows. Places may be read from it as long as it is held, also when the
    /// segment is removed or rewritten meanwhile.
    fn segment_file(&self, index: &Index, id: SegmentId) -> Result<OpenSegment, LogError> {
        let name = segment::name_of(index.segment(id).expect("a place's segment is in the index").first);
        let mut files = self.old_files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = files.iter().find(|(open, _)| *open == id) {
            return Ok((name, file.clone()));
        }
        let file = self.files.open(&name).map_err(|cause| cannot(&*self.files, "open a segment", cause))?;
        if files.len() == OPEN_FILES {
            files.pop_front();
        }
        files.push_back((id, file.clone()));
        Ok((name, file))
    }

    /// Forgets the open file of a segment that is removed.
    pub(super) fn close_file(&self, id: SegmentId) {
        self.old_files.lock().unwrap_or_else(PoisonError::into_inner).retain(|(open, _)| *open != id);
    }
}

impl Keep for Journal {
    fn usable(&self) -> Result<(), LogError> {
        self.breakage.check()
    }

    fn write(&self, book: &Book, change: &Change) -> Result<Ticket, LogError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.end.at >= self.settings.segment_bytes {
            self.roll_writer(&mut writer, book)?;
        }
        let Writer { end, frame } = &mut *writer;
        frame::begin(frame);
        let stored = body::encode(change, HEADER, frame);
        frame::finish(frame, end.number, self.syncer.synced());
        end.file.append(frame).map_err(|cause| self.broken(format!("cannot write `{}`", end.name), cause))?;
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for (stored, (partition, batch)) in stored.iter().zip(&change.batches) {
            index.add(stored, end.at + HEADER as u64);
            index.remember(*partition, batch.clone());
        }
        change.starts.iter().for_each(|(partition, start)| index.drop_before(*partition, *start));
        index.grow(frame.len() as u64);
        end.at += frame.len() as u64;
        end.number += 1;
        if frame.capacity() > BUFFER_KEPT {
            *frame = Vec::new();
        }
        self.syncer.written(end.number);
        Ok(Ticket(end.number))
    }

    fn clean(&self, ledger: &Ledger<Journal>, now: Timestamp) -> Result<Cleaned, LogError> {
        self.give_back(ledger, now)
    }

    fn settle(&self, Ticket(number): Ticket, call: Call) -> Result<(), LogError> {
        match (self.settings.durability, call) {
            (Durability::Never, _) | (Durability::Interval(_), Call::Commit) => Ok(()),
            (Durability::Interval(_), Call::Append) => self.syncer.await_sync(number),
            (Durability::EveryCommit, _) => self.syncer.sync(number),
        }
    }

    fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        end: Offset,
        bytes_max: usize,
    ) -> Result<Vec<Arc<Batch>>, LogError> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = index.find(partition, from, end, bytes_max);
        if wanted.is_empty() {
            // Everything from here to the end was removed: an empty batch says so.
            return Ok(vec![Arc::new(BatchBuilder::default().finish_sparse(from, end, &[]))]);
        }
        let mut files = BTreeMap::new();
        for wanted in &wanted {
            if let Wanted::OnDisk(place) = wanted
                && let Entry::Vacant(file) = files.entry(place.segment)
            {
                file.insert(self.segment_file(&index, place.segment)?);
            }
        }
        drop(index);
        let (mut batches, mut run) = (Vec::with_capacity(wanted.len()), Vec::<Place>::new());
        for wanted in wanted {
            let next = match &wanted {
                Wanted::OnDisk(place) => Some(*place),
                Wanted::InMemory(_) => None,
            };
            if !run.is_empty() && !next.is_some_and(|next| is_close(&run[run.len() - 1], &next)) {
                self.read_run(&files[&run[0].segment], &run, &mut batches)?;
                run.clear();
            }
            match wanted {
                Wanted::OnDisk(place) => run.push(place),
                Wanted::InMemory(batch) => batches.push(batch),
            }
        }
        if !run.is_empty() {
            self.read_run(&files[&run[0].segment], &run, &mut batches)?;
        }
        Ok(batches)
    }
}

fn is_close(place: &Place, next: &Place) -> bool {
    let end = place.at + RECORDS_PREFIX as u32 + place.length();
    place.segment == next.segment && next.at >= end && next.at - end <= READ_GAP
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.syncer.close();
        if let Some(thread) = self.interval_thread.take() {
            // It syncs what is left, and cannot panic.
            let _ = thread.join();
        }
    }
}
