//! Records as bytes: what logs store and tasks read.
//!
//! ```text
//! record v1   timestamp i64 | key_len i32 | value_len i32 | headers_len u32 | key | value | headers
//! headers     (name_len u16 | name | value_len i32 | value)*
//! ```
//! Little-endian. A length of -1 means absent: no key, or a tombstone. The records of a batch have consecutive
//! offsets, so a batch of `n` records needs none stored: record `i` has the batch's base offset + `i`. Where records were
//! removed from between others, as from a compacted topic, the batch knows how far each one stands from its base.

use std::fmt;
use std::sync::Arc;

use super::{Headers, Offset, Timestamp};

const FIXED: usize = 8 + 4 + 4 + 4;
const ABSENT: i32 = -1;
/// Length of a value that a new batch has room for.
const SHORT: usize = 32;

/// Records of one partition, consecutive unless some were removed. Immutable; share it in an `Arc`.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    base: Offset,
    end: Offset,
    count: u32,
    /// How far each record's offset is from the base; `None`: as far as there are records before it.
    distances: Option<Box<[u32]>>,
    bytes: Box<[u8]>,
}

impl Batch {
    /// A batch from stored bytes, which are checked record by record.
    pub fn decode(base: Offset, count: u32, bytes: Box<[u8]>) -> Result<Batch, BatchError> {
        check_records(count, &bytes)?;
        Ok(Batch { base, end: base.plus(count.into()), count, distances: None, bytes })
    }

    /// A batch that spans the offsets `base..end` and has records at these distances from `base` only; checked as well.
    pub fn decode_sparse(
        base: Offset,
        end: Offset,
        distances: Box<[u32]>,
        bytes: Box<[u8]>,
    ) -> Result<Batch, BatchError> {
        let count = u32::try_from(distances.len()).map_err(|_| BatchError("a batch has 2^32 records or more"))?;
        check_records(count, &bytes)?;
        let rising = distances.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = end >= base && distances.last().is_none_or(|last| base.plus((*last).into()) < end);
        if !rising || !inside {
            return Err(BatchError("the offsets of a batch do not rise, or leave its span"));
        }
        Ok(Batch { base, end, count, distances: Some(distances), bytes })
    }

    /// The offset of the first record.
    pub fn base(&self) -> Offset {
        self.base
    }

    /// The offset after the last record, and after those removed behind it.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// How far each record's offset is from the base, where that is not the number of records before it.
    pub fn distances(&self) -> Option<&[u32]> {
        self.distances.as_deref()
    }

    /// The offset of a record by its number in the batch; the end for the number behind the last one.
    #[inline]
    fn offset_of(&self, index: u32) -> Offset {
        match &self.distances {
            None => self.base.plus(index.into()),
            Some(distances) => {
                distances.get(index as usize).map_or(self.end, |distance| self.base.plus((*distance).into()))
            }
        }
    }

    /// How many records the batch has; never 0 in a log.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The records' bytes, in the format that the module's documentation gives.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same records from another offset on.
    #[must_use]
    pub fn rebased(self, base: Offset) -> Batch {
        let end = base.plus(self.end.get() - self.base.get());
        Batch { base, end, ..self }
    }

    /// The records in order.
    pub fn records(self: &Arc<Self>) -> Records {
        Records { batch: self.clone(), index: 0, here: Parts::at(&self.bytes, 0) }
    }

    /// The record at byte `at` and the byte at which the next one begins; `None` behind the last one.
    fn record_at(&self, at: usize) -> Option<(StoredRecord<'_>, usize)> {
        let rest = &self.bytes[at..];
        if rest.is_empty() {
            return None;
        }
        let (record, after) = StoredRecord::split(rest).expect("a batch is checked when it is made");
        Some((record, self.bytes.len() - after.len()))
    }

    /// Visits every record with its offset.
    pub fn for_each<E>(&self, mut visit: impl FnMut(Offset, StoredRecord<'_>) -> Result<(), E>) -> Result<(), E> {
        let (mut at, mut index) = (0, 0);
        while let Some((record, next)) = self.record_at(at) {
            visit(self.offset_of(index), record)?;
            (at, index) = (next, index + 1);
        }
        Ok(())
    }
}

/// Whether these are the bytes of so many records.
fn check_records(count: u32, bytes: &[u8]) -> Result<(), BatchError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(BatchError("a batch has 4 GiB or more"));
    }
    let (mut rest, mut left) = (bytes, count);
    while left > 0 {
        let (_, after) = StoredRecord::split(rest)?;
        (rest, left) = (after, left - 1);
    }
    if rest.is_empty() { Ok(()) } else { Err(BatchError("bytes follow the last record")) }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({}..{}, {} bytes)", self.base, self.end(), self.bytes.len())
    }
}

/// A reader's place in a batch. Owns a share of the batch, so it can be kept.
#[derive(Clone, Debug)]
pub struct Records {
    batch: Arc<Batch>,
    index: u32,
    /// The record at this place, taken apart once.
    here: Option<Parts>,
}

/// Where the parts of a record lie in its batch.
#[derive(Clone, Copy, Debug)]
struct Parts {
    timestamp: Timestamp,
    key: Part,
    value: Part,
    headers: Part,
}

/// A run of bytes that may be absent.
#[derive(Clone, Copy, Debug)]
struct Part {
    at: u32,
    /// Negative: absent.
    length: i32,
}

impl Part {
    #[inline]
    fn end(self) -> u32 {
        // An absent part takes no room.
        self.at + self.length.max(0).cast_unsigned()
    }

    #[inline]
    fn bytes(self, all: &[u8]) -> Option<&[u8]> {
        (self.length >= 0).then(|| &all[self.at as usize..self.end() as usize])
    }
}

impl Parts {
    /// The parts of the record at byte `at` of a batch that was checked.
    #[inline]
    fn at(bytes: &[u8], at: u32) -> Option<Parts> {
        let fixed = bytes.get(at as usize..)?.first_chunk::<FIXED>()?;
        let (time, lengths) = fixed.split_first_chunk::<8>()?;
        let (key, lengths) = lengths.split_first_chunk::<4>()?;
        let (value, headers) = lengths.split_first_chunk::<4>()?;
        let key = Part { at: at + FIXED as u32, length: i32::from_le_bytes(*key) };
        let value = Part { at: key.end(), length: i32::from_le_bytes(*value) };
        let headers = Part { at: value.end(), length: i32::from_le_bytes(*headers.first_chunk()?) };
        Some(Parts { timestamp: Timestamp::from_millis(i64::from_le_bytes(*time)), key, value, headers })
    }
}

impl Records {
    /// The offset of the record that `peek` shows.
    #[inline]
    pub fn offset(&self) -> Offset {
        self.batch.offset_of(self.index)
    }

    /// The record at this place; `None` behind the last one.
    #[inline]
    pub fn peek(&self) -> Option<StoredRecord<'_>> {
        let (parts, all) = (self.here.as_ref()?, &*self.batch.bytes);
        let headers = parts.headers.bytes(all).unwrap_or_default();
        Some(StoredRecord {
            timestamp: parts.timestamp,
            key: parts.key.bytes(all),
            value: parts.value.bytes(all),
            headers,
        })
    }

    /// Goes on to the next record.
    #[inline]
    pub fn advance(&mut self) {
        if let Some(headers) = self.here.as_ref().map(|parts| parts.headers) {
            self.index += 1;
            self.here = Parts::at(&self.batch.bytes, headers.end());
        }
    }

    /// Goes on to the record at `offset`, if it lies further on in this batch.
    pub fn skip_to(&mut self, offset: Offset) {
        while self.offset() < offset && self.here.is_some() {
            self.advance();
        }
    }

    /// How many records are left, the one that `peek` shows included.
    pub fn remaining(&self) -> u64 {
        u64::from(self.batch.count - self.index)
    }
}

/// One record as it is stored: bytes, lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRecord<'a> {
    /// The record's time, possibly negative when a foreign program wrote it.
    pub timestamp: Timestamp,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
}

impl<'a> StoredRecord<'a> {
    fn split(bytes: &'a [u8]) -> Result<(StoredRecord<'a>, &'a [u8]), BatchError> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>().ok_or(BatchError("a record is cut off"))?;
        let word = |at: usize| i32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let timestamp = i64::from_le_bytes(*fixed.first_chunk::<8>().expect("the fixed part has 20 bytes"));
        let (key, rest) = take(rest, word(8))?;
        let (value, rest) = take(rest, word(12))?;
        let (headers, rest) = take(rest, word(16))?;
        let headers = headers.ok_or(BatchError("a record's headers have a negative length"))?;
        Ok((StoredRecord { timestamp: Timestamp::from_millis(timestamp), key, value, headers }, rest))
    }

    /// The headers; an error when their bytes are wrong.
    #[inline]
    pub fn headers(&self) -> Result<Headers, BatchError> {
        if self.headers.is_empty() { Ok(Headers::NONE) } else { self.read_headers() }
    }

    fn read_headers(&self) -> Result<Headers, BatchError> {
        let (mut headers, mut rest) = (Headers::default(), self.headers);
        while let Some((length, tail)) = rest.split_first_chunk::<2>() {
            let (name, tail) = take(tail, i32::from(u16::from_le_bytes(*length)))?;
            let name = std::str::from_utf8(name.unwrap_or_default())
                .map_err(|_| BatchError("a header's name is not UTF-8"))?;
            let (length, tail) = tail.split_first_chunk::<4>().ok_or(BatchError("a header is cut off"))?;
            let (value, tail) = take(tail, i32::from_le_bytes(*length))?;
            headers.add(name, value.map(bytes::Bytes::copy_from_slice));
            rest = tail;
        }
        if rest.is_empty() { Ok(headers) } else { Err(BatchError("a header is cut off")) }
    }

    /// Whether the record has headers.
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }
}

fn take(bytes: &[u8], length: i32) -> Result<(Option<&[u8]>, &[u8]), BatchError> {
    if length == ABSENT {
        return Ok((None, bytes));
    }
    let length = usize::try_from(length).map_err(|_| BatchError("a length is negative"))?;
    let (head, tail) = bytes.split_at_checked(length).ok_or(BatchError("a record is cut off"))?;
    Ok((Some(head), tail))
}

/// How much a builder had at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchLength {
    bytes: usize,
    count: u32,
}

impl BatchLength {
    #[inline]
    pub(crate) fn is_zero(self) -> bool {
        self.count == 0
    }
}

/// Collects records into a batch, writing values straight into its buffer.
#[derive(Debug, Default, Clone)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
}

impl BatchBuilder {
    /// Whether no record was added since the start or the last `finish`.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many records were added since the start or the last `finish`.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The size of what was added, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How much was added since the start or the last `finish`, for `truncate`.
    #[inline]
    pub(crate) fn length(&self) -> BatchLength {
        BatchLength { bytes: self.bytes.len(), count: self.count }
    }

    /// Takes away what was added since the builder had this length.
    pub(crate) fn truncate(&mut self, length: BatchLength) {
        self.bytes.truncate(length.bytes);
        self.count = length.count;
    }

    /// Adds a record.
    pub fn push(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &Headers) {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(value.unwrap_or_default());
            Ok::<_, std::convert::Infallible>(value.is_some())
        };
        match self.push_with(timestamp, key, headers, write) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    /// Adds a record whose value `write` appends to the buffer it is given; `write` says whether there is a value.
    ///
    /// When `write` fails, the batch is as it was before.
    pub fn push_with<E>(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        headers: &Headers,
        write: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        let mut fixed = [0; FIXED];
        fixed[..8].copy_from_slice(&timestamp.as_millis().to_le_bytes());
        fixed[8..12].copy_from_slice(&length(key).to_le_bytes());
        // Room for a short value too, so that a batch of one record does not move on the way.
        self.bytes.reserve(FIXED + key.map_or(0, <[u8]>::len) + SHORT);
        self.bytes.extend_from_slice(&fixed);
        self.bytes.extend_from_slice(key.unwrap_or_default());
        let value_at = self.bytes.len();
        let present = match write(&mut self.bytes) {
            Ok(present) => present,
            Err(error) => {
                self.bytes.truncate(start);
                return Err(error);
            }
        };
        let value_len = if present { as_length(self.bytes.len() - value_at) } else { ABSENT };
        if !present {
            self.bytes.truncate(value_at);
        }
        let headers_at = self.bytes.len();
        if !headers.is_empty() {
            write_headers(headers, &mut self.bytes);
        }
        let headers_len = as_length(self.bytes.len() - headers_at);
        let lengths = &mut self.bytes[start + 12..start + FIXED];
        lengths[..4].copy_from_slice(&value_len.to_le_bytes());
        lengths[4..].copy_from_slice(&headers_len.to_le_bytes());
        self.count += 1;
        Ok(())
    }

    /// Adds a stored record as it is.
    pub fn push_stored(&mut self, record: &StoredRecord<'_>) {
        self.bytes.extend_from_slice(&record.timestamp.as_millis().to_le_bytes());
        self.bytes.extend_from_slice(&length(record.key).to_le_bytes());
        self.bytes.extend_from_slice(&length(record.value).to_le_bytes());
        self.bytes.extend_from_slice(&as_length(record.headers.len()).to_le_bytes());
        self.bytes.extend_from_slice(record.key.unwrap_or_default());
        self.bytes.extend_from_slice(record.value.unwrap_or_default());
        self.bytes.extend_from_slice(record.headers);
        self.count += 1;
    }

    /// Adds all records of a batch.
    pub fn extend(&mut self, batch: &Batch) {
        self.bytes.extend_from_slice(&batch.bytes);
        self.count += batch.count;
    }

    /// The records added since the last `finish`, beginning at offset `base`.
    pub fn finish(&mut self, base: Offset) -> Batch {
        assert!(u32::try_from(self.bytes.len()).is_ok(), "a batch is shorter than 4 GiB: places in it have 32 bits");
        let (end, bytes) = (base.plus(self.count.into()), self.bytes.as_slice().into());
        let batch = Batch { base, end, count: self.count, distances: None, bytes };
        self.clear();
        batch
    }

    /// The records added since the last `finish`, as those that are left of the offsets `base..end`: each stands at its
    /// distance from `base`.
    ///
    /// # Panics
    ///
    /// Unless there is a distance for each record, they rise, and the last one is inside.
    pub fn finish_sparse(&mut self, base: Offset, end: Offset, distances: &[u32]) -> Batch {
        let batch = Batch::decode_sparse(base, end, distances.into(), self.bytes.as_slice().into());
        self.clear();
        batch.expect("the offsets are those of the records that were added")
    }

    /// Forgets what was added, and keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

fn length(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(ABSENT, |b| as_length(b.len()))
}

fn as_length(length: usize) -> i32 {
    i32::try_from(length).expect("keys, values and headers are shorter than 2 GiB")
}

fn write_headers(headers: &Headers, out: &mut Vec<u8>) {
    for (name, value) in headers.iter() {
        let name_len = u16::try_from(name.len()).expect("header names are shorter than 64 KiB");
        out.extend_from_slice(&name_len.to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&length(value).to_le_bytes());
        out.extend_from_slice(value.unwrap_or_default());
    }
}

/// Stored bytes are not a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchError(&'static str);

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BatchError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_added() {
        let mut builder = BatchBuilder::default();
        let headers = Headers::default().with("h", "1");
        builder.push(Timestamp::from_millis(5), Some(b"k"), Some(b"value"), &headers);
        builder.push(Timestamp::from_millis(-1), None, None, &Headers::NONE);
        let failed = builder.push_with(Timestamp::ZERO, None, &Headers::NONE, |out| {
            out.push(1);
            Err("no")
        });
        assert_eq!(failed, Err("no"));
        let batch = Arc::new(builder.finish(Offset::new(7)));
        assert_eq!((batch.base(), batch.end(), batch.count()), (Offset::new(7), Offset::new(9), 2));

        let mut records = batch.records();
        let first = records.peek().unwrap();
        assert_eq!((first.timestamp.as_millis(), first.key, first.value), (5, Some(&b"k"[..]), Some(&b"value"[..])));
        assert_eq!(first.headers().unwrap(), headers);
        records.advance();
        assert_eq!(records.offset(), Offset::new(8));
        let second = records.peek().unwrap();
        assert_eq!((second.timestamp.as_millis(), second.key, second.value), (-1, None, None));
        records.advance();
        assert!(records.peek().is_none());
    }

    #[test]
    fn what_is_left_of_a_batch_keeps_its_offsets() {
        let mut builder = BatchBuilder::default();
        for value in [b"b", b"d"] {
            builder.push(Timestamp::ZERO, None, Some(value), &Headers::NONE);
        }
        let batch = Arc::new(builder.finish_sparse(Offset::new(10), Offset::new(15), &[1, 3]));
        assert_eq!((batch.base(), batch.end(), batch.count()), (Offset::new(10), Offset::new(15), 2));
        let mut seen = Vec::new();
        let visit = |offset: Offset, record: StoredRecord<'_>| {
            seen.push((offset.get(), record.value.unwrap_or_default().to_vec()));
            Ok::<_, BatchError>(())
        };
        batch.for_each(visit).unwrap();
        assert_eq!(seen, [(11, b"b".to_vec()), (13, b"d".to_vec())]);

        let mut records = batch.records();
        records.skip_to(Offset::new(12));
        assert_eq!((records.offset(), records.remaining()), (Offset::new(13), 1));
        records.advance();
        assert_eq!((records.offset(), records.peek()), (Offset::new(15), None));
        assert_eq!((*batch).clone().rebased(Offset::ZERO).end(), Offset::new(5));
    }

    #[test]
    fn offsets_outside_of_the_span_or_out_of_order_are_an_error() {
        let mut builder = BatchBuilder::default();
        builder.push(Timestamp::ZERO, None, None, &Headers::NONE);
        builder.push(Timestamp::ZERO, None, None, &Headers::NONE);
        let bytes = builder.finish(Offset::ZERO).bytes().to_vec();
        for distances in [&[1, 1][..], &[2, 1], &[0, 5], &[0]] {
            let made = Batch::decode_sparse(Offset::ZERO, Offset::new(5), distances.into(), bytes.as_slice().into());
            assert!(made.is_err(), "{distances:?}");
        }
    }

    #[test]
    fn wrong_bytes_are_an_error_and_never_a_panic() {
        let mut builder = BatchBuilder::default();
        builder.push(Timestamp::ZERO, Some(b"key"), Some(b"value"), &Headers::default().with("h", "1"));
        let good = builder.finish(Offset::ZERO).bytes().to_vec();
        for cut in 0..good.len() {
            assert!(Batch::decode(Offset::ZERO, 1, good[..cut].into()).is_err(), "cut at {cut}");
        }
        assert!(Batch::decode(Offset::ZERO, 2, good.clone().into()).is_err());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            if let Ok(batch) = Batch::decode(Offset::ZERO, 1, bad.into()) {
                let _ = batch.for_each(|_, record| record.headers().map(|_| ()));
            }
        }
    }
}
