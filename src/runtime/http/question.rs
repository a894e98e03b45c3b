//! A question for rows of one partition, and its answer, as text.
//!
//! Rule: bytes are written in hex, so that questions fit into an address and answers onto a screen; an answer ends with a line that
//! says so, so that one that was cut off is not taken for a short one.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound;
use std::time::Duration;

use tidemill_dsl::record::Timestamp;
use tidemill_dsl::state::{Direction, KeyRange, RowBytes};

use crate::error::{Error, ErrorKind};
use crate::runtime::Position;

/// How many rows are answered at once.
pub(in crate::runtime) const PAGE_ROWS: usize = 5_000;
/// How many bytes a key of a question may have: it has to fit into an address, in hex, twice.
const KEY_BYTES_MAX: usize = 15_000;
const END: &str = "end";

/// How rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Read {
    Committed,
    Dirty,
    Stale { lag_max: u64 },
}

/// A question for rows of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct Question {
    pub(in crate::runtime) store: String,
    pub(in crate::runtime) partition: u32,
    pub(in crate::runtime) range: KeyRange,
    pub(in crate::runtime) direction: Direction,
    pub(in crate::runtime) limit: usize,
    pub(in crate::runtime) read: Read,
    /// What is to be waited for before, and how long.
    pub(in crate::runtime) bound: Option<(Position, Duration)>,
}

impl Question {
    /// What stands behind the host in the address.
    pub(super) fn path(&self) -> Result<String, Error> {
        let mut path = format!("/v1/stores/{}/{}?limit={}", self.store, self.partition, self.limit);
        let mut add = |name: &str, value: &str| {
            // Writing to a text cannot fail.
            let _ = write!(path, "&{name}={value}");
        };
        let bounds = [("from", "after", &self.range.from), ("to", "before", &self.range.to)];
        for (included, excluded, bound) in bounds {
            match bound {
                Bound::Included(key) => add(included, &hex(checked(key)?)),
                Bound::Excluded(key) => add(excluded, &hex(checked(key)?)),
                Bound::Unbounded => {}
            }
        }
        if self.direction == Direction::Backward {
            add("backward", "true");
        }
        match self.read {
            Read::Committed => {}
            Read::Dirty => add("read", "dirty"),
            Read::Stale { lag_max } => add("lag_max", &lag_max.to_string()),
        }
        if let Some((position, limit)) = &self.bound {
            // What names of topics may have needs no escape but the space between two.
            add("at_least", &position.to_string().replace(' ', "+"));
            add("wait_ms", &limit.as_millis().to_string());
        }
        Ok(path)
    }

    /// Reads what [`path`](Self::path) wrote, taken apart.
    pub(super) fn of(store: String, partition: u32, options: &BTreeMap<String, String>) -> Result<Question, Error> {
        let known =
            ["after", "at_least", "backward", "before", "from", "key", "lag_max", "limit", "read", "to", "wait_ms"];
        if let Some(unknown) = options.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(invalid(format!(
                "`{unknown}` is no option of a question; the options are {}",
                known.join(", ")
            )));
        }
        let number = |name: &str, otherwise: u64| match options.get(name) {
            Some(text) => text.parse().map_err(|_| invalid(format!("`{name}={text}` is no number"))),
            None => Ok(otherwise),
        };
        let key = |name: &str| options.get(name).map(|text| unhex(text)).transpose();
        let bound = |included: &str, excluded: &str| match (key(included)?, key(excluded)?) {
            (Some(key), _) => Ok::<_, Error>(Bound::Included(key)),
            (None, Some(key)) => Ok(Bound::Excluded(key)),
            (None, None) => Ok(Bound::Unbounded),
        };
        let range = match key("key")? {
            Some(key) => KeyRange { from: Bound::Included(key.clone()), to: Bound::Included(key) },
            None => KeyRange { from: bound("from", "after")?, to: bound("to", "before")? },
        };
        let read = match (options.get("read").map(String::as_str), options.get("lag_max")) {
            (None | Some("committed"), None) => Read::Committed,
            (None, Some(_)) => Read::Stale { lag_max: number("lag_max", 0)? },
            (Some("dirty"), None) => Read::Dirty,
            (Some(other), _) => return Err(invalid(format!("`read={other}` is not `committed` or `dirty`"))),
        };
        let wait = Duration::from_millis(number("wait_ms", 10_000)?);
        let position = options.get("at_least").map(|text| text.parse::<Position>());
        let position = position.transpose().map_err(|cause| invalid(cause.to_string()))?;
        let backward = options.get("backward").is_some_and(|value| value == "true");
        let limit = usize::try_from(number("limit", PAGE_ROWS as u64)?).unwrap_or(usize::MAX);
        Ok(Question {
            store,
            partition,
            range,
            direction: if backward { Direction::Backward } else { Direction::Forward },
            limit: limit.min(PAGE_ROWS),
            read,
            bound: position.map(|position| (position, wait)),
        })
    }
}

fn checked(key: &[u8]) -> Result<&[u8], Error> {
    if key.len() <= KEY_BYTES_MAX {
        return Ok(key);
    }
    Err(invalid(format!(
        "a key of {} bytes is too long for another process to be asked: {KEY_BYTES_MAX} at most",
        key.len()
    )))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

/// Rows as text.
pub(super) fn write_rows(rows: &[RowBytes]) -> String {
    let mut text = String::new();
    for RowBytes { key, value, timestamp } in rows {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{} {} {}", hex(key), hex(value), timestamp.as_millis());
    }
    text + END + "\n"
}

/// Reads what [`write_rows`] wrote.
pub(super) fn read_rows(text: &str) -> Result<Vec<RowBytes>, Error> {
    let broken = || Error::new(ErrorKind::Unavailable, "the answer was cut off, or is not one of this engine");
    let rows = text.strip_suffix("end\n").ok_or_else(broken)?;
    let row = |line: &str| {
        let mut parts = line.split(' ');
        let (key, value, time) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
        let (key, value) = (unhex(key).ok()?, unhex(value).ok()?);
        Some(RowBytes { key, value, timestamp: Timestamp::from_millis(time) })
    };
    rows.lines().map(|line| row(line).ok_or_else(broken)).collect()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| char::from(DIGITS[usize::from(four)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, Error> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or_else(|| invalid(format!("`{text}` is not in hex")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_dsl::record::{Offset, TopicPartition};

    /// Takes an address apart as the server does.
    fn apart(path: &str) -> Result<Question, Error> {
        let (path, options) = path.split_once('?').unwrap();
        let mut parts = path.strip_prefix("/v1/stores/").unwrap().split('/');
        let (store, partition) = (parts.next().unwrap().to_owned(), parts.next().unwrap().parse().unwrap());
        let pairs = options.split('&').map(|pair| pair.split_once('=').unwrap());
        let options = pairs.map(|(name, value)| (name.to_owned(), value.replace('+', " "))).collect();
        Question::of(store, partition, &options)
    }

    #[test]
    fn a_question_comes_back_as_it_was_asked() {
        let position: Position =
            [(TopicPartition::new("in-a", 0), Offset::new(17)), (TopicPartition::new("b", 1), Offset::new(4))]
                .into_iter()
                .collect();
        let plain = Question {
            store: "sums.of-all_v2".to_owned(),
            partition: 3,
            range: KeyRange::ALL,
            direction: Direction::Forward,
            limit: 10,
            read: Read::Committed,
            bound: None,
        };
        let range = KeyRange { from: Bound::Excluded(vec![0, 255, 32]), to: Bound::Included(vec![7]) };
        let all = [
            plain.clone(),
            Question { read: Read::Dirty, direction: Direction::Backward, ..plain.clone() },
            Question { read: Read::Stale { lag_max: 9 }, range, ..plain.clone() },
            Question { bound: Some((position, Duration::from_millis(1_500))), ..plain.clone() },
        ];
        for question in all {
            assert_eq!(apart(&question.path().unwrap()).unwrap(), question);
        }
        let long = KeyRange { from: Bound::Included(vec![0; 16_000]), to: Bound::Unbounded };
        assert!(Question { range: long, ..plain }.path().unwrap_err().to_string().contains("16000 bytes"));
    }

    #[test]
    fn questions_that_make_no_sense_are_refused_with_the_reason() {
        for (options, reason) in [
            ("limit=x", "`limit=x` is no number"),
            ("key=abc", "`abc` is not in hex"),
            ("key=zz", "`zz` is not in hex"),
            ("read=dirtyy", "`read=dirtyy`"),
            ("form=00", "`form` is no option"),
            ("at_least=x", "no position"),
        ] {
            let error = apart(&format!("/v1/stores/sums/0?{options}")).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn rows_come_back_and_an_answer_that_was_cut_off_is_none() {
        let row = |key: &[u8], value: &[u8], time| RowBytes {
            key: key.to_vec(),
            value: value.to_vec(),
            timestamp: Timestamp::from_millis(time),
        };
        for rows in [vec![], vec![row(b"a", b"\x00\xff", 5), row(b"", b"", -1)]] {
            let text = write_rows(&rows);
            let read = read_rows(&text).unwrap();
            assert_eq!(read.len(), rows.len());
            assert!(
                read.iter().zip(&rows).all(|(a, b)| (&a.key, &a.value, a.timestamp) == (&b.key, &b.value, b.timestamp))
            );
            for cut in 0..text.len() {
                assert!(read_rows(&text[..cut]).is_err(), "cut at {cut}");
            }
        }
    }
}
