//! Bytes that stay as they are, and the type that has none.

use bytes::Bytes;

use super::{DefaultSerde, List, Serde, SerdeError};

/// The serde of `Vec<u8>` and `Bytes`: the bytes as they are, Kafka's `ByteArray` and `Bytes`.
#[derive(Clone, Copy, Debug)]
pub struct Raw;

impl Serde<Vec<u8>> for Raw {
    fn write(&self, value: &Vec<u8>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<Vec<u8>, SerdeError> {
        Ok(bytes.to_vec())
    }

    fn name(&self) -> String {
        "bytes".into()
    }
}

impl Serde<Bytes> for Raw {
    fn write(&self, value: &Bytes, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<Bytes, SerdeError> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn name(&self) -> String {
        "bytes".into()
    }
}

impl DefaultSerde for Bytes {
    const SERDE: &'static dyn Serde<Self> = &Raw;
    const LIST_SERDE: &'static dyn Serde<Vec<Self>> = &List::new(Raw);
}

/// The serde of `()`: always null, Kafka's `Void`. Bytes are an error.
#[derive(Clone, Copy, Debug)]
pub struct Void;

impl Serde<()> for Void {
    fn write(&self, _value: &(), _out: &mut Vec<u8>) -> Result<(), SerdeError> {
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<(), SerdeError> {
        Err(SerdeError::new(format!(
            "`void` expects a null, and {} bytes came: declare the type that was written, or `Vec<u8>`",
            bytes.len()
        )))
    }

    fn is_null(&self, _value: &()) -> bool {
        true
    }

    fn null(&self) -> Result<(), SerdeError> {
        Ok(())
    }

    fn name(&self) -> String {
        "void".into()
    }
}

impl DefaultSerde for () {
    const SERDE: &'static dyn Serde<Self> = &Void;
    const LIST_SERDE: &'static dyn Serde<Vec<Self>> = &List::new(Void);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::SerdeRef;
    use super::super::testing::{check, check_null, refuses, round_trip};
    use super::*;

    #[test]
    fn bytes_stay_as_they_are() {
        check(vec![0_u8, 1, 255], "0001ff");
        check(Bytes::from_static(&[9, 8]), "0908");
        check(Vec::<u8>::new(), "");
        assert_eq!(SerdeRef::<Vec<u8>>::of().name(), "bytes");
    }

    #[test]
    fn void_is_a_null_and_nothing_else() {
        check_null(());
        refuses::<()>("", "`void` expects a null, and 0 bytes came: declare the type that was written, or `Vec<u8>`");
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes: Vec<u8>) {
            round_trip(Bytes::from(bytes.clone()))?;
            round_trip(bytes)?;
        }
    }
}
