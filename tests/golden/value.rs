//! A value of a file as the bytes on the wire, and back: what is compared is bytes, what is printed is text.

use serde_json::Value;

use crate::base64;
use crate::vector::TopicTypes;

/// How a key or value lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// UTF-8.
    Text,
    /// 8 bytes, big-endian.
    Long,
    /// IEEE 754, 8 bytes, big-endian.
    Double,
    /// Compact JSON, names of objects sorted.
    Json,
    /// A text and the window that it lies in.
    InWindow(Kind),
}

/// How a window follows its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By its start; the end follows from the size.
    Time(i64),
    /// By its end and start.
    Session,
}

impl Wire {
    /// The type of a topic's keys.
    pub(crate) fn of_key(types: &TopicTypes) -> Result<Wire, String> {
        match &types.window {
            None => Wire::named(&types.key),
            Some(_) if types.key != "windowed<string>" => Err(format!("keys `{}` are not known here", types.key)),
            Some(window) if window == "session" => Ok(Wire::InWindow(Kind::Session)),
            Some(window) => {
                let size = window.strip_prefix("time:").and_then(|size| size.parse().ok());
                size.map(|size| Wire::InWindow(Kind::Time(size))).ok_or_else(|| format!("`{window}` is no window"))
            }
        }
    }

    /// The type of a topic's values.
    pub(crate) fn of_value(types: &TopicTypes) -> Result<Wire, String> {
        Wire::named(&types.value)
    }

    fn named(name: &str) -> Result<Wire, String> {
        match name {
            "string" => Ok(Wire::Text),
            "long" => Ok(Wire::Long),
            "double" => Ok(Wire::Double),
            "json" => Ok(Wire::Json),
            _ => Err(format!("type `{name}` is not known here: add it to `value.rs`")),
        }
    }

    /// The bytes of a value; none for null, and those of `rawBase64` as they are.
    pub(crate) fn encode(self, value: &Value) -> Result<Option<Vec<u8>>, String> {
        if value.is_null() {
            return Ok(None);
        }
        if let Some(raw) = value.get("rawBase64").and_then(Value::as_str) {
            return base64::decode(raw).map(Some);
        }
        let bytes = match self {
            Wire::Text => value.as_str().map(|text| text.as_bytes().to_vec()),
            Wire::Long => value.as_i64().map(|number| number.to_be_bytes().to_vec()),
            Wire::Double => value.as_f64().map(|number| number.to_be_bytes().to_vec()),
            Wire::Json => serde_json::to_vec(value).ok(),
            Wire::InWindow(kind) => kind.encode(value),
        };
        bytes.map(Some).ok_or_else(|| format!("`{value}` is no {self:?}"))
    }

    /// Bytes in words, for messages.
    pub(crate) fn show(self, bytes: Option<&[u8]>) -> String {
        let Some(bytes) = bytes else { return "null".into() };
        let eight = || <[u8; 8]>::try_from(bytes).ok();
        let text = match self {
            Wire::Text => std::str::from_utf8(bytes).ok().map(|text| format!("{text:?}")),
            Wire::Long => eight().map(|bytes| i64::from_be_bytes(bytes).to_string()),
            Wire::Double => eight().map(|bytes| f64::from_be_bytes(bytes).to_string()),
            Wire::Json => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Wire::InWindow(kind) => kind.show(bytes),
        };
        text.unwrap_or_else(|| format!("the bytes {bytes:02x?}"))
    }
}

impl Kind {
    fn encode(self, value: &Value) -> Option<Vec<u8>> {
        let time = |field: &str| value.get(field)?.as_i64();
        let (start, end) = (time("start")?, time("end")?);
        let mut bytes = value.get("key")?.as_str()?.as_bytes().to_vec();
        match self {
            Kind::Time(size) if start + size != end => return None,
            Kind::Time(_) => {}
            Kind::Session => bytes.extend_from_slice(&end.to_be_bytes()),
        }
        bytes.extend_from_slice(&start.to_be_bytes());
        Some(bytes)
    }

    fn show(self, bytes: &[u8]) -> Option<String> {
        let (rest, start) = bytes.split_last_chunk::<8>()?;
        let start = i64::from_be_bytes(*start);
        let (key, end) = match self {
            Kind::Time(size) => (rest, start + size),
            Kind::Session => {
                let (key, end) = rest.split_last_chunk::<8>()?;
                (key, i64::from_be_bytes(*end))
            }
        };
        Some(format!("{:?}@{start}-{end}", std::str::from_utf8(key).ok()?))
    }
}
