//! What a regrouped table sends to the task of a group: a value that came, that went, or both in one step.
//!
//! Rule: the bytes are those of Kafka Streams since 3.5 (KIP-904), with the flag at the end:
//!
//! ```text
//! removed    old | 0
//! added      new | 1
//! replaced   varint(length of new) | new | old | 2
//! ```
//!
//! Flags 3, 4 and 5 are the same with one more byte before the flag, which says whether the change is the latest of its key.
//! They are read and never written, as in Kafka Streams.

use super::{Serde, SerdeError, SerdeRef, varint};

/// A change of one value in a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Changed<V> {
    /// The value is gone from the group.
    Removed(V),
    /// The value is new in the group.
    Added(V),
    /// One value has become another.
    Replaced {
        /// The value that is gone.
        old: V,
        /// The value in its place.
        new: V,
    },
}

impl<V> Changed<V> {
    /// The value that is gone.
    pub(crate) fn gone(&self) -> Option<&V> {
        match self {
            Changed::Removed(old) | Changed::Replaced { old, .. } => Some(old),
            Changed::Added(_) => None,
        }
    }

    /// The value that came.
    pub(crate) fn came(&self) -> Option<&V> {
        match self {
            Changed::Added(new) | Changed::Replaced { new, .. } => Some(new),
            Changed::Removed(_) => None,
        }
    }
}

/// Writes changes of values whose own bytes another serde writes.
pub(crate) struct ChangedSerde<V: 'static>(pub(crate) SerdeRef<V>);

impl<V: 'static> Serde<Changed<V>> for ChangedSerde<V> {
    fn write(&self, change: &Changed<V>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let flag = match change {
            Changed::Removed(old) => {
                self.0.write(old, out)?;
                0
            }
            Changed::Added(new) => {
                self.0.write(new, out)?;
                1
            }
            Changed::Replaced { old, new } => {
                let mut bytes = Vec::new();
                self.0.write(new, &mut bytes)?;
                let length = i32::try_from(bytes.len()).map_err(|_| SerdeError::new("a value has 2 GB or more"))?;
                varint::write(length, out);
                out.extend_from_slice(&bytes);
                self.0.write(old, out)?;
                2
            }
        };
        out.push(flag);
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<Changed<V>, SerdeError> {
        let (flag, bytes) = bytes.split_last().ok_or_else(|| SerdeError::new("a change of a group has no bytes"))?;
        let (kind, bytes) = match (flag, bytes) {
            (0..=2, bytes) => (*flag, bytes),
            (3..=5, [bytes @ .., 0 | 1]) => (flag - 3, bytes),
            _ => return Err(SerdeError::new(format!("a change of a group ends in the unknown flag {flag}"))),
        };
        match kind {
            0 => self.0.read(bytes).map(Changed::Removed),
            1 => self.0.read(bytes).map(Changed::Added),
            _ => {
                let mut rest = bytes;
                let length = usize::try_from(varint::read(&mut rest)?).ok();
                let (new, old) = length
                    .and_then(|length| rest.split_at_checked(length))
                    .ok_or_else(|| SerdeError::new("a change of a group is shorter than its new value"))?;
                Ok(Changed::Replaced { old: self.0.read(old)?, new: self.0.read(new)? })
            }
        }
    }

    fn name(&self) -> String {
        format!("changed<{}>", self.0.name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_with, unhex};
    use super::*;

    fn texts() -> SerdeRef<Changed<String>> {
        SerdeRef::new(ChangedSerde(SerdeRef::of()))
    }

    fn added(new: &str) -> Changed<String> {
        Changed::Added(new.into())
    }

    fn replaced(new: &str, old: &str) -> Changed<String> {
        Changed::Replaced { old: old.into(), new: new.into() }
    }

    // What Kafka 4.3's own ChangedSerializer wrote.
    #[test]
    fn bytes_are_those_of_kafka_streams() {
        check_with(&texts(), added("new"), "6e657701");
        check_with(&texts(), Changed::Removed("old".into()), "6f6c6400");
        check_with(&texts(), replaced("new", "old"), "066e65776f6c6402");
        check_with(&texts(), added(""), "01");
        check_with(&texts(), Changed::Removed(String::new()), "00");
        check_with(&texts(), replaced("", ""), "0002");
        check_with(&texts(), replaced(&"x".repeat(64), "o"), &format!("8001{}6f02", "78".repeat(64)));
        check_with(&texts(), replaced(&"x".repeat(70), ""), &format!("8c01{}02", "78".repeat(70)));
        check_with(&texts(), replaced(&"x".repeat(8192), "y"), &format!("808001{}7902", "78".repeat(8192)));
    }

    #[test]
    fn changes_that_say_whether_they_are_the_latest_are_read_too() {
        let read = |bytes| texts().read(&unhex(bytes)).unwrap();
        assert_eq!(read("6f6c640103"), Changed::Removed("old".into()));
        assert_eq!(read("6e65770004"), added("new"));
        assert_eq!(read("066e65776f6c640105"), replaced("new", "old"));
    }

    #[test]
    fn bytes_that_are_no_change_are_refused() {
        let refused = |bytes| texts().read(&unhex(bytes)).unwrap_err().to_string();
        assert_eq!(refused(""), "a change of a group has no bytes");
        assert_eq!(refused("6106"), "a change of a group ends in the unknown flag 6");
        assert_eq!(refused("610203"), "a change of a group ends in the unknown flag 3");
        assert_eq!(refused("086e657702"), "a change of a group is shorter than its new value");
        assert_eq!(refused("016e657702"), "a change of a group is shorter than its new value");
    }
}
