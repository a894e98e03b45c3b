//! How the bytes of keys and values are shown, and how bytes travel in JSON.
//!
//! Rule: what does not have the form that was asked for is shown as hexadecimal digits, and never fails a command.

use std::fmt::Write;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::time;
use tidemill::record::Timestamp;

/// What bytes mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text where it can be shown, else hexadecimal digits.
    Auto,
    Utf8,
    Json,
    I32,
    I64,
    F64,
    Hex,
    /// A window's key as it travels: key, start.
    Window(Box<Format>),
    /// A window's key in a changelog: key, start, number.
    WindowStore(Box<Format>),
    /// A session's key: key, end, start.
    Session(Box<Format>),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, inner) = text.split_once(':').map_or((text, None), |(name, inner)| (name, Some(inner)));
        let of = |inner: Option<&str>| inner.map_or(Ok(Format::Auto), str::parse).map(Box::new);
        match (name, inner) {
            ("auto", None) => Ok(Format::Auto),
            ("utf8", None) => Ok(Format::Utf8),
            ("json", None) => Ok(Format::Json),
            ("i32", None) => Ok(Format::I32),
            ("i64", None) => Ok(Format::I64),
            ("f64", None) => Ok(Format::F64),
            ("hex", None) => Ok(Format::Hex),
            ("window", inner) => Ok(Format::Window(of(inner)?)),
            ("window-store", inner) => Ok(Format::WindowStore(of(inner)?)),
            ("session", inner) => Ok(Format::Session(of(inner)?)),
            _ => Err(format!(
                "`{text}` is no format: use auto, utf8, json, i32, i64, f64, hex, or for keys window:FORMAT, \
                 window-store:FORMAT, session:FORMAT"
            )),
        }
    }
}

impl Format {
    /// The bytes as they are to be read.
    pub(crate) fn show(&self, bytes: &[u8]) -> String {
        self.decoded(bytes).unwrap_or_else(|| format!("0x{}", hex(bytes)))
    }

    /// `None` for bytes of another form.
    fn decoded(&self, bytes: &[u8]) -> Option<String> {
        let time = |bytes: &[u8]| Some(time::show(Timestamp::from_millis(i64::from_be_bytes(bytes.try_into().ok()?))));
        match self {
            Format::Auto => {
                let text = std::str::from_utf8(bytes).ok()?;
                (!text.chars().any(|c| c.is_control() && c != '\t')).then(|| text.to_owned())
            }
            Format::Utf8 => std::str::from_utf8(bytes).ok().map(|text| text.escape_debug().to_string()),
            Format::Json => serde_json::from_slice::<Value>(bytes).ok().map(|value| value.to_string()),
            Format::I32 => bytes.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).to_string()),
            Format::I64 => bytes.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).to_string()),
            Format::F64 => bytes.try_into().ok().map(|bytes| f64::from_be_bytes(bytes).to_string()),
            Format::Hex => None,
            Format::Window(key) => {
                let (inner, start) = split_last(bytes, 8)?;
                Some(format!("{}@{}", key.show(inner), time(start)?))
            }
            Format::WindowStore(key) => {
                let (inner, rest) = split_last(bytes, 12)?;
                let number = u32::from_be_bytes(rest[8..].try_into().ok()?);
                let number = if number == 0 { String::new() } else { format!("#{number}") };
                Some(format!("{}@{}{number}", key.show(inner), time(&rest[..8])?))
            }
            Format::Session(key) => {
                let (inner, rest) = split_last(bytes, 16)?;
                Some(format!("{}@{}..{}", key.show(inner), time(&rest[8..])?, time(&rest[..8])?))
            }
        }
    }
}

fn split_last(bytes: &[u8], count: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(count)?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// Bytes in JSON, without loss: null for none, a string for text, `{"hex":".."}` for anything else.
pub(crate) fn to_json(bytes: Option<&[u8]>) -> Value {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => Value::Null,
        Some((_, Ok(text))) => text.into(),
        Some((bytes, Err(_))) => json!({ "hex": hex(bytes) }),
    }
}

/// What [`to_json`] wrote; the error says what is wrong.
pub(crate) fn from_json(value: &Value) -> Result<Option<Vec<u8>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone().into_bytes())),
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("hex") => {
            let digits = fields["hex"].as_str().unwrap_or("?");
            unhex(digits).map(Some).ok_or_else(|| format!("`{digits}` are no hexadecimal digits, two for each byte"))
        }
        other => Err(format!("`{other}` is no null, no string and no {{\"hex\":\"..\"}}")),
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back_from_json() {
        for bytes in [&b""[..], b"text", &[0, 1, 2], &[0xff, 0xfe], "größe\n\"\u{0}".as_bytes(), &[0xc3]] {
            let line = to_json(Some(bytes)).to_string();
            assert_eq!(from_json(&serde_json::from_str(&line).unwrap()), Ok(Some(bytes.to_vec())), "{line}");
        }
        assert_eq!(from_json(&to_json(None)), Ok(None));
    }

    #[test]
    fn what_is_no_bytes_is_refused() {
        for text in ["7", "[]", "{}", r#"{"hex":"a"}"#, r#"{"hex":"zz"}"#, r#"{"hex":"00","more":1}"#, r#"{"hex":"ü"}"#]
        {
            assert!(from_json(&serde_json::from_str(text).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_are_shown_as_what_they_are() {
        let check = |format: &str, bytes: &[u8], shown: &str| {
            assert_eq!(format.parse::<Format>().unwrap().show(bytes), shown, "{format}");
        };
        check("auto", b"alice", "alice");
        check("auto", &[0, 0, 0, 7], "0x00000007");
        check("utf8", b"a\nb", "a\\nb");
        check("json", br#"{ "a" : 1 }"#, r#"{"a":1}"#);
        check("json", b"{", "0x7b");
        check("i64", &7_i64.to_be_bytes(), "7");
        check("i64", b"short", "0x73686f7274");
        check("i32", &(-2_i32).to_be_bytes(), "-2");
        check("f64", &1.5_f64.to_be_bytes(), "1.5");
        check("hex", b"a", "0x61");
        let minute = 60_000_i64.to_be_bytes();
        check("window:utf8", &[b"a", &minute[..]].concat(), "a@1970-01-01T00:01:00.000Z");
        check("window-store", &[b"a", &minute[..], &[0, 0, 0, 0]].concat(), "a@1970-01-01T00:01:00.000Z");
        check("window-store", &[b"a", &minute[..], &[0, 0, 0, 2]].concat(), "a@1970-01-01T00:01:00.000Z#2");
        let session = [b"a", &minute[..], &0_i64.to_be_bytes()[..]].concat();
        check("session:utf8", &session, "a@1970-01-01T00:00:00.000Z..1970-01-01T00:01:00.000Z");
        assert!("i64:utf8".parse::<Format>().is_err());
    }
}
