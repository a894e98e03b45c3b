//! A change that waits, and its bytes in Kafka Streams' format.
//!
//! ```text
//! context | prior | old | new | buffer time (8)
//!
//! context   time (8) | offset (8) | topic | partition (4) | number of headers (4) | (name | value)*
//! prior     the row before the first change that waits
//! old       the row before the last one; the length -2 stands for the same bytes as prior
//! new       the row after the last one
//! ```
//! Texts and values begin with a length in 4 bytes, -1 for none; numbers are big-endian. Records of the changelog say by a
//! header `v` of the byte 3 that they are in this format.

use bytes::Bytes;

use crate::processor::Address;
use crate::record::{Headers, Offset, Timestamp};
use crate::serde::{Serde, SerdeError, SerdeRef};

/// Says in place of a length: as the value before.
const SAME: i32 = -2;
/// Says in place of a length that there is nothing.
const NONE: i32 = -1;

/// A row whose changes wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buffered<V> {
    /// Until when it waits counts from this time.
    pub(crate) time: Timestamp,
    /// The row before the first change that waits: what those below know.
    pub(crate) prior: Option<V>,
    /// The row before the last change.
    pub(crate) old: Option<V>,
    /// The row after the last change.
    pub(crate) new: Option<V>,
    /// The time of the last change.
    pub(crate) timestamp: Timestamp,
    /// The headers of the record that made it.
    pub(crate) headers: Headers,
    /// Where that record lies.
    pub(crate) address: Option<Address>,
}

/// The serde of what waits.
pub(super) struct BufferedSerde<V: 'static>(pub(super) SerdeRef<V>);

impl<V: Send + 'static> Serde<Buffered<V>> for BufferedSerde<V> {
    fn write(&self, row: &Buffered<V>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        write_context(row, out);
        let prior = self.write_value(row.prior.as_ref(), out)?;
        let at = out.len();
        let old = self.write_value(row.old.as_ref(), out)?;
        if row.old.is_some() && out[prior.clone()] == out[old] {
            out.truncate(at);
            out.extend_from_slice(&SAME.to_be_bytes());
        }
        self.write_value(row.new.as_ref(), out)?;
        out.extend_from_slice(&row.time.as_millis().to_be_bytes());
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<Buffered<V>, SerdeError> {
        let mut bytes = Bytewise(bytes);
        let timestamp = Timestamp::from_millis(bytes.long()?);
        let offset = bytes.long()?;
        let topic = bytes.text()?;
        let partition = bytes.int()?;
        let mut headers = Headers::NONE;
        for _ in 0..bytes.int()? {
            let name = bytes.text()?;
            headers.add(name, bytes.value()?.map(Bytes::copy_from_slice));
        }
        // A change that no record made, but a timer, has no address.
        let address = u64::try_from(offset).ok().zip(u32::try_from(partition).ok());
        let address =
            address.map(|(offset, partition)| Address { topic: topic.into(), partition, offset: Offset::new(offset) });
        let prior = bytes.value()?;
        let old = match bytes.length()? {
            SAME => prior,
            length => bytes.sized(length)?,
        };
        let new = bytes.value()?;
        let time = Timestamp::from_millis(bytes.long()?);
        let value = |bytes: Option<&[u8]>| bytes.map(|bytes| self.0.read(bytes)).transpose();
        Ok(Buffered { time, prior: value(prior)?, old: value(old)?, new: value(new)?, timestamp, headers, address })
    }

    fn name(&self) -> String {
        format!("buffered {}", self.0.name())
    }
}

impl<V: 'static> BufferedSerde<V> {
    /// Writes a value with its length, and says where the two lie.
    fn write_value(&self, value: Option<&V>, out: &mut Vec<u8>) -> Result<std::ops::Range<usize>, SerdeError> {
        let start = out.len();
        out.extend_from_slice(&NONE.to_be_bytes());
        if let Some(value) = value {
            self.0.write(value, out)?;
            let length = length(out.len() - start - 4)?;
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(start..out.len())
    }

    /// How much room a row takes, as Kafka Streams counts it.
    pub(super) fn size(&self, key: &[u8], row: &Buffered<V>) -> Result<u64, SerdeError> {
        let mut bytes = Vec::new();
        let prior = self.write_value(row.prior.as_ref(), &mut bytes)?;
        let old = self.write_value(row.old.as_ref(), &mut bytes)?;
        let new = self.write_value(row.new.as_ref(), &mut bytes)?;
        let old = if bytes[prior.clone()] == bytes[old.clone()] { 0 } else { old.len() - 4 };
        let headers = row.headers.iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum::<usize>();
        let context = 8 + 8 + row.address.as_ref().map_or(0, |address| address.topic.len()) + 4 + headers;
        Ok((8 + key.len() + prior.len() - 4 + old + new.len() - 4 + context) as u64)
    }
}

fn write_context<V>(row: &Buffered<V>, out: &mut Vec<u8>) {
    let (topic, partition, offset) = match &row.address {
        Some(Address { topic, partition, offset }) => (&**topic, partition.cast_signed(), offset.get().cast_signed()),
        None => ("", -1, -1),
    };
    out.extend_from_slice(&row.timestamp.as_millis().to_be_bytes());
    out.extend_from_slice(&offset.to_be_bytes());
    write_bytes(Some(topic.as_bytes()), out);
    out.extend_from_slice(&partition.to_be_bytes());
    let headers = i32::try_from(row.headers.len()).expect("a record has fewer than 2^31 headers");
    out.extend_from_slice(&headers.to_be_bytes());
    for (name, value) in row.headers.iter() {
        write_bytes(Some(name.as_bytes()), out);
        write_bytes(value, out);
    }
}

fn write_bytes(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    let length = bytes.map_or(NONE, |bytes| length(bytes.len()).expect("names and headers are shorter than 2 GiB"));
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes.unwrap_or_default());
}

fn length(bytes: usize) -> Result<i32, SerdeError> {
    i32::try_from(bytes)
        .map_err(|_| SerdeError::new(format!("a value of {bytes} bytes is too long to wait in a buffer")))
}

/// Bytes that are read one part after another.
struct Bytewise<'a>(&'a [u8]);

impl<'a> Bytewise<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], SerdeError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn long(&mut self) -> Result<i64, SerdeError> {
        self.take().map(i64::from_be_bytes)
    }

    fn int(&mut self) -> Result<i32, SerdeError> {
        self.take().map(i32::from_be_bytes)
    }

    fn length(&mut self) -> Result<i32, SerdeError> {
        self.int()
    }

    fn value(&mut self) -> Result<Option<&'a [u8]>, SerdeError> {
        let length = self.length()?;
        self.sized(length)
    }

    /// As many bytes as a length says.
    fn sized(&mut self, length: i32) -> Result<Option<&'a [u8]>, SerdeError> {
        if length == NONE {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| cut_off())?;
        let (value, rest) = self.0.split_at_checked(length).ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(Some(value))
    }

    fn text(&mut self) -> Result<&'a str, SerdeError> {
        let bytes = self.value()?.ok_or_else(cut_off)?;
        std::str::from_utf8(bytes).map_err(|error| SerdeError::new("a name is no UTF-8").with_source(error))
    }
}

fn cut_off() -> SerdeError {
    SerdeError::new("the bytes of a change that waits are in no format known here, or cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(prior: Option<i64>, old: Option<i64>, new: Option<i64>) -> Buffered<i64> {
        let headers = Headers::NONE.with("h", vec![7]);
        let address = Address { topic: "in".into(), partition: 1, offset: Offset::new(3) };
        let (time, timestamp) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        Buffered { time, prior, old, new, timestamp, headers, address: Some(address) }
    }

    fn written(row: &Buffered<i64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        BufferedSerde(SerdeRef::of()).write(row, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let bytes = written(&row(Some(1), Some(1), None));
        let mut expected = Vec::new();
        expected.extend_from_slice(&9_i64.to_be_bytes());
        expected.extend_from_slice(&3_i64.to_be_bytes());
        expected.extend_from_slice(&[0, 0, 0, 2, b'i', b'n', 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, b'h', 0, 0, 0, 1, 7]);
        expected.extend_from_slice(&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
        expected.extend_from_slice(&[255, 255, 255, 254]);
        expected.extend_from_slice(&[255, 255, 255, 255]);
        expected.extend_from_slice(&5_i64.to_be_bytes());
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_is_written_is_read() {
        for row in [
            row(None, None, Some(1)),
            row(Some(1), Some(1), Some(2)),
            row(Some(1), Some(2), None),
            row(None, Some(2), None),
            Buffered { address: None, headers: Headers::NONE, ..row(None, None, None) },
        ] {
            assert_eq!(BufferedSerde(SerdeRef::of()).read(&written(&row)).unwrap(), row);
        }
        let cut = &written(&row(None, None, Some(1)))[..20];
        assert!(BufferedSerde::<i64>(SerdeRef::of()).read(cut).is_err());
    }

    #[test]
    fn the_size_is_kafkas() {
        // 8 for the time, the key, the values, and 8 + 8 + topic + 4 + headers for the context.
        let size = |row| BufferedSerde(SerdeRef::of()).size(b"key", &row).unwrap();
        assert_eq!(size(row(None, None, Some(1))), 8 + 3 + 8 + 22 + 2);
        assert_eq!(size(row(Some(1), Some(1), Some(2))), 8 + 3 + 16 + 22 + 2);
        assert_eq!(size(row(Some(1), Some(2), Some(2))), 8 + 3 + 24 + 22 + 2);
    }
}
