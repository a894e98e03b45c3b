//! Segments: the files that frames lie in, one after another without a gap.
//!
//! ```text
//! segment v2   magic "TIDEMILL" | version u32 | first_number u64 | next_number u64 | crc u32 | frame*
//! file name    first_number as 20 decimal digits | ".segment"
//! ```
//! Little-endian. `crc` is the CRC-32C of the 28 bytes before it. The first frame has the number `first_number` and is
//! a snapshot: all topics, progress, notes and bounds, so that the segments before it can be removed.
//!
//! A segment is written with `next_number` 0 and grows by frames with consecutive numbers. One that was rewritten (see
//! `clean`) stands in the place of all frames below `next_number`, and was whole and durable before it got its name; its own
//! frames are numbered from `first_number` on.

use std::io;
use std::sync::Arc;

use super::files::LogFile;
use super::frame::{self, HEADER, Header};

/// The version of frames, bodies and segments.
pub(super) const VERSION: u32 = 3;
/// The length of a segment's header in bytes.
pub(super) const SEGMENT_HEADER: usize = 32;
const MAGIC: [u8; 8] = *b"TIDEMILL";
const SUFFIX: &str = ".segment";
/// How much is read from a file at a time.
const CHUNK: usize = 1 << 20;

/// The name of the segment whose first frame has this number.
pub(super) fn name_of(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// The number of the first frame of the segment of this name; `None` for other files.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

/// The header of a segment; `next` is given for one that was rewritten.
pub(super) fn encode_header(first: u64, next: Option<u64>) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&first.to_le_bytes());
    header[20..28].copy_from_slice(&next.unwrap_or(0).to_le_bytes());
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// What the first bytes of a segment are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderFound {
    /// As it grew.
    Grown,
    /// It was rewritten, and stands for the frames below this number.
    Rewritten(u64),
    OtherVersion(u32),
    Broken,
}

/// Judges the first bytes of the segment whose name says `first`.
pub(super) fn check_header(header: &[u8], first: u64) -> HeaderFound {
    if header == encode_header(first, None) {
        return HeaderFound::Grown;
    }
    let word =
        |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.first_chunk()).copied().map(u32::from_le_bytes);
    let whole =
        header.len() == SEGMENT_HEADER && header[..8] == MAGIC && word(28) == Some(crc32c::crc32c(&header[..28]));
    match word(8) {
        Some(VERSION) if whole => {
            let next = u64::from(word(20).unwrap_or_default()) | u64::from(word(24).unwrap_or_default()) << 32;
            if header == encode_header(first, Some(next)) { HeaderFound::Rewritten(next) } else { HeaderFound::Broken }
        }
        Some(version) if whole => HeaderFound::OtherVersion(version),
        _ => HeaderFound::Broken,
    }
}

/// What stands at a place where a frame is expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Frame(Header),
    /// The segment ends here.
    End,
    /// Something that is not the expected frame.
    Broken,
}

/// Reads a segment from front to back, a chunk at a time.
pub(super) struct Scanner {
    file: Arc<dyn LogFile>,
    length: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl Scanner {
    pub(super) fn new(file: Arc<dyn LogFile>) -> io::Result<Self> {
        Ok(Scanner { length: file.length()?, file, buffer: Vec::new(), buffer_at: 0 })
    }

    /// The segment's length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes from `at` on, fewer than `count` only at the end of the segment.
    pub(super) fn bytes(&mut self, at: u64, count: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let count = count.min(left);
        if at < self.buffer_at || at + count as u64 > self.buffer_at + self.buffer.len() as u64 {
            // The length is known, so nothing that a broken frame claims makes this larger than the file.
            self.buffer.resize(count.max(CHUNK).min(left), 0);
            self.file.read_at(at, &mut self.buffer)?;
            self.buffer_at = at;
        }
        let from = usize::try_from(at - self.buffer_at).expect("within the buffer");
        Ok(&self.buffer[from..from + count])
    }

    /// What stands at `at`, where the frame `number` is expected.
    pub(super) fn frame(&mut self, at: u64, number: u64) -> io::Result<Found> {
        if at == self.length {
            return Ok(Found::End);
        }
        Ok(match self.whole_frame(at)? {
            Some(header) if header.number == number => Found::Frame(header),
            _ => Found::Broken,
        })
    }

    /// The body of a frame that was found at `at`.
    pub(super) fn body(&mut self, at: u64, header: &Header) -> io::Result<&[u8]> {
        self.bytes(at + HEADER as u64, header.body_len as usize)
    }

    /// The first whole frame behind the broken one at `at` that was written after frame `number` was durable.
    pub(super) fn later_than_durable(&mut self, at: u64, number: u64) -> io::Result<Option<(u64, Header)>> {
        let mut at = match self.header(at)? {
            // Its length can be trusted: what lies within it are the bytes of records, whatever they look like.
            Some(header) => at.saturating_add(header.frame_len()),
            None => at + 1,
        };
        while at + (HEADER as u64) <= self.length {
            let window = self.bytes(at, CHUNK)?;
            match frame::find_magic(window) {
                // A header may lie across two windows.
                None => at += (window.len() - (HEADER - 1).min(window.len() - 1)) as u64,
                Some(skipped) => {
                    at += skipped as u64;
                    match self.whole_frame(at)? {
                        Some(header) if header.number > number && header.synced > number => {
                            return Ok(Some((at, header)));
                        }
                        Some(header) => at += header.frame_len(),
                        None => at += 1,
                    }
                }
            }
        }
        Ok(None)
    }

    fn header(&mut self, at: u64) -> io::Result<Option<Header>> {
        Ok(self.bytes(at, HEADER)?.first_chunk().and_then(Header::decode))
    }

    fn whole_frame(&mut self, at: u64) -> io::Result<Option<Header>> {
        let Some(header) = self.header(at)? else { return Ok(None) };
        if header.frame_len() > self.length - at {
            return Ok(None);
        }
        Ok(header.fits(self.body(at, &header)?).then_some(header))
    }
}
