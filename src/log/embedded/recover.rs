//! Reads a log's segments when it is opened, and finds its end.
//!
//! Rule: every frame up to the end is whole, and they are numbered without a gap. What was not yet durable when the
//! process or the machine stopped is cut off; anything else that is not whole is an error, and nothing is changed.

use std::io;
use std::sync::Arc;

use super::body;
use super::files::{Files, LogFile};
use super::folder::cannot;
use super::frame::{self, HEADER, Header};
use super::index::Index;
use super::segment::{self, Found, HeaderFound, SEGMENT_HEADER, Scanner};
use crate::log::ledger::Book;
use crate::log::{LogError, LogErrorKind};

/// A log as it was found.
pub(super) struct Recovered {
    pub(super) book: Book,
    pub(super) index: Index,
    pub(super) end: End,
}

/// The place where a log goes on.
pub(super) struct End {
    pub(super) file: Arc<dyn LogFile>,
    pub(super) name: String,
    /// The length of the file.
    pub(super) at: u64,
    /// The number of the next frame.
    pub(super) number: u64,
    /// Whether the file was rewritten: then the log goes on in another one.
    rewritten: bool,
}

/// Reads all segments, cuts off what is not whole at the end, and begins a segment if there is none.
pub(super) fn recover(files: &dyn Files, segments: &[u64], index: Index) -> Result<Recovered, LogError> {
    let mut replay = Replay { files, book: Book::default(), index, end: None, covered: Vec::new() };
    for (at, first) in segments.iter().enumerate() {
        replay.segment(*first, at + 1 == segments.len())?;
    }
    let Replay { book, mut index, end, covered, .. } = replay;
    let end = match end {
        Some(end) if !end.rewritten => end,
        end => {
            let number = end.map_or(0, |end| end.number);
            let end = begin_segment(files, number, &book).map_err(|cause| cannot(files, "begin a segment", cause))?;
            index.add_segment(number);
            index.grow(end.at);
            end
        }
    };
    for name in covered {
        files.remove(&name).map_err(|cause| cannot(files, &format!("remove `{name}`"), cause))?;
    }
    // What is read from now on may come from the system's memory only; nobody shall act on it before it is durable.
    end.file.sync().map_err(|cause| cannot(files, "sync the last segment", cause))?;
    Ok(Recovered { book, index, end })
}

/// Creates the segment that begins with frame `number`, makes it durable, and says where it goes on.
pub(super) fn begin_segment(files: &dyn Files, number: u64, book: &Book) -> io::Result<End> {
    let name = segment::name_of(number);
    let mut frame = Vec::new();
    frame::begin(&mut frame);
    let batches = body::encode(&book.summary(), HEADER, &mut frame);
    debug_assert!(batches.is_empty(), "a summary has no records");
    for (partition, bounds) in book.partitions() {
        body::encode_bounds(partition, bounds, &mut frame);
    }
    frame::finish(&mut frame, number, number);
    let mut bytes = segment::encode_header(number, None).to_vec();
    bytes.append(&mut frame);
    let file = files.create(&name)?;
    file.append(&bytes)?;
    file.sync()?;
    files.sync_folder()?;
    Ok(End { file, name, at: bytes.len() as u64, number: number + 1, rewritten: false })
}

struct Replay<'a> {
    files: &'a dyn Files,
    book: Book,
    index: Index,
    end: Option<End>,
    /// Segments whose frames a rewritten one stands for: the process stopped before it had removed them.
    covered: Vec<String>,
}

impl Replay<'_> {
    fn segment(&mut self, first: u64, is_last: bool) -> Result<(), LogError> {
        let name = segment::name_of(first);
        if self.end.as_ref().is_some_and(|end| end.rewritten && first < end.number) {
            self.covered.push(name);
            return Ok(());
        }
        if let Some(end) = self.end.as_ref().filter(|end| end.number != first) {
            let why = format!("frame {} was expected, the segment begins with frame {first}", end.number);
            return Err(damaged(self.files, &name, 0, &why));
        }
        let unreadable = |cause| cannot(self.files, &format!("read `{name}`"), cause);
        let file = self.files.open(&name).map_err(unreadable)?;
        let mut scanner = Scanner::new(file.clone()).map_err(unreadable)?;
        let header = scanner.bytes(0, SEGMENT_HEADER).map_err(unreadable)?;
        let (mut at, mut number) = (0, first);
        match segment::check_header(header, first) {
            HeaderFound::Grown => (at, number) = self.frames(&name, first, &mut scanner)?,
            HeaderFound::Rewritten(next) => return self.rewritten(&name, (first, next), file, &mut scanner),
            HeaderFound::OtherVersion(version) => return Err(other_version(self.files, &name, version)),
            HeaderFound::Broken => {}
        }
        if number > first && at == scanner.length() {
            self.end = Some(End { file, name, at, number, rewritten: false });
            return Ok(());
        }
        let durable = scanner.later_than_durable(at, number).map_err(unreadable)?;
        if let Some((later, header)) = durable {
            let why = format!("frame {} at byte {later} was written after this was durable", header.number);
            return Err(damaged(self.files, &name, at, &why));
        }
        if !is_last {
            return Err(damaged(self.files, &name, at, "another segment follows"));
        }
        self.cut(End { file, name, at, number, rewritten: false }, first, scanner.length())
    }

    /// Applies a segment that was whole and durable when it got its name.
    fn rewritten(
        &mut self,
        name: &str,
        (first, next): (u64, u64),
        file: Arc<dyn LogFile>,
        scanner: &mut Scanner,
    ) -> Result<(), LogError> {
        let (at, number) = self.frames(name, first, scanner)?;
        if number == first || at < scanner.length() {
            return Err(damaged(self.files, name, at, "it was rewritten, and whole before it got its name"));
        }
        self.end = Some(End { file, name: name.to_owned(), at, number: next, rewritten: true });
        Ok(())
    }

    /// Applies the whole frames from the front; the result is where they end and the number of the next one.
    fn frames(&mut self, name: &str, first: u64, scanner: &mut Scanner) -> Result<(u64, u64), LogError> {
        let unreadable = |cause| cannot(self.files, &format!("read `{name}`"), cause);
        let (mut at, mut number) = (SEGMENT_HEADER as u64, first);
        loop {
            let header = match scanner.frame(at, number).map_err(unreadable)? {
                Found::Frame(header) => header,
                Found::End | Found::Broken => return Ok((at, number)),
            };
            let body = scanner.body(at, &header).map_err(unreadable)?;
            let is_first = number == first;
            apply(&mut self.book, &mut self.index, self.end.is_some(), is_first, at, &header, body)
                .map_err(|why| damaged(self.files, name, at, &why))?;
            (at, number) = (at + header.frame_len(), number + 1);
        }
    }

    /// Cuts off the end of the last segment, or the whole segment when not even its snapshot is whole.
    fn cut(&mut self, end: End, first: u64, length: u64) -> Result<(), LogError> {
        let End { file, name, at, number, .. } = end;
        tracing::warn!(segment = name, at, bytes = length - at, "cut off what was not durable when the log stopped");
        if number > first {
            file.truncate(at).map_err(|cause| cannot(self.files, &format!("cut off `{name}`"), cause))?;
            self.end = Some(End { file, name, at, number, rewritten: false });
            return Ok(());
        }
        drop(file);
        let removed = self.files.remove(&name).and_then(|()| self.files.sync_folder());
        removed.map_err(|cause| cannot(self.files, &format!("remove `{name}`"), cause))
    }
}

/// Applies one frame; the error says what is wrong with it.
fn apply(
    book: &mut Book,
    index: &mut Index,
    continues: bool,
    is_snapshot: bool,
    at: u64,
    header: &Header,
    bytes: &[u8],
) -> Result<(), String> {
    let body = body::decode(bytes)?;
    if is_snapshot {
        index.add_segment(header.number);
        index.grow(SEGMENT_HEADER as u64);
    } else if !body.bounds.is_empty() {
        return Err("bounds stand outside a snapshot".to_owned());
    }
    book.apply(&body.change).map_err(|contradiction| contradiction.to_string())?;
    for (partition, bounds) in body.bounds {
        if !continues {
            book.set_bounds(partition, bounds).map_err(|contradiction| contradiction.to_string())?;
        } else if book.next_partition() <= partition || book.bounds(partition) != bounds {
            let known = (book.next_partition() > partition).then(|| book.bounds(partition));
            return Err(format!(
                "the snapshot says {bounds:?} of partition {}, the segments before it {known:?}",
                partition.0
            ));
        }
    }
    for stored in &body.batches {
        book.extend(stored.partition, stored.base, stored.span).map_err(|contradiction| contradiction.to_string())?;
        index.add(stored, at + HEADER as u64);
    }
    for (partition, start) in body.change.starts {
        index.drop_before(partition, start);
    }
    index.grow(header.frame_len());
    Ok(())
}

/// An error for bytes that are not what was written.
pub(super) fn damaged(files: &dyn Files, name: &str, at: u64, why: &str) -> LogError {
    let message = format!(
        "segment `{name}` of the log at `{}` is damaged at byte {at}: {why}; nothing was changed: restore the segment \
         from a copy",
        files.place()
    );
    LogError::new(LogErrorKind::Corrupt, message)
}

fn other_version(files: &dyn Files, name: &str, version: u32) -> LogError {
    let message = format!(
        "segment `{name}` of the log at `{}` has format {version}, this program knows format {}: open it with the \
         version that wrote it",
        files.place(),
        segment::VERSION
    );
    LogError::new(LogErrorKind::Invalid, message)
}
