//! Text: UTF-8, without length or end mark; an identifier is its text.

use uuid::Uuid;

use super::{DefaultSerde, List, Serde, SerdeError};

/// The serde of `String`: UTF-8. Bytes that are none become U+FFFD, exactly where Kafka's `StringDeserializer` puts it;
/// [`StrictUtf8`] refuses them.
///
/// Keys of other bytes can so become the same text, and they are written back as that text.
#[derive(Clone, Copy, Debug)]
pub struct Utf8;

impl Serde<String> for Utf8 {
    fn write(&self, value: &String, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<String, SerdeError> {
        Ok(std::str::from_utf8(bytes).map_or_else(|_| replace_invalid(bytes), str::to_owned))
    }

    fn name(&self) -> String {
        "string".into()
    }
}

/// Text with U+FFFD in place of each run of bytes that could not go on to a character, as the JVM has it.
#[cold]
fn replace_invalid(bytes: &[u8]) -> String {
    let (mut text, mut rest) = (String::with_capacity(bytes.len()), bytes);
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return text;
            }
            Err(error) => error,
        };
        let (valid, invalid) = rest.split_at(error.valid_up_to());
        text.extend(std::str::from_utf8(valid));
        text.push(char::REPLACEMENT_CHARACTER);
        let length = match invalid {
            // Half of a surrogate pair: three bytes in the right form, so the JVM takes them as one character.
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => error.error_len().unwrap_or(invalid.len()),
        };
        rest = &invalid[length..];
    }
}

/// UTF-8 that refuses bytes that are none, in place of [`Utf8`]: for text that is an identifier, where nothing may be replaced.
///
/// ```
/// use tidemill_dsl::Topic;
/// use tidemill_dsl::serde::{SerdeRef, StrictUtf8};
///
/// let users = Topic::<String, i64>::new("users", SerdeRef::new(StrictUtf8), SerdeRef::of());
/// assert!(users.key_serde().read(&[0xff]).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StrictUtf8;

impl Serde<String> for StrictUtf8 {
    fn write(&self, value: &String, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        Utf8.write(value, out)
    }

    fn read(&self, bytes: &[u8]) -> Result<String, SerdeError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(SerdeError::new(format!(
                "`string` expects UTF-8, and byte `{}` of `{}` is none: was this written with another serde?",
                error.valid_up_to(),
                bytes.len(),
            ))
            .with_source(error)),
        }
    }

    fn name(&self) -> String {
        // The same bytes: a store may change from one to the other.
        "string".into()
    }
}

impl DefaultSerde for String {
    const SERDE: &'static dyn Serde<Self> = &Utf8;
    const LIST_SERDE: &'static dyn Serde<Vec<Self>> = &List::new(Utf8);
}

/// The serde of `Uuid`: the 36 characters of its text, in lower case, as Kafka's `UUIDSerializer` writes it.
///
/// ```
/// use tidemill_dsl::serde::{Serde, UuidText};
/// use uuid::Uuid;
///
/// let mut bytes = Vec::new();
/// UuidText.write(&Uuid::from_u128(7), &mut bytes)?;
/// assert_eq!(bytes, b"00000000-0000-0000-0000-000000000007");
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UuidText;

const UUID_LENGTH: usize = uuid::fmt::Hyphenated::LENGTH;

impl Serde<Uuid> for UuidText {
    fn write(&self, value: &Uuid, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(value.hyphenated().encode_lower(&mut [0; UUID_LENGTH]).as_bytes());
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<Uuid, SerdeError> {
        if bytes.len() != UUID_LENGTH {
            return Err(SerdeError::wrong_length("uuid", UUID_LENGTH, bytes.len()));
        }
        Uuid::try_parse_ascii(bytes).map_err(|error| {
            SerdeError::new("`uuid` expects text like `01234567-89ab-cdef-0123-456789abcdef`").with_source(error)
        })
    }

    fn fixed_size(&self) -> Option<usize> {
        Some(UUID_LENGTH)
    }

    fn name(&self) -> String {
        "uuid".into()
    }
}

impl DefaultSerde for Uuid {
    const SERDE: &'static dyn Serde<Self> = &UuidText;
    const LIST_SERDE: &'static dyn Serde<Vec<Self>> = &List::new(UuidText);
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use proptest::prelude::*;

    use super::super::testing::{check, hex, read, refuses, round_trip};
    use super::*;

    #[test]
    fn text_is_utf_8() {
        check("zażółć".to_owned(), "7a61c5bcc3b3c582c487");
        check(String::new(), "");
    }

    #[test]
    fn an_identifier_is_its_text() {
        let id = Uuid::from_u128(0x01234567_89ab_cdef_0123_456789abcdef);
        check(id, "30313233343536372d383961622d636465662d303132332d343536373839616263646566");
        assert_eq!(read::<Uuid>(&hex(b"01234567-89AB-CDEF-0123-456789ABCDEF")).unwrap(), id);
    }

    /// Bytes that are not UTF-8, and what `new String(bytes, UTF_8)` of Java 17 makes of them, `?` for U+FFFD.
    const OF_THE_JVM: [(&str, &str); 30] = [
        ("eda080", "?"),
        ("eda0", "?"),
        ("ed", "?"),
        ("eda0c2", "??"),
        ("eda041", "?A"),
        ("edbfbfed9fbf", "?퟿"),
        ("61eda080edb08062", "a??b"),
        ("f08080", "???"),
        ("f0808080", "????"),
        ("f4908080", "????"),
        ("f49080", "???"),
        ("e08080", "???"),
        ("e080", "??"),
        ("e282", "?"),
        ("f09f98", "?"),
        ("f09f9841", "?A"),
        ("c080", "??"),
        ("c1bf41", "??A"),
        ("ff41", "?A"),
        ("8081", "??"),
        ("fbbfbfbfbf", "?????"),
        ("fe", "?"),
        ("f8888080", "????"),
        ("e2e282ac", "?€"),
        ("f0f09f9880", "?😀"),
        ("c3", "?"),
        ("c341", "?A"),
        ("ede282", "??"),
        ("eda0eda0", "??"),
        ("f5808080", "????"),
    ];

    #[test]
    fn bytes_that_are_no_text_are_replaced_as_the_jvm_does() {
        for (bytes, text) in OF_THE_JVM {
            assert_eq!(read::<String>(bytes).unwrap().replace(char::REPLACEMENT_CHARACTER, "?"), text, "{bytes}");
        }
    }

    #[test]
    fn strict_text_is_the_same_text() {
        let mut bytes = Vec::new();
        StrictUtf8.write(&"zażółć".to_owned(), &mut bytes).unwrap();
        assert_eq!(StrictUtf8.read(&bytes).unwrap(), "zażółć");
        assert_eq!(read::<String>(&hex(&bytes)).unwrap(), "zażółć");
    }

    #[test]
    fn wrong_text_is_an_error_with_its_cause() {
        let error = StrictUtf8.read(b"a\xc5").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`string` expects UTF-8, and byte `1` of `2` is none: was this written with another serde?"
        );
        assert!(error.source().unwrap().is::<std::str::Utf8Error>());

        refuses::<Uuid>(&hex(&[7; 16]), "`uuid` expects 36 bytes, and 16 came: was this written with another serde?");
        let error = read::<Uuid>(&hex(b"01234567-89ab-cdef-0123-456789abcdeg")).unwrap_err();
        assert!(error.source().unwrap().is::<uuid::Error>());
    }

    proptest! {
        #[test]
        fn text_and_identifiers_come_back(text: String, id: u128) {
            round_trip(text)?;
            round_trip(Uuid::from_u128(id))?;
        }
    }
}
