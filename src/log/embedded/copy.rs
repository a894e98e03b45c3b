//! Copies a log into another folder, while somebody may write it.
//!
//! ```text
//! copy.unfinished   there until everything else is durable; a folder that has it is no log
//! tidemill-copy     "tidemill copy, format 1\n", then a line for each segment: name | length | CRC-32C as 8 hexadecimal digits
//! ```
//!
//! Rule: a backup is the log at one moment, whole frames and so whole epochs up to that. What is not finished, or is not as it was
//! when it was finished, is refused as a log or as a backup.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::files::{Files, LogFile, StdFiles};
use super::folder::{self, UNFINISHED_COPY, cannot};
use crate::log::{LogError, LogErrorKind};

const LIST: &str = "tidemill-copy";
const LIST_TITLE: &str = "tidemill copy, format 1";
/// How much is read at a time.
const CHUNK: usize = 1 << 20;

/// How far a copy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many bytes are copied.
    pub bytes: u64,
    /// How many there are to copy in all.
    pub bytes_total: u64,
    /// How many files there are.
    pub files: usize,
}

/// A file of a backup, as its list has it.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    name: String,
    length: u64,
    crc: u32,
}

/// Copies segments as they are now into a new folder, with a list of them.
pub(super) fn back_up(
    segments: &[(String, Arc<dyn LogFile>)],
    to: &Path,
    progress: &mut dyn FnMut(Copied),
) -> Result<Copied, LogError> {
    let files = begin(to)?;
    let mut copy = Copy::new(&files, segments, progress)?;
    let mut list = format!("{LIST_TITLE}\n");
    for (name, file) in segments {
        let (length, crc) = copy.file(name, file)?;
        writeln!(list, "{name} {length} {crc:08x}").expect("a string takes everything");
    }
    let copied = copy.copied;
    write_whole(&files, LIST, list.as_bytes())?;
    end(&files)?;
    Ok(copied)
}

/// Makes a log of a backup in a new folder, once every byte of the backup was found as it was written.
pub(super) fn restore(from: &Path, to: &Path, progress: &mut dyn FnMut(Copied)) -> Result<Copied, LogError> {
    let backup = StdFiles::new(from);
    folder::check_finished(&backup)?;
    let listed = read_list(&backup)?;
    let open = |listed: &Listed| Ok((listed.name.clone(), backup.open(&listed.name)?));
    let segments: Vec<_> = listed.iter().map(open).collect::<io::Result<_>>().map_err(|cause| unlike(from, &cause))?;
    let files = begin(to)?;
    let mut copy = Copy::new(&files, &segments, progress)?;
    for (listed, (name, file)) in listed.iter().zip(&segments) {
        if copy.file(name, file)? != (listed.length, listed.crc) {
            return Err(unlike(from, &format!("`{name}` is not what was written")));
        }
    }
    let copied = copy.copied;
    end(&files)?;
    Ok(copied)
}

/// A new folder that says of itself that it is not finished.
fn begin(to: &Path) -> Result<StdFiles, LogError> {
    let files = StdFiles::new(to);
    folder::check_finished(&files)?;
    let names = files.list().map_err(|cause| cannot(&files, "read the folder", cause))?;
    if let Some(name) = names.first() {
        let message = format!("`{}` is not empty (there is `{name}`): name a new folder", to.display());
        return Err(LogError::new(LogErrorKind::Invalid, message));
    }
    files.create_folder().map_err(|cause| cannot(&files, "create the folder", cause))?;
    write_whole(&files, UNFINISHED_COPY, b"")?;
    files.sync_folder().map_err(|cause| cannot(&files, "sync the folder", cause))?;
    Ok(files)
}

/// Says that it is finished, when all of it is durable.
fn end(files: &StdFiles) -> Result<(), LogError> {
    folder::write_marker(files).map_err(|cause| cannot(files, "write the marker", cause))?;
    let finished = files.remove(UNFINISHED_COPY).and_then(|()| files.sync_folder());
    finished.map_err(|cause| cannot(files, &format!("remove `{UNFINISHED_COPY}`"), cause))
}

fn write_whole(files: &StdFiles, name: &str, bytes: &[u8]) -> Result<(), LogError> {
    let written = files.create(name).and_then(|file| file.append(bytes).and_then(|()| file.sync()));
    written.map_err(|cause| cannot(files, &format!("write `{name}`"), cause))
}

/// Copies one file after another.
struct Copy<'a> {
    to: &'a StdFiles,
    copied: Copied,
    progress: &'a mut dyn FnMut(Copied),
    buffer: Vec<u8>,
}

impl<'a> Copy<'a> {
    fn new(
        to: &'a StdFiles,
        segments: &[(String, Arc<dyn LogFile>)],
        progress: &'a mut dyn FnMut(Copied),
    ) -> Result<Self, LogError> {
        let total = segments.iter().map(|(_, file)| file.length()).sum::<io::Result<u64>>();
        let bytes_total = total.map_err(|cause| cannot(to, "read what is copied into the place", cause))?;
        Ok(Copy { to, copied: Copied { bytes: 0, bytes_total, files: segments.len() }, progress, buffer: Vec::new() })
    }

    /// Gives the length and the checksum of what was copied.
    fn file(&mut self, name: &str, from: &Arc<dyn LogFile>) -> Result<(u64, u32), LogError> {
        let copied = self.chunks(name, from);
        copied.map_err(|cause| cannot(self.to, &format!("copy `{name}` into the place"), cause))
    }

    fn chunks(&mut self, name: &str, from: &Arc<dyn LogFile>) -> io::Result<(u64, u32)> {
        let (to, length) = (self.to.create(name)?, from.length()?);
        let (mut at, mut crc) = (0, 0);
        while at < length {
            let left = usize::try_from(length - at).unwrap_or(usize::MAX);
            self.buffer.resize(left.min(CHUNK), 0);
            from.read_at(at, &mut self.buffer)?;
            to.append(&self.buffer)?;
            crc = crc32c::crc32c_append(crc, &self.buffer);
            at += self.buffer.len() as u64;
            self.copied.bytes += self.buffer.len() as u64;
            (self.progress)(self.copied);
        }
        to.sync()?;
        Ok((length, crc))
    }
}

fn read_list(backup: &StdFiles) -> Result<Vec<Listed>, LogError> {
    let place = backup.place();
    let names = backup.list().map_err(|cause| cannot(backup, "read the folder", cause))?;
    if !names.iter().any(|name| name == LIST) {
        let message = format!("there is no backup in `{place}`: name the folder that a backup was written to");
        return Err(LogError::new(LogErrorKind::Invalid, message));
    }
    let file = backup.open(LIST).map_err(|cause| cannot(backup, "read the list", cause))?;
    let read = file.length().and_then(|length| {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_at(0, &mut bytes).map(|()| bytes)
    });
    let bytes = read.map_err(|cause| cannot(backup, "read the list", cause))?;
    let listed = parse(&String::from_utf8_lossy(&bytes));
    listed.ok_or_else(|| unlike(Path::new(&place), &format!("`{LIST}` is not a list of this format")))
}

fn parse(text: &str) -> Option<Vec<Listed>> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    lines.next().filter(|title| *title == LIST_TITLE)?;
    let listed = |line: &str| {
        let mut words = line.split(' ');
        let (name, length, crc) = (words.next()?, words.next()?, words.next()?);
        // A name in a list of somebody else's must not lead out of the folder.
        super::segment::first_of(name)?;
        Some(Listed { name: name.to_owned(), length: length.parse().ok()?, crc: u32::from_str_radix(crc, 16).ok()? })
    };
    lines.map(listed).collect()
}

fn unlike(backup: &Path, why: &dyn std::fmt::Display) -> LogError {
    let message = format!(
        "the backup in `{}` is not as it was made: {why}; use another one, an application must not run on it",
        backup.display()
    );
    LogError::new(LogErrorKind::Corrupt, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_segments_alone() {
        let line = "00000000000000000007.segment 12 0000002a";
        let listed = Listed { name: "00000000000000000007.segment".into(), length: 12, crc: 42 };
        assert_eq!(parse(&format!("{LIST_TITLE}\n{line}\n")), Some(vec![listed]));
        for wrong in ["../x 1 00000000", "00000000000000000007.segment 12", "00000000000000000007.segment x 0", ""] {
            assert_eq!(parse(&format!("{LIST_TITLE}\n{wrong}\n")), None, "{wrong}");
        }
        assert_eq!(parse(&format!("{LIST_TITLE}, no\n")), None);
    }
}
