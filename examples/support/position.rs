//! How far a file was read: stored together with the records read from it, so it never says more or less than was sent.
//!
//! Rule: a file is known by its path and its first bytes, and it may only grow: what was read from it once must still be
//! there. So a file that shrank, or whose lines changed behind the reader's back, is an error and no guess.

use serde::{Deserialize, Serialize};

use super::Failure;

/// How many first bytes tell two files at one path apart: about two lines.
pub(crate) const HEAD_BYTES: usize = 64;

/// A place in an input, behind a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// How many bytes lie before it.
    pub(crate) bytes: u64,
    /// How many lines lie before it.
    pub(crate) lines: u64,
    /// The CRC-32C of the bytes before it.
    pub(crate) crc: u32,
}

impl Place {
    /// The place behind more bytes, `lines` of which ended lines.
    pub(crate) fn after(self, bytes: &[u8], lines: u64) -> Place {
        Place {
            bytes: self.bytes + bytes.len() as u64,
            lines: self.lines + lines,
            crc: crc32c::crc32c_append(self.crc, bytes),
        }
    }
}

/// A file that lay at the path at some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// Its first bytes, at most [`HEAD_BYTES`], as far as they were read: a line that is still to be read may be corrected.
    head: Vec<u8>,
    place: Place,
}

/// The files that lay at one path, each with the place up to which it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    files: Vec<Known>,
    /// Which of them is read now.
    #[serde(skip)]
    current: usize,
    /// The first bytes of the one that is read now.
    #[serde(skip)]
    head: Vec<u8>,
}

impl Position {
    /// The position that was stored, if any.
    pub(crate) fn read(stored: Option<Vec<u8>>) -> Result<Position, Failure> {
        let Some(bytes) = stored else { return Ok(Position::default()) };
        serde_json::from_slice(&bytes).map_err(|error| {
            format!("a stored file position cannot be read: {error}; use another --data folder").into()
        })
    }

    /// Chooses the file that begins with `head` and has `length` bytes, and says where to go on reading it.
    pub(crate) fn choose(&mut self, name: &str, head: &[u8], length: u64) -> Result<Place, Failure> {
        // Of two beginnings that fit, the longer one says more.
        let fitting = self.files.iter().enumerate().filter(|(_, known)| head.starts_with(&known.head));
        let found = fitting.max_by_key(|(_, known)| known.head.len()).map(|(index, _)| index);
        let cut_short = self.files.iter().find(|known| known.head.starts_with(head) && found.is_none());
        if let Some(known) = cut_short {
            return Err(shrank(name, length, known.place));
        }
        self.head = head.to_vec();
        self.current = found.unwrap_or(self.files.len());
        match self.files.get(self.current) {
            Some(known) if length < known.place.bytes => Err(shrank(name, length, known.place)),
            Some(known) => Ok(known.place),
            None => Ok(Place::default()),
        }
    }

    /// Whether another file lay at the path before the one that was chosen.
    pub(crate) fn is_another(&self) -> bool {
        self.current > 0 && self.current == self.files.len()
    }

    /// The bytes to store once the chosen file was read up to `place`.
    pub(crate) fn moved_to(&mut self, place: Place) -> Result<Vec<u8>, Failure> {
        let read = usize::try_from(place.bytes).unwrap_or(usize::MAX).min(self.head.len());
        let known = Known { head: self.head[..read].to_vec(), place };
        match self.files.get_mut(self.current) {
            Some(before) => *before = known,
            None => self.files.push(known),
        }
        Ok(serde_json::to_vec(self)?)
    }
}

fn shrank(name: &str, length: u64, read: Place) -> Failure {
    format!(
        "`{name}` shrank: {} bytes ({} lines) were read from it before, and it has {length} bytes now; what was applied \
         stays applied: put the missing lines back, or give new lines in a file of another name",
        read.bytes, read.lines
    )
    .into()
}
