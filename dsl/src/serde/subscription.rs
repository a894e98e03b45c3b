//! What the two sides of a foreign-key join tell each other, in the bytes of Kafka Streams.
//!
//! ```text
//! subscription v1   version and mark (1) | instruction (1) | hash (16, unless marked) | key | partition (4)
//! response v0       version and mark (1) | hash (16, unless marked) | row, or nothing for none
//! ```
//!
//! Big-endian; the mark is the highest bit of the first byte and says that there is no hash, because the left row is gone.
//! Subscriptions of version 0 have no partition; they are read and never written. A row without bytes is none, as in Kafka
//! Streams: an empty text on the right side is read as a row that is not there.

use super::{Serde, SerdeError, SerdeRef};

/// What the right side is to do with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// Ends it: the left row points elsewhere now, and the answer comes from there.
    Leave,
    /// Ends it and answers without a row: the left row is gone or points nowhere.
    LeaveAndAnswer,
    /// Begins or renews it, and answers in any case.
    Answer,
    /// Begins or renews it, and answers if the row is there.
    AnswerIfFound,
}

impl Instruction {
    const ALL: [Instruction; 4] =
        [Instruction::Leave, Instruction::LeaveAndAnswer, Instruction::Answer, Instruction::AnswerIfFound];

    /// Whether the subscription ends.
    pub(crate) fn leaves(self) -> bool {
        matches!(self, Instruction::Leave | Instruction::LeaveAndAnswer)
    }
}

/// A left row that points to a key of the right table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) instruction: Instruction,
    /// The hash of the left row; `None` when it is gone.
    pub(crate) hash: Option<u128>,
    /// The left key's bytes.
    pub(crate) key: Vec<u8>,
    /// The partition of the left row, where the answer has to go; version 0 does not say.
    pub(crate) partition: Option<u32>,
}

/// An answer of the right side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response<V> {
    /// The hash of the left row that it is for; `None` when that was gone.
    pub(crate) hash: Option<u128>,
    /// The right row.
    pub(crate) row: Option<V>,
    /// The partition of the left row; not written.
    pub(crate) partition: Option<u32>,
}

/// The mark in the first byte: there is no hash.
const NO_HASH: u8 = 0x80;

fn write_head(version: u8, instruction: Option<u8>, hash: Option<u128>, out: &mut Vec<u8>) {
    out.push(version | if hash.is_none() { NO_HASH } else { 0 });
    out.extend(instruction);
    if let Some(hash) = hash {
        out.extend_from_slice(&hash.to_be_bytes());
    }
}

/// Takes the hash from the front of `bytes`, if the first byte says that there is one.
fn read_hash(first: u8, bytes: &mut &[u8]) -> Result<Option<u128>, SerdeError> {
    if first & NO_HASH != 0 {
        return Ok(None);
    }
    let (hash, rest) = bytes.split_first_chunk().ok_or_else(cut_off)?;
    *bytes = rest;
    Ok(Some(u128::from_be_bytes(*hash)))
}

fn cut_off() -> SerdeError {
    SerdeError::new("a message of a foreign-key join is cut off")
}

fn unknown_version(version: u8) -> SerdeError {
    SerdeError::new(format!("a message of a foreign-key join has the unknown version {version}"))
}

/// Writes subscriptions.
pub(crate) struct SubscriptionSerde;

impl Serde<Subscription> for SubscriptionSerde {
    fn write(&self, message: &Subscription, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let version = u8::from(message.partition.is_some());
        write_head(version, Some(message.instruction as u8), message.hash, out);
        out.extend_from_slice(&message.key);
        if let Some(partition) = message.partition {
            out.extend_from_slice(&partition.to_be_bytes());
        }
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<Subscription, SerdeError> {
        let [first, instruction, rest @ ..] = bytes else { return Err(cut_off()) };
        let known = Instruction::ALL.into_iter().find(|known| *known as u8 == *instruction);
        let instruction = known.ok_or_else(|| {
            SerdeError::new(format!("a foreign-key join does not know the instruction {instruction}"))
        })?;
        let mut rest = rest;
        let hash = read_hash(*first, &mut rest)?;
        let (key, partition) = match first & !NO_HASH {
            0 => (rest, None),
            1 => {
                let (key, partition) = rest.split_last_chunk().ok_or_else(cut_off)?;
                (key, Some(u32::from_be_bytes(*partition)))
            }
            version => return Err(unknown_version(version)),
        };
        Ok(Subscription { instruction, hash, key: key.to_vec(), partition })
    }

    fn name(&self) -> String {
        "subscription".into()
    }
}

/// Writes answers with rows that another serde writes.
pub(crate) struct ResponseSerde<V: 'static>(pub(crate) SerdeRef<V>);

impl<V: 'static> Serde<Response<V>> for ResponseSerde<V> {
    fn write(&self, message: &Response<V>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        write_head(0, None, message.hash, out);
        message.row.as_ref().map_or(Ok(()), |row| self.0.write(row, out))
    }

    fn read(&self, bytes: &[u8]) -> Result<Response<V>, SerdeError> {
        let [first, rest @ ..] = bytes else { return Err(cut_off()) };
        let version = first & !NO_HASH;
        if version != 0 {
            return Err(unknown_version(version));
        }
        let mut rest = rest;
        let hash = read_hash(*first, &mut rest)?;
        let row = if rest.is_empty() { None } else { Some(self.0.read(rest)?) };
        Ok(Response { hash, row, partition: None })
    }

    fn name(&self) -> String {
        format!("response<{}>", self.0.name())
    }
}

/// Writes the key of a subscription: the size of the right key (4 bytes, big-endian), the right key, the left key.
pub(crate) struct SubscriptionKey<K: 'static>(pub(crate) SerdeRef<K>);

impl<K: 'static> SubscriptionKey<K> {
    /// What the keys of all subscriptions to a right key begin with.
    pub(crate) fn prefix(&self, right: &K) -> Result<Vec<u8>, SerdeError> {
        // Room for right and left keys of the usual sizes, so that the key need not grow.
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&[0; 4]);
        self.0.write(right, &mut bytes)?;
        let size = u32::try_from(bytes.len() - 4).map_err(|_| SerdeError::new("a foreign key has 4 GB or more"))?;
        bytes[..4].copy_from_slice(&size.to_be_bytes());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_with, hex, unhex};
    use super::*;

    const APPLE: u128 = 0x482adb330ca479e9_84cb038747aa0ac8;

    fn subscription(instruction: Instruction, hash: Option<u128>, key: &str, partition: Option<u32>) -> Subscription {
        Subscription { instruction, hash, key: key.into(), partition }
    }

    fn responses() -> SerdeRef<Response<String>> {
        SerdeRef::new(ResponseSerde(SerdeRef::of()))
    }

    // What Kafka 4.3's own serializers wrote.
    #[test]
    fn subscriptions_have_the_bytes_of_kafka_streams() {
        let serde = SerdeRef::new(SubscriptionSerde);
        for (instruction, byte) in Instruction::ALL.into_iter().zip(["00", "01", "02", "03"]) {
            let with_hash = format!("01{byte}482adb330ca479e984cb038747aa0ac86b657900000007");
            check_with(&serde, subscription(instruction, Some(APPLE), "key", Some(7)), &with_hash);
            check_with(&serde, subscription(instruction, None, "", Some(258)), &format!("81{byte}00000102"));
        }
    }

    #[test]
    fn a_subscription_of_version_0_has_no_partition() {
        let bytes = "0003482adb330ca479e984cb038747aa0ac86b6579";
        let expected = subscription(Instruction::AnswerIfFound, Some(APPLE), "key", None);
        check_with(&SerdeRef::new(SubscriptionSerde), expected, bytes);
    }

    #[test]
    fn responses_have_the_bytes_of_kafka_streams() {
        let response = |hash, row: Option<&str>| Response { hash, row: row.map(str::to_owned), partition: None };
        check_with(&responses(), response(Some(APPLE), Some("row")), "00482adb330ca479e984cb038747aa0ac8726f77");
        check_with(&responses(), response(None, Some("row")), "80726f77");
        check_with(&responses(), response(Some(APPLE), None), "00482adb330ca479e984cb038747aa0ac8");
        check_with(&responses(), response(None, None), "80");
    }

    #[test]
    fn an_empty_row_reads_as_none_as_in_kafka_streams() {
        let mut bytes = Vec::new();
        responses().write(&Response { hash: None, row: Some(String::new()), partition: None }, &mut bytes).unwrap();
        assert_eq!(responses().read(&bytes).unwrap().row, None);
    }

    #[test]
    fn keys_of_subscriptions_have_the_bytes_of_kafka_streams() {
        let keys = SubscriptionKey(SerdeRef::<String>::of());
        let mut key = keys.prefix(&"apple".to_owned()).unwrap();
        assert_eq!(hex(&key), "000000056170706c65");
        SerdeRef::<i64>::of().write(&5, &mut key).unwrap();
        assert_eq!(hex(&key), "000000056170706c650000000000000005");
    }

    #[test]
    fn messages_that_are_cut_off_or_of_another_version_are_refused() {
        let subscription = |bytes| SubscriptionSerde.read(&unhex(bytes)).unwrap_err().to_string();
        assert_eq!(subscription("01"), "a message of a foreign-key join is cut off");
        assert_eq!(subscription("0100482adb"), "a message of a foreign-key join is cut off");
        assert_eq!(subscription("8100000001"), "a message of a foreign-key join is cut off");
        assert_eq!(subscription("8104"), "a foreign-key join does not know the instruction 4");
        assert_eq!(subscription("820000000007"), "a message of a foreign-key join has the unknown version 2");
        let response = |bytes| responses().read(&unhex(bytes)).unwrap_err().to_string();
        assert_eq!(response(""), "a message of a foreign-key join is cut off");
        assert_eq!(response("00482adb"), "a message of a foreign-key join is cut off");
        assert_eq!(response("81"), "a message of a foreign-key join has the unknown version 1");
    }
}
