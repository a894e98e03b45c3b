//! How the bytes of a row are laid out below a store.

use bytes::Bytes;

use super::{StoreError, StoreErrorKind};
use crate::record::{Headers, Timestamp};
use crate::serde::{SerdeError, SerdeRef};

/// How the bytes of a row are laid out below a store. The changelog has the bare value in all of them, with the row's time
/// and headers as the record's.
///
/// ```text
/// Plain                   value
/// Timestamped             time i64, big-endian | value
/// WithHeaders             size | headers | value
/// TimestampedWithHeaders  size | headers | time i64, big-endian | value
///
/// size      of the headers in bytes; 0 when there are none
/// headers   number | (name's size | name | value's size, -1 for none | value)*
///           All these numbers are zigzag varints: 7 bits a byte, the lowest first, the highest bit of a byte says that
///           more follow.
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowFormat {
    /// The value.
    Plain,
    /// The row's time, then the value: Kafka's timestamped stores.
    Timestamped,
    /// The headers of the record that wrote the row, then the value: Kafka's session stores with headers (KIP-1271).
    WithHeaders,
    /// Headers, time, value: Kafka's timestamped stores with headers (KIP-1271).
    TimestampedWithHeaders,
}

impl RowFormat {
    /// Whether rows have a time.
    pub fn has_time(self) -> bool {
        matches!(self, RowFormat::Timestamped | RowFormat::TimestampedWithHeaders)
    }

    /// Whether rows have headers.
    pub fn has_headers(self) -> bool {
        matches!(self, RowFormat::WithHeaders | RowFormat::TimestampedWithHeaders)
    }

    /// The same with headers.
    #[must_use]
    pub fn with_headers(self) -> Self {
        if self.has_time() { RowFormat::TimestampedWithHeaders } else { RowFormat::WithHeaders }
    }

    /// Appends the bytes of a row.
    pub(super) fn write<V: 'static>(
        self,
        values: &SerdeRef<V>,
        value: &V,
        (time, headers): (Timestamp, &Headers),
        out: &mut Vec<u8>,
    ) -> Result<(), SerdeError> {
        if self.has_headers() {
            write_headers(headers, out);
        }
        if self.has_time() {
            out.extend_from_slice(&time.as_millis().to_be_bytes());
        }
        values.write(value, out)
    }

    /// Appends the bytes of a row without headers, from those of its value.
    pub(super) fn join(self, time: Timestamp, value: &[u8], out: &mut Vec<u8>) {
        if self.has_headers() {
            write_headers(&Headers::NONE, out);
        }
        if self.has_time() {
            out.extend_from_slice(&time.as_millis().to_be_bytes());
        }
        out.extend_from_slice(value);
    }

    /// Time and value of a row as it lies below a store.
    pub(super) fn split(self, bytes: &[u8]) -> Result<(Timestamp, &[u8]), StoreError> {
        let (_, rest) = self.split_headers(bytes)?;
        if !self.has_time() {
            return Ok((Timestamp::ZERO, rest));
        }
        let (time, value) = rest.split_first_chunk::<8>().ok_or_else(|| too_short(bytes, "time"))?;
        Ok((Timestamp::from_millis(i64::from_be_bytes(*time)), value))
    }

    /// The headers of a row as it lies below a store.
    pub(super) fn headers(self, bytes: &[u8]) -> Result<Headers, StoreError> {
        let (headers, _) = self.split_headers(bytes)?;
        if headers.is_empty() {
            Ok(Headers::NONE)
        } else {
            read_headers(headers).ok_or_else(|| too_short(bytes, "headers"))
        }
    }

    fn split_headers(self, bytes: &[u8]) -> Result<(&[u8], &[u8]), StoreError> {
        if !self.has_headers() {
            return Ok((&[], bytes));
        }
        let mut rest = bytes;
        let headers = read_varint(&mut rest).and_then(|size| take(&mut rest, size));
        headers.map(|headers| (headers, rest)).ok_or_else(|| too_short(bytes, "headers"))
    }
}

fn too_short(bytes: &[u8], part: &str) -> StoreError {
    let message = format!("a row of {} bytes is too short for its {part}", bytes.len());
    StoreError::new(StoreErrorKind::Corrupt, message)
}

fn write_headers(headers: &Headers, out: &mut Vec<u8>) {
    if headers.is_empty() {
        return write_varint(Some(0), out);
    }
    let mut bytes = Vec::new();
    write_varint(Some(headers.len()), &mut bytes);
    for (name, value) in headers.iter() {
        for part in [Some(name.as_bytes()), value] {
            write_varint(part.map(<[u8]>::len), &mut bytes);
            bytes.extend_from_slice(part.unwrap_or_default());
        }
    }
    write_varint(Some(bytes.len()), out);
    out.extend_from_slice(&bytes);
}

fn read_headers(mut bytes: &[u8]) -> Option<Headers> {
    let mut headers = Headers::NONE;
    for _ in 0..read_varint(&mut bytes)?? {
        let name = read_varint(&mut bytes)??;
        let name = std::str::from_utf8(take(&mut bytes, Some(name))?).ok()?;
        let value = match read_varint(&mut bytes)? {
            Some(length) => Some(Bytes::copy_from_slice(take(&mut bytes, Some(length))?)),
            None => None,
        };
        headers.add(name, value);
    }
    bytes.is_empty().then_some(headers)
}

/// A length; `None` stands as -1.
fn write_varint(length: Option<usize>, out: &mut Vec<u8>) {
    // Zigzag: 2n for a number that is not negative, and 1 for -1.
    let mut rest = length.map_or(1, |length| (length as u64) << 1);
    while rest >= 0x80 {
        out.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A length, or a -1; `None` when there is neither.
fn read_varint(bytes: &mut &[u8]) -> Option<Option<usize>> {
    let mut number = 0_u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return match number {
                1 => Some(None),
                odd if odd % 2 == 1 => None,
                even => Some(Some(usize::try_from(even >> 1).ok()?)),
            };
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], count: Option<usize>) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(count?)?;
    *bytes = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(format: RowFormat, headers: &Headers) -> Vec<u8> {
        let mut out = Vec::new();
        format.write(&SerdeRef::<i64>::of(), &7, (Timestamp::from_millis(258), headers), &mut out).unwrap();
        out
    }

    #[test]
    fn rows_are_kafkas_to_the_byte() {
        let headers = Headers::default().with("a", "bc");
        let value = [0, 0, 0, 0, 0, 0, 0, 7];
        let time = [0, 0, 0, 0, 0, 0, 1, 2];
        assert_eq!(written(RowFormat::Plain, &headers), value);
        assert_eq!(written(RowFormat::Timestamped, &headers), [time, value].concat());
        // Lengths are doubled by the zigzag: 12 for 6 bytes of headers, 2 for one header, 2 and 4 for its parts.
        let sized = [&[12, 2, 2, b'a', 4, b'b', b'c'][..], &value].concat();
        assert_eq!(written(RowFormat::WithHeaders, &headers), sized);
        let sized = [&[12, 2, 2, b'a', 4, b'b', b'c'][..], &time, &value].concat();
        assert_eq!(written(RowFormat::TimestampedWithHeaders, &headers), sized);
        let mut absent = Headers::default();
        absent.add("n", None);
        let sized = [&[8, 2, 2, b'n', 1][..], &time, &value].concat();
        assert_eq!(written(RowFormat::TimestampedWithHeaders, &absent), sized);
        assert_eq!(written(RowFormat::TimestampedWithHeaders, &Headers::NONE), [&[0][..], &time, &value].concat());
    }

    fn any_headers() -> impl Strategy<Value = Headers> {
        let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..200));
        prop::collection::vec((".{0,80}", value), 0..4).prop_map(|list| {
            let mut headers = Headers::default();
            list.into_iter().for_each(|(name, value)| headers.add(&name, value.map(Bytes::from)));
            headers
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(headers in any_headers(), has_time: bool, has_headers: bool) {
            let format = if has_time { RowFormat::Timestamped } else { RowFormat::Plain };
            let format = if has_headers { format.with_headers() } else { format };
            let bytes = written(format, &headers);
            let (time, value) = format.split(&bytes).unwrap();
            prop_assert_eq!(time.as_millis(), if has_time { 258 } else { 0 });
            prop_assert_eq!(value, 7_i64.to_be_bytes());
            prop_assert_eq!(format.headers(&bytes).unwrap(), if has_headers { headers } else { Headers::NONE });
            for cut in 0..bytes.len() - 8 {
                prop_assert!(format.split(&bytes[..cut]).is_err() || !has_time, "cut at {}", cut);
            }
        }

        #[test]
        fn bytes_of_any_kind_are_a_row_or_an_error(bytes in prop::collection::vec(0..20_u8, 0..40)) {
            let format = RowFormat::WithHeaders;
            if let (Ok(headers), Ok((_, value))) = (format.headers(&bytes), format.split(&bytes)) {
                let mut again = Vec::new();
                write_headers(&headers, &mut again);
                again.extend_from_slice(value);
                prop_assert_eq!(format.headers(&again).unwrap(), headers);
                prop_assert_eq!(format.split(&again).unwrap().1, value);
            }
        }
    }
}
