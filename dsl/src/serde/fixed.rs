//! Numbers and booleans: big-endian, always of the same length, as Kafka's serializers write them.

use super::{DefaultSerde, List, Serde, SerdeError};

/// The serde of the numbers and of `bool`: big-endian, the type's own size.
///
/// Every NaN is written as the quiet NaN without sign and payload (`7fc00000`, `7ff8000000000000`): which bits arithmetic
/// gives a NaN differs from machine to machine, and equal records are to have equal bytes. Kafka's `DoubleSerializer` does
/// the same; its `FloatSerializer` keeps the bits.
///
/// ```
/// use tidemill_dsl::serde::{BigEndian, Serde};
///
/// let mut bytes = Vec::new();
/// BigEndian.write(&258_i32, &mut bytes)?;
/// assert_eq!(bytes, [0, 0, 1, 2]);
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BigEndian;

/// The bytes of exactly `N`, or an error that says what came instead.
fn sized<const N: usize>(name: &str, bytes: &[u8]) -> Result<[u8; N], SerdeError> {
    bytes.try_into().map_err(|_| SerdeError::wrong_length(name, N, bytes.len()))
}

macro_rules! big_endian {
    ($($type:ident => $to_bytes:expr),* $(,)?) => {$(
        impl Serde<$type> for BigEndian {
            fn write(&self, value: &$type, out: &mut Vec<u8>) -> Result<(), SerdeError> {
                let to_bytes: fn($type) -> [u8; size_of::<$type>()] = $to_bytes;
                out.extend_from_slice(&to_bytes(*value));
                Ok(())
            }

            fn read(&self, bytes: &[u8]) -> Result<$type, SerdeError> {
                sized(stringify!($type), bytes).map($type::from_be_bytes)
            }

            fn fixed_size(&self) -> Option<usize> {
                Some(size_of::<$type>())
            }

            fn name(&self) -> String {
                stringify!($type).into()
            }
        }
    )*};
}

/// A type whose lists have Kafka's list format.
macro_rules! listed {
    ($($type:ty),*) => {$(
        impl DefaultSerde for $type {
            const SERDE: &'static dyn Serde<Self> = &BigEndian;
            const LIST_SERDE: &'static dyn Serde<Vec<Self>> = &List::new(BigEndian);
        }
    )*};
}

big_endian!(
    u8 => u8::to_be_bytes,
    i16 => i16::to_be_bytes,
    i32 => i32::to_be_bytes,
    i64 => i64::to_be_bytes,
    u16 => u16::to_be_bytes,
    u32 => u32::to_be_bytes,
    u64 => u64::to_be_bytes,
    f32 => |value| if value.is_nan() { 0x7fc0_0000_u32.to_be_bytes() } else { value.to_be_bytes() },
    f64 => |value| if value.is_nan() { 0x7ff8_0000_0000_0000_u64.to_be_bytes() } else { value.to_be_bytes() },
);

listed!(bool, i16, i32, i64, u16, u32, u64, f32, f64);

impl DefaultSerde for u8 {
    const SERDE: &'static dyn Serde<Self> = &BigEndian;
    const LIST_SERDE: &'static dyn Serde<Vec<Self>> = &super::Raw;
}

// No `fixed_size`: Kafka's list format does not count booleans among the types of one size.
impl Serde<bool> for BigEndian {
    fn write(&self, value: &bool, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.push(u8::from(*value));
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<bool, SerdeError> {
        match sized::<1>("bool", bytes)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(SerdeError::new(format!(
                "`bool` expects a byte 0 or 1, and `{other}` came: was this written with another serde?"
            ))),
        }
    }

    fn name(&self) -> String {
        "bool".into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{bytes_of, check, refuses, round_trip};

    #[test]
    fn numbers_are_written_as_kafka_writes_them() {
        check(true, "01");
        check(false, "00");
        check(0xfe_u8, "fe");
        check(-2_i16, "fffe");
        check(258_i32, "00000102");
        check(-3_i64, "fffffffffffffffd");
        check(1_u16, "0001");
        check(u32::MAX - 1, "fffffffe");
        check(1_u64 << 63, "8000000000000000");
        check(1.5_f32, "3fc00000");
        check(-2.5_f64, "c004000000000000");
        check(f64::NEG_INFINITY, "fff0000000000000");
    }

    #[test]
    fn every_nan_has_the_same_bytes() {
        assert_eq!(bytes_of(&f32::from_bits(0xffc0_0001)), "7fc00000");
        assert_eq!(bytes_of(&f64::from_bits(0xfff8_0000_0000_0001)), "7ff8000000000000");
    }

    #[test]
    fn a_wrong_length_says_what_was_expected_and_what_came() {
        let lost = "was this written with another serde?";
        refuses::<i64>("00000001", &format!("`i64` expects 8 bytes, and 4 came: {lost}"));
        refuses::<i64>("", &format!("`i64` expects 8 bytes, and 0 came: {lost}"));
        refuses::<u8>("0102", &format!("`u8` expects 1 byte, and 2 came: {lost}"));
        refuses::<f32>("010203", &format!("`f32` expects 4 bytes, and 3 came: {lost}"));
        refuses::<bool>("02", &format!("`bool` expects a byte 0 or 1, and `2` came: {lost}"));
    }

    proptest! {
        #[test]
        fn numbers_come_back(a: i16, b: i32, c: i64, d: u16, e: u32, f: u64, g: u8, h: bool) {
            round_trip(a)?;
            round_trip(b)?;
            round_trip(c)?;
            round_trip(d)?;
            round_trip(e)?;
            round_trip(f)?;
            round_trip(g)?;
            round_trip(h)?;
        }

        #[test]
        fn floats_come_back(a in any::<f32>(), b in any::<f64>()) {
            round_trip(a)?;
            round_trip(b)?;
        }
    }
}
