//! A record that waits in a buffer: its value's bytes and where it came from, as Kafka Streams' buffers have them.
//!
//! The layout, numbers big-endian: time (8 bytes), offset (8), topic (4 bytes of length, then text), partition (4), number of
//! headers (4), for each its name and its value (4 bytes of length each, -1 for no value); then three values of which the
//! first two are absent (-1), the last one is the record's; then 8 bytes 0.

use bytes::Bytes;

use super::parts::{Parts, write_count, write_part};
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
        write_part(Some(topic.as_bytes()), out)?;
        out.extend_from_slice(&partition.to_be_bytes());
        write_count(record.headers.len(), out)?;
        for (name, value) in record.headers.iter() {
            write_part(Some(name.as_bytes()), out)?;
            write_part(value, out)?;
        }
        // Neither a value before this one nor an old one: those are for tables.
        write_part(None, out)?;
        write_part(None, out)?;
        write_part(Some(&record.value), out)?;
        out.extend_from_slice(&[0; 8]);
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<HeldRecord, SerdeError> {
        let nameless = || SerdeError::new("a held record has a topic or a header without a name");
        let mut bytes = Parts::of(bytes);
        let timestamp = Timestamp::from_millis(i64::from_be_bytes(bytes.array()?));
        let offset = u64::from_be_bytes(bytes.array()?);
        let topic = bytes.text()?.ok_or_else(nameless)?;
        let partition = u32::from_be_bytes(bytes.array()?);
        let place = || Address { topic: topic.into(), partition, offset: Offset::new(offset) };
        let address = (topic != NOWHERE.0).then(place);
        let mut headers = Headers::NONE;
        for _ in 0..bytes.count()? {
            let name = bytes.text()?.ok_or_else(nameless)?;
            headers.add(name, bytes.part()?.map(Bytes::copy_from_slice));
        }
        let (_prior, _old) = (bytes.part()?, bytes.part()?);
        let value = bytes.part()?.ok_or_else(|| SerdeError::new("a held record has no value"))?.to_vec();
        Ok(HeldRecord { timestamp, address, headers, value })
    }

    fn name(&self) -> String {
        "held record".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_that_the_layout_says() {
        let address = Address { topic: "in".into(), partition: 3, offset: Offset::new(7) };
        let mut headers = Headers::default().with("h", "v");
        headers.add("n", None);
        let record =
            HeldRecord { timestamp: Timestamp::from_millis(258), address: Some(address), headers, value: vec![9] };
        let mut bytes = Vec::new();
        HeldRecordSerde.write(&record, &mut bytes).unwrap();
        let absent = [255_u8; 4];
        let expected = [
            &[0, 0, 0, 0, 0, 0, 1, 2][..],
            &[0, 0, 0, 0, 0, 0, 0, 7],
            &[0, 0, 0, 2, b'i', b'n'],
            &[0, 0, 0, 3],
            &[0, 0, 0, 2],
            &[0, 0, 0, 1, b'h', 0, 0, 0, 1, b'v'],
            &[0, 0, 0, 1, b'n'],
            &absent,
            &absent,
            &absent,
            &[0, 0, 0, 1, 9],
            &[0; 8],
        ];
        assert_eq!(bytes, expected.concat());
        let read = HeldRecordSerde.read(&bytes).unwrap();
        assert_eq!((read.address, read.headers, read.value), (record.address, record.headers, record.value));
    }
}
