//! What a file gives a topology: settings, and records as bytes.

use std::time::Duration;

use bytes::Bytes;
use tidemill::record::{Headers, Timestamp};
use tidemill::state::Changelog;
use tidemill::topology::TaskSettings;

use crate::base64;
use crate::scenarios::Scenario;
use crate::value::Wire;
use crate::vector::{Piped, TopicTypes, Vector};

/// Settings that every file has: no record cache.
pub(crate) const CONFIG_DEFAULT: (&str, &str) = ("statestore.cache.max.bytes", "0");
/// How often windows are looked for that are closed, and records of joins that have met none: at every record, unless a file
/// says otherwise.
const EMIT_INTERVALS: [&str; 2] = [
    "__emit.interval.ms.kstreams.windowed.aggregation__",
    "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__",
];

/// A record as it lies on the wire.
pub(crate) struct GivenRecord {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) at: Timestamp,
    pub(crate) headers: Headers,
}

/// Settings of Kafka Streams that are settings of tasks here.
pub(crate) fn settings(vector: &Vector, scenario: &Scenario) -> Result<TaskSettings, String> {
    let cache = vector.config.get(CONFIG_DEFAULT.0).map_or(CONFIG_DEFAULT.1, String::as_str);
    let cache_bytes = cache.parse().map_err(|error| format!("`{}`: {error}", CONFIG_DEFAULT.0))?;
    let interval = EMIT_INTERVALS.iter().find_map(|name| vector.config.get(*name).map(|interval| (name, interval)));
    let interval =
        interval.map_or(Ok(0), |(name, interval)| interval.parse().map_err(|error| format!("`{name}`: {error}")));
    let interval = interval?;
    Ok(TaskSettings {
        changelog: Changelog::EveryUpdate,
        cache_bytes,
        emit_interval: Duration::from_millis(interval),
        errors: scenario.error_settings(),
        ..TaskSettings::default()
    })
}

/// A record that is piped in.
pub(crate) fn record(vector: &Vector, piped: &Piped) -> Result<GivenRecord, String> {
    let types = types(vector, &piped.topic)?;
    let raw = |text: &Option<String>| text.as_ref().map(|text| base64::decode(text)).transpose();
    let key = raw(&piped.raw_key)?.map_or_else(|| Wire::of_key(types)?.encode(&piped.key), |raw| Ok(Some(raw)))?;
    let value =
        raw(&piped.raw_value)?.map_or_else(|| Wire::of_value(types)?.encode(&piped.value), |raw| Ok(Some(raw)))?;
    Ok(GivenRecord { key, value, at: Timestamp::from_millis(piped.ts), headers: headers(&piped.headers) })
}

fn types<'v>(vector: &'v Vector, topic: &str) -> Result<&'v TopicTypes, String> {
    vector.topics.get(topic).ok_or_else(|| format!("topic `{topic}` is not among the file's topics"))
}

/// Headers that a file lists.
pub(crate) fn headers(listed: &[(String, Option<String>)]) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in listed {
        headers.add(name, value.as_ref().map(|text| Bytes::from(text.clone())));
    }
    headers
}
