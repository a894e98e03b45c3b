//! What is committed with an offset: Kafka Streams' own bytes, in which our notes are entries that it carries along.
//!
//! ```text
//! base64 of   2 u8 | partition time i64 | entries          no entries: nothing; an unknown time is -1
//! entries     count i32 | (key_len i32 | key | value i64)*          version 1 has none
//! ours        key `tidemill`, the value is the committed offset
//!             key `tm:<what>`, the value is a note of 8 bytes
//!             key `tm=<what>=<base64>`, the value is 0: any other note
//! ```
//! Big-endian. Kafka Streams keeps entries that it does not know, whatever it commits afterwards: so ours count only while the
//! entry `tidemill` names the offset that they are found with.

use super::super::{LogError, LogErrorKind};
use super::base64;
use tidemill_dsl::record::{Offset, Timestamp};

/// More than that is refused by brokers, unless they are told otherwise (`offset.metadata.max.bytes`).
const LENGTH_MAX: usize = 4096;
const VERSION: u8 = 2;
const OWN: &str = "tidemill";

/// What is committed with an offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OffsetMetadata {
    pub(super) partition_time: Option<Timestamp>,
    /// Our notes, by what they say.
    pub(super) notes: Vec<(String, Vec<u8>)>,
    /// Entries of Kafka Streams, which are kept.
    pub(super) foreign: Vec<(String, i64)>,
}

impl OffsetMetadata {
    /// The text to be committed with `next`; `what` names where, in an error.
    pub(super) fn encode(&self, next: Offset, what: &str) -> Result<String, LogError> {
        let time = self.partition_time.map_or(-1, Timestamp::as_millis);
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&time.to_be_bytes());
        let mut entries: Vec<(String, i64)> = self.foreign.clone();
        if !self.notes.is_empty() {
            entries.push((OWN.to_owned(), next.get().cast_signed()));
        }
        entries.extend(self.notes.iter().map(|(what, value)| match <[u8; 8]>::try_from(value.as_slice()) {
            Ok(number) => (format!("tm:{what}"), i64::from_be_bytes(number)),
            Err(_) => (format!("tm={what}={}", base64::encode(value)), 0),
        }));
        if !entries.is_empty() {
            bytes.extend_from_slice(&length(entries.len()).to_be_bytes());
        }
        for (key, value) in &entries {
            bytes.extend_from_slice(&length(key.len()).to_be_bytes());
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(&value.to_be_bytes());
        }
        let text = base64::encode(&bytes);
        if text.len() > LENGTH_MAX {
            let message = format!(
                "what has to be kept with {what} takes {} bytes, and brokers take {LENGTH_MAX}: give the operators that keep \
                 times shorter names, or split the topology",
                text.len()
            );
            return Err(LogError::new(LogErrorKind::Invalid, message));
        }
        Ok(text)
    }

    /// What a text says that was committed with `next`. One of another version, or that is none of ours, says nothing.
    pub(super) fn decode(text: &str, next: Offset) -> OffsetMetadata {
        base64::decode(text).and_then(|bytes| parse(&bytes, next)).unwrap_or_default()
    }
}

fn parse(bytes: &[u8], next: Offset) -> Option<OffsetMetadata> {
    let (version, rest) = bytes.split_first()?;
    if !(1..=VERSION).contains(version) {
        return None;
    }
    let (time, mut rest) = rest.split_first_chunk::<8>()?;
    let time = i64::from_be_bytes(*time);
    let mut metadata =
        OffsetMetadata { partition_time: (time >= 0).then(|| Timestamp::from_millis(time)), ..Default::default() };
    if *version == 1 || rest.is_empty() {
        return Some(metadata);
    }
    let (count, tail) = rest.split_first_chunk::<4>()?;
    rest = tail;
    let mut is_current = false;
    for _ in 0..i32::from_be_bytes(*count) {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (key, tail) = tail.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
        let (value, tail) = tail.split_first_chunk::<8>()?;
        rest = tail;
        let (key, value) = (std::str::from_utf8(key).ok()?, i64::from_be_bytes(*value));
        if key == OWN {
            is_current = value == next.get().cast_signed();
        } else if let Some(what) = key.strip_prefix("tm:") {
            metadata.notes.push((what.to_owned(), value.to_be_bytes().to_vec()));
        } else if let Some((what, bytes)) = key.strip_prefix("tm=").and_then(note_of) {
            metadata.notes.push((what.to_owned(), bytes));
        } else {
            metadata.foreign.push((key.to_owned(), value));
        }
    }
    if !is_current {
        metadata.notes.clear();
    }
    Some(metadata)
}

/// What a note says, and its bytes.
fn note_of(text: &str) -> Option<(&str, Vec<u8>)> {
    let (what, bytes) = text.split_once('=')?;
    Some((what, base64::decode(bytes)?))
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(millis: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(millis))
    }

    /// Texts in the form that Kafka Streams gives them, byte by byte.
    #[test]
    fn kafka_streams_texts_are_read_and_written() {
        let unknown = OffsetMetadata::default();
        assert_eq!(unknown.encode(Offset::new(5), "").unwrap(), "Av//////////");
        let timed = OffsetMetadata { partition_time: time(100), ..Default::default() };
        assert_eq!(timed.encode(Offset::new(5), "").unwrap(), "AgAAAAAAAABk");
        let text = "AgAAAAAAAABkAAAAAQAAAAhzb21lX2tleQAAAAAAAABk";
        let keyed = OffsetMetadata { foreign: vec![("some_key".to_owned(), 100)], ..timed.clone() };
        assert_eq!(keyed.encode(Offset::new(5), "").unwrap(), text);
        for (metadata, text) in [(&unknown, "Av//////////"), (&timed, "AgAAAAAAAABk"), (&keyed, text)] {
            assert_eq!(&OffsetMetadata::decode(text, Offset::new(5)), metadata);
        }
        assert_eq!(OffsetMetadata::decode("AQAAAAAAAABk", Offset::ZERO), timed, "version 1");
        for other in ["", "not base64", "AwAAAAAAAABk", "AgAA"] {
            assert_eq!(OffsetMetadata::decode(other, Offset::ZERO), unknown, "{other}");
        }
    }

    #[test]
    fn notes_come_back_with_their_offset_only() {
        let notes = vec![("a".to_owned(), 7_i64.to_be_bytes().to_vec()), ("b/c".to_owned(), vec![1, 2, 255])];
        let foreign = vec![("k".to_owned(), -3)];
        let metadata = OffsetMetadata { partition_time: time(9), notes, foreign: foreign.clone() };
        let text = metadata.encode(Offset::new(4), "").unwrap();
        assert_eq!(OffsetMetadata::decode(&text, Offset::new(4)), metadata);
        let later = OffsetMetadata { notes: Vec::new(), ..metadata };
        assert_eq!(OffsetMetadata::decode(&text, Offset::new(5)), later, "Kafka Streams went on meanwhile");
    }

    #[test]
    fn more_than_brokers_take_is_refused() {
        let fits = OffsetMetadata { notes: vec![("n".to_owned(), vec![1; 2200])], ..Default::default() };
        assert!(fits.encode(Offset::ZERO, "").is_ok());
        let long = OffsetMetadata { notes: vec![("n".to_owned(), vec![1; 3100])], ..Default::default() };
        let error = long.encode(Offset::ZERO, "`t-0`").unwrap_err();
        assert_eq!(error.kind(), LogErrorKind::Invalid);
        assert!(error.to_string().contains("`t-0`") && error.to_string().contains("4096"), "{error}");
    }
}
