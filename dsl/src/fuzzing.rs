//! Decoders that are nobody's interface, for the fuzz targets and for nothing else (feature `fuzzing`).
//!
//! Rule: each takes any bytes and returns. A panic is a finding; so is a value that is read, written, and then read as another one.

use crate::serde::{ChangedSerde, ResponseSerde, Serde, SerdeRef, SubscriptionSerde};

pub use crate::operator::fuzzing::{held_calls, held_records};
pub use crate::state::fuzzing::{buffered, rows, versions};

/// Messages of joins by a foreign key, both ways.
pub fn foreign_keys(bytes: &[u8]) {
    round_trip(&SubscriptionSerde, bytes);
    round_trip(&ResponseSerde(SerdeRef::<String>::of()), bytes);
    round_trip(&ResponseSerde(SerdeRef::<i64>::of()), bytes);
}

/// Changes of groups.
pub fn group_changes(bytes: &[u8]) {
    round_trip(&ChangedSerde(SerdeRef::<Vec<u8>>::of()), bytes);
    round_trip(&ChangedSerde(SerdeRef::<i64>::of()), bytes);
}

/// Reads bytes; what is read has to come back as it was from the bytes that it is written as.
pub fn round_trip<T: 'static>(serde: &dyn Serde<T>, bytes: &[u8]) {
    let Ok(value) = serde.read(bytes) else { return };
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    match serde.write_nullable(&value, &mut once) {
        Ok(true) => {}
        Ok(false) | Err(_) => return,
    }
    let again = serde.read(&once).unwrap_or_else(|error| panic!("what was written cannot be read: {error}"));
    serde.write(&again, &mut twice).unwrap_or_else(|error| panic!("what was read cannot be written: {error}"));
    assert_eq!(once, twice, "a value is another one after it was written and read");
}
