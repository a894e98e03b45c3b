//! What the tests of serdes share: bytes are given as hexadecimal text.

use std::fmt::{Debug, Write as _};

use proptest::prelude::TestCaseError;
use proptest::prop_assert_eq;

use super::{DefaultSerde, SerdeError, SerdeRef};

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text takes everything");
        text
    })
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter(|c| !c.is_whitespace()).map(digit).collect();
    assert!(digits.len().is_multiple_of(2), "`{text}` has half a byte");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn digit(c: char) -> u8 {
    c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).expect("a hexadecimal digit")
}

pub(super) fn bytes_of<T: DefaultSerde>(value: &T) -> String {
    let mut out = Vec::new();
    SerdeRef::<T>::of().write(value, &mut out).expect("the value has bytes");
    hex(&out)
}

pub(super) fn read<T: DefaultSerde>(bytes: &str) -> Result<T, SerdeError> {
    SerdeRef::of().read(&unhex(bytes))
}

/// `value` is written as `bytes`, behind what the buffer holds, and `bytes` read as `value`.
#[track_caller]
pub(super) fn check<T: DefaultSerde + Debug + PartialEq>(value: T, bytes: &str) {
    check_with(&SerdeRef::of(), value, bytes);
}

/// `check` with a serde of its own.
#[track_caller]
pub(super) fn check_with<T: Debug + PartialEq>(serde: &SerdeRef<T>, value: T, bytes: &str) {
    let mut out = vec![0xaa];
    assert!(serde.write_nullable(&value, &mut out).expect("the value has bytes"), "`{value:?}` is no null");
    assert_eq!(hex(&out), format!("aa{}", hex(&unhex(bytes))));
    assert_eq!(serde.read_nullable(Some(&out[1..])).expect("the bytes are a value"), value);
}

/// `value` is written as null, and null reads as `value`.
#[track_caller]
pub(super) fn check_null<T: DefaultSerde + Debug + PartialEq>(value: T) {
    let mut out = Vec::new();
    assert!(!SerdeRef::of().write_nullable(&value, &mut out).expect("a null is no error"), "`{value:?}` is a null");
    assert_eq!(out, b"");
    assert_eq!(SerdeRef::<T>::of().read_nullable(None).expect("a null is a value"), value);
}

/// `bytes` are refused with this message.
#[track_caller]
pub(super) fn refuses<T: DefaultSerde + Debug>(bytes: &str, message: &str) {
    assert_eq!(read::<T>(bytes).expect_err("the bytes are no value").to_string(), message);
}

/// A null is refused, with the message that says what to do.
#[track_caller]
pub(super) fn refuses_null<T: DefaultSerde + Debug>() {
    let error = SerdeRef::<T>::of().read_nullable(None).expect_err("a null is no value");
    assert_eq!(error.to_string(), SerdeError::unexpected_null().to_string());
}

pub(super) fn round_trip<T: DefaultSerde + Debug + PartialEq>(value: T) -> Result<(), TestCaseError> {
    round_trip_with(&SerdeRef::of(), value)
}

pub(super) fn round_trip_with<T: Debug + PartialEq>(serde: &SerdeRef<T>, value: T) -> Result<(), TestCaseError> {
    let mut out = Vec::new();
    let present = serde.write_nullable(&value, &mut out).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let back = serde.read_nullable(present.then_some(&out));
    prop_assert_eq!(back.map_err(|error| TestCaseError::fail(error.to_string()))?, value);
    Ok(())
}
