//! A record that waits in a buffer: its value's bytes and where it came from, as Kafka Streams' buffers have them.
//!
//! The layout, numbers big-endian: time (8 bytes), offset (8), topic (4 bytes of length, then text), partition (4), number of
//! headers (4), for each its name and its value (4 bytes of length each, -1 for no value); then three values of which the
//! first two are absent (-1), the last one is the record's; then 8 bytes 0.

use bytes::Bytes;

use crate::processor::Address;
use crate::record::{Headers, Offset, Timestamp};
use crate::serde::{Serde, SerdeError};

/// A record without its key, as bytes.
pub(crate) struct HeldRecord {
    pub(crate) timestamp: Timestamp,
    /// `None`: a timer made it.
    pub(crate) address: Option<Address>,
    pub(crate) headers: Headers,
    pub(crate) value: Vec<u8>,
}

/// A length that says that nothing is there.
const ABSENT: i32 = -1;

/// Topic, partition and offset of a record that comes from no topic.
const NOWHERE: (&str, u32, u64) = ("", u32::MAX, u64::MAX);

pub(crate) struct HeldRecordSerde;

impl Serde<HeldRecord> for HeldRecordSerde {
    fn write(&self, record: &HeldRecord, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let (topic, partition, offset) = match &record.address {
            Some(Address { topic, partition, offset }) => (&**topic, *partition, offset.get()),
            None => NOWHERE,
        };
        out.extend_from_slice(&record.timestamp.as_millis().to_be_bytes());
        out.extend_from_slice(&offset.to_be_bytes());
        sized(topic.as_bytes(), out)?;
        out.extend_from_slice(&partition.to_be_bytes());
        out.extend_from_slice(&length(record.headers.len())?.to_be_bytes());
        for (name, value) in record.headers.iter() {
            sized(name.as_bytes(), out)?;
            match value {
                Some(value) => sized(value, out)?,
                None => out.extend_from_slice(&ABSENT.to_be_bytes()),
            }
        }
        // Neither a value before this one nor an old one: those are for tables.
        out.extend_from_slice(&ABSENT.to_be_bytes());
        out.extend_from_slice(&ABSENT.to_be_bytes());
        sized(&record.value, out)?;
        out.extend_from_slice(&[0; 8]);
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<HeldRecord, SerdeError> {
        let mut bytes = Reader(bytes);
        let timestamp = Timestamp::from_millis(i64::from_be_bytes(bytes.array()?));
        let offset = u64::from_be_bytes(bytes.array()?);
        let topic = text(bytes.sized()?)?;
        let partition = u32::from_be_bytes(bytes.array()?);
        let place = || Address { topic: topic.into(), partition, offset: Offset::new(offset) };
        let address = (topic != NOWHERE.0).then(place);
        let mut headers = Headers::NONE;
        for _ in 0..i32::from_be_bytes(bytes.array()?) {
            let name = text(bytes.sized()?)?;
            headers.add(name, bytes.sized()?.map(Bytes::copy_from_slice));
        }
        let (_prior, _old) = (bytes.sized()?, bytes.sized()?);
        let value = bytes.sized()?.ok_or_else(|| SerdeError::new("a held record has no value"))?.to_vec();
        Ok(HeldRecord { timestamp, address, headers, value })
    }

    fn name(&self) -> String {
        "held record".into()
    }
}

fn length(length: usize) -> Result<i32, SerdeError> {
    i32::try_from(length).map_err(|_| SerdeError::new("a part of a held record is longer than 2 GiB"))
}

fn sized(part: &[u8], out: &mut Vec<u8>) -> Result<(), SerdeError> {
    out.extend_from_slice(&length(part.len())?.to_be_bytes());
    out.extend_from_slice(part);
    Ok(())
}

fn text(part: Option<&[u8]>) -> Result<&str, SerdeError> {
    let part = part.and_then(|part| std::str::from_utf8(part).ok());
    part.ok_or_else(|| SerdeError::new("a held record has a name that is no text"))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], SerdeError> {
        let cut_off = || SerdeError::new("the bytes of a held record are cut off");
        let (head, tail) = self.0.split_at_checked(count).ok_or_else(cut_off)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SerdeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn sized(&mut self) -> Result<Option<&'a [u8]>, SerdeError> {
        let length = i32::from_be_bytes(self.array()?);
        usize::try_from(length).ok().map(|length| self.take(length)).transpose()
    }
}
