//! A topic as lines of JSON: first the topic, then its records.
//!
//! ```text
//! {"topic":"orders","partitions":2,"cleanup":"delete","retention_ms":null,"retention_bytes":null,"tombstones_ms":86400000,
//!  "compaction_lag_ms":0}                                                                               (one line)
//! {"partition":0,"offset":7,"timestamp":1700000000000,"headers":[["name","value"]],"key":"alice","value":{"hex":"00ff"}}
//! ```
//! Keys, values and those of headers: null for none, a string for UTF-8, else `{"hex":".."}`.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill::log::{Cleanup, TopicConfig, TopicSpec};
use tidemill::record::{Headers, Offset, StoredRecord, Timestamp};

use crate::bytes::{from_json, to_json};

/// A record that was read from a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Imported {
    pub(super) partition: u32,
    pub(super) timestamp: Timestamp,
    pub(super) headers: Headers,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
}

pub(super) fn of_topic(spec: &TopicSpec) -> String {
    let TopicConfig { cleanup, retention, retention_bytes, tombstones, compaction_lag } = spec.config;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let line = json!({
        "topic": &*spec.name, "partitions": spec.partitions, "cleanup": super::describe::cleanup(cleanup),
        "retention_ms": retention.map(millis), "retention_bytes": retention_bytes,
        "tombstones_ms": millis(tombstones), "compaction_lag_ms": millis(compaction_lag),
    });
    line.to_string()
}

/// The topic of the first line; the error says what is wrong with it.
pub(super) fn topic_of(line: &str) -> Result<TopicSpec, String> {
    let fields = object(line)?;
    let name =
        fields.get("topic").and_then(Value::as_str).ok_or("the first line names no `topic`: is it an export?")?;
    let number = |field: &str| match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("`{field}` is no number: `{value}`")),
    };
    let partitions =
        number("partitions")?.and_then(|count| u32::try_from(count).ok()).ok_or("`partitions` is missing")?;
    let cleanup = match fields.get("cleanup").and_then(Value::as_str) {
        Some("delete") | None => Cleanup::Delete,
        Some("compact") => Cleanup::Compact,
        Some("compact,delete") => Cleanup::CompactAndDelete,
        Some(other) => return Err(format!("`cleanup` is `{other}`, and not delete, compact or compact,delete")),
    };
    let default = TopicConfig::default();
    let config = TopicConfig {
        cleanup,
        retention: number("retention_ms")?.map(Duration::from_millis),
        retention_bytes: number("retention_bytes")?,
        tombstones: number("tombstones_ms")?.map_or(default.tombstones, Duration::from_millis),
        compaction_lag: number("compaction_lag_ms")?.map_or(default.compaction_lag, Duration::from_millis),
    };
    Ok(TopicSpec { config, ..TopicSpec::new(name, partitions) })
}

pub(super) fn of_record(partition: u32, offset: Offset, record: &StoredRecord<'_>) -> Result<String, String> {
    let headers = record.headers().map_err(|cause| cause.to_string())?;
    let headers: Vec<Value> = headers.iter().map(|(name, value)| json!([name, to_json(value)])).collect();
    let line = json!({
        "partition": partition, "offset": offset.get(), "timestamp": record.timestamp.as_millis(), "headers": headers,
        "key": to_json(record.key), "value": to_json(record.value),
    });
    Ok(line.to_string())
}

/// The record of a line; the error says what is wrong with it. Its offset is not taken over.
pub(super) fn record_of(line: &str) -> Result<Imported, String> {
    let fields = object(line)?;
    let partition = fields.get("partition").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let timestamp = fields.get("timestamp").and_then(Value::as_i64);
    let bytes = |field: &str| match fields.get(field) {
        Some(value) => from_json(value).map_err(|reason| format!("`{field}`: {reason}")),
        None => Err(format!("`{field}` is missing; null stands for none")),
    };
    let mut headers = Headers::default();
    for header in fields.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let (name, value) = match header.as_array().map(Vec::as_slice) {
            Some([Value::String(name), value]) => (name, value),
            _ => return Err(format!("a header is not `[name, value]`: `{header}`")),
        };
        headers.add(name, from_json(value).map_err(|reason| format!("header `{name}`: {reason}"))?.map(Into::into));
    }
    Ok(Imported {
        partition: partition.ok_or("`partition` is missing, or no number")?,
        timestamp: Timestamp::from_millis(timestamp.ok_or("`timestamp` is missing, or no number")?),
        headers,
        key: bytes("key")?,
        value: bytes("value")?,
    })
}

fn object(line: &str) -> Result<serde_json::Map<String, Value>, String> {
    serde_json::from_str(line).map_err(|cause| format!("it is no JSON object: {cause}"))
}
