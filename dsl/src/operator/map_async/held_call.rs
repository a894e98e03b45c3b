//! A record that waits for a call, as it is stored.
//!
//! The layout, numbers big-endian: time (8 bytes), then size (4 bytes, -1 for nothing) and bytes of the key, of the value, and of
//! the topic it came from; partition (4) and offset (8) there; number of headers (4), for each size and bytes of its name and of its
//! value.

use bytes::Bytes;

use crate::operator::parts::{Parts, write_count, write_part};
use crate::processor::Address;
use crate::record::{Headers, Offset, Timestamp};
use crate::serde::{Serde, SerdeError};

/// A record that waits for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldCall {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) timestamp: Timestamp,
    pub(super) headers: Headers,
    /// `None`: a timer made it.
    pub(super) address: Option<Address>,
}

pub(crate) struct HeldCallSerde;

impl Serde<HeldCall> for HeldCallSerde {
    fn write(&self, held: &HeldCall, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(&held.timestamp.as_millis().to_be_bytes());
        write_part(held.key.as_deref(), out)?;
        write_part(held.value.as_deref(), out)?;
        write_part(held.address.as_ref().map(|address| address.topic.as_bytes()), out)?;
        let place = held.address.as_ref().map_or((0, 0), |address| (address.partition, address.offset.get()));
        out.extend_from_slice(&place.0.to_be_bytes());
        out.extend_from_slice(&place.1.to_be_bytes());
        write_count(held.headers.len(), out)?;
        for (name, value) in held.headers.iter() {
            write_part(Some(name.as_bytes()), out)?;
            write_part(value, out)?;
        }
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<HeldCall, SerdeError> {
        let mut bytes = Parts::of(bytes);
        let timestamp = Timestamp::from_millis(i64::from_be_bytes(bytes.array()?));
        let (key, value) = (bytes.part()?.map(<[u8]>::to_vec), bytes.part()?.map(<[u8]>::to_vec));
        let topic = bytes.text()?;
        let (partition, offset) = (u32::from_be_bytes(bytes.array()?), u64::from_be_bytes(bytes.array()?));
        let address = topic.map(|topic| Address { topic: topic.into(), partition, offset: Offset::new(offset) });
        let mut headers = Headers::NONE;
        for _ in 0..bytes.count()? {
            let name = bytes.text()?.unwrap_or_default();
            headers.add(name, bytes.part()?.map(Bytes::copy_from_slice));
        }
        Ok(HeldCall { key, value, timestamp, headers, address })
    }

    fn name(&self) -> String {
        "held call".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_off_is_an_error() {
        let address = Address { topic: "in".into(), partition: 3, offset: Offset::new(9) };
        let headers = Headers::NONE.with("h", vec![7]);
        let full = HeldCall {
            key: Some(b"k".to_vec()),
            value: Some(Vec::new()),
            timestamp: 5.into(),
            headers,
            address: Some(address),
        };
        let empty = HeldCall { key: None, value: None, headers: Headers::NONE, address: None, ..full.clone() };
        for held in [full, empty] {
            let mut bytes = Vec::new();
            HeldCallSerde.write(&held, &mut bytes).unwrap();
            assert_eq!(HeldCallSerde.read(&bytes).unwrap(), held);
            (0..bytes.len()).for_each(|cut| assert!(HeldCallSerde.read(&bytes[..cut]).is_err(), "cut at {cut}"));
        }
    }
}
