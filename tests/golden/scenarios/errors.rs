//! Records that cannot be read, processed or written.

use std::fmt;

use tidemill::Topic;
use tidemill::serde::{Nullable, Serde, SerdeError, SerdeRef, Utf8};
use tidemill::state::Store;
use tidemill::stream::{Consumed, StreamsBuilder};
use tidemill::topology::TimestampExtractor;

use super::{Scenario, Text, longs, texts};

const EXTRACTOR: &str = "default.timestamp.extractor";
const SKIP_INVALID: &str = "org.apache.kafka.streams.processor.LogAndSkipOnInvalidTimestamp";
const PARTITION_TIME: &str = "org.apache.kafka.streams.processor.UsePartitionTimeOnInvalidTimestamp";
const S: Store<String, i64> = Store::of("s");
const N: Store<String, i64> = Store::of("n");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("negative_timestamp_fail", copy),
        Scenario::streams("negative_timestamp_skip", negative_timestamp_skip).set(EXTRACTOR, SKIP_INVALID),
        Scenario::streams("negative_timestamp_partition_time", negative_timestamp_partition_time)
            .set(EXTRACTOR, PARTITION_TIME),
        Scenario::streams("deserialization_fail", copy),
        Scenario::streams("processing_error_default", processing_error_default).store(&N),
        Scenario::streams("serialization_error_fail", serialization_error_fail),
        Scenario::streams("join_not_matching_type", join_not_matching_type),
    ]
}

fn copy(b: &StreamsBuilder) {
    b.stream(&longs("in")).to(&longs("out"));
}

fn negative_timestamp_skip(b: &StreamsBuilder) {
    b.stream_with(&longs("in"), Consumed::timestamps(TimestampExtractor::SkipInvalid)).to(&longs("out"));
}

fn negative_timestamp_partition_time(b: &StreamsBuilder) {
    b.stream_with(&longs("in"), Consumed::timestamps(TimestampExtractor::PartitionTimeOnInvalid)).to(&longs("out"));
}

/// The program's own error.
#[derive(Debug)]
pub(super) struct Boom(&'static str);

impl fmt::Display for Boom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Boom {}

pub(super) fn boom(v: &Text) -> Result<Text, Boom> {
    match v.as_deref() {
        None => Ok(None),
        Some("boom") => Err(Boom("boom")),
        Some("bang") => Err(Boom("bang")),
        Some(v) => Ok(Some(format!("{v}!"))),
    }
}

fn processing_error_default(b: &StreamsBuilder) {
    let s = b.stream(&texts("in"));
    s.to(&texts("side"));
    s.try_map_values(|_, v| boom(v)).to(&texts("out"));
    s.group_by_key().count_with(&N).to_stream().to(&Topic::<String, i64>::of("n"));
}

/// Text that refuses to be `bad`.
struct Picky;

impl Serde<String> for Picky {
    fn write(&self, value: &String, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        if value == "bad" { Err(SerdeError::new("bad")) } else { Utf8.write(value, out) }
    }

    fn read(&self, bytes: &[u8]) -> Result<String, SerdeError> {
        Utf8.read(bytes)
    }

    fn name(&self) -> String {
        "picky".into()
    }
}

fn serialization_error_fail(b: &StreamsBuilder) {
    let out = Topic::<Text, Text>::new("out", SerdeRef::of(), SerdeRef::new(Nullable::new(Picky)));
    b.stream(&texts("in")).to(&out);
}

fn join_not_matching_type(b: &StreamsBuilder) {
    b.stream(&longs("in"))
        .group_by_key()
        .reduce_with(&S, |sum, v| sum + v)
        .to_stream()
        .to(&Topic::<String, i64>::of("out"));
}
