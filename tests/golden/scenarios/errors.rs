//! Records that cannot be read, processed or written.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tidemill::Topic;
use tidemill::processor::{
    Context, ErrorHandler, FailedRecord, Flow, ProcessError, Processor, PunctuationType, SilentContext, Verdict,
};
use tidemill::record::{Record, Timestamp};
use tidemill::serde::{Nullable, Serde, SerdeError, SerdeRef, Utf8};
use tidemill::state::Store;
use tidemill::stream::{Consumed, StreamsBuilder};
use tidemill::topology::TimestampExtractor;

use super::{Scenario, Text, longs, texts};

const EXTRACTOR: &str = "default.timestamp.extractor";
const SKIP_INVALID: &str = "org.apache.kafka.streams.processor.LogAndSkipOnInvalidTimestamp";
const PARTITION_TIME: &str = "org.apache.kafka.streams.processor.UsePartitionTimeOnInvalidTimestamp";
const DESERIALIZATION: &str = "deserialization.exception.handler";
const PROCESSING: &str = "processing.exception.handler";
const PRODUCTION: &str = "production.exception.handler";
const DEAD_LETTERS: &str = "errors.dead.letter.queue.topic.name";
const CONTINUE: &str = "org.apache.kafka.streams.errors.LogAndContinueExceptionHandler";
pub(super) const CONTINUE_PROCESSING: &str = "org.apache.kafka.streams.errors.LogAndContinueProcessingExceptionHandler";
const AGG: Store<String, String> = Store::of("agg");
const T: Store<String, Value> = Store::json("t");
const S: Store<String, i64> = Store::of("s");
const N: Store<String, i64> = Store::of("n");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("negative_timestamp_fail", copy),
        Scenario::streams("negative_timestamp_skip", negative_timestamp_skip).set(EXTRACTOR, SKIP_INVALID),
        Scenario::streams("negative_timestamp_partition_time", negative_timestamp_partition_time)
            .set(EXTRACTOR, PARTITION_TIME),
        Scenario::streams("deserialization_fail", copy),
        Scenario::streams("deserialization_continue", deserialization_continue)
            .set(DESERIALIZATION, CONTINUE)
            .errors(|errors| errors.deserialization = ErrorHandler::skip()),
        Scenario::streams("deserialization_continue_dlq", copy)
            .set(DESERIALIZATION, CONTINUE)
            .set(DEAD_LETTERS, "dlq")
            .errors(|errors| errors.deserialization = ErrorHandler::dead_letter("dlq")),
        Scenario::streams("deserialization_json_table", deserialization_json_table)
            .store(&T)
            .set(DESERIALIZATION, CONTINUE)
            .errors(|errors| errors.deserialization = ErrorHandler::skip()),
        Scenario::streams("processing_error_default", processing_error).store(&N),
        Scenario::streams("processing_error_continue", processing_error)
            .store(&N)
            .set(PROCESSING, CONTINUE_PROCESSING)
            .errors(|errors| errors.processing = ErrorHandler::skip()),
        Scenario::streams("processing_error_custom", processing_error)
            .store(&N)
            .set(PROCESSING, "ContinueOnProcessing")
            .errors(|errors| errors.processing = ErrorHandler::decide(continue_on_illegal_state)),
        Scenario::streams("processing_error_dlq", processing_error)
            .store(&N)
            .set(PROCESSING, CONTINUE_PROCESSING)
            .set(DEAD_LETTERS, "dlq")
            .errors(|errors| errors.processing = ErrorHandler::dead_letter("dlq")),
        Scenario::streams("processing_error_dlq_raw", processing_error_dlq_raw)
            .set(PROCESSING, CONTINUE_PROCESSING)
            .set(DEAD_LETTERS, "dlq")
            .errors(|errors| errors.processing = ErrorHandler::dead_letter("dlq")),
        Scenario::streams("processing_error_in_aggregate", processing_error_in_aggregate)
            .store(&AGG)
            .set(PROCESSING, CONTINUE_PROCESSING)
            .errors(|errors| errors.processing = ErrorHandler::skip()),
        Scenario::streams("punctuator_error_continue", punctuator_error_continue)
            .set(PROCESSING, CONTINUE_PROCESSING)
            .errors(|errors| errors.processing = ErrorHandler::skip()),
        Scenario::streams("serialization_error_fail", serialization_error),
        Scenario::streams("serialization_error_continue", serialization_error)
            .set(PRODUCTION, "ContinueOnProduction")
            .errors(|errors| errors.production = ErrorHandler::skip()),
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

/// The program's own errors, called as the exceptions of the recorded program.
#[derive(Debug)]
struct IllegalState(&'static str);
#[derive(Debug)]
struct IllegalArgument(&'static str);

impl fmt::Display for IllegalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for IllegalArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for IllegalState {}
impl std::error::Error for IllegalArgument {}

pub(super) fn boom(v: &Text) -> Result<Text, ProcessError> {
    match v.as_deref() {
        None => Ok(None),
        Some("boom") => Err(IllegalState("boom").into()),
        Some("bang") => Err(IllegalArgument("bang").into()),
        Some(v) => Ok(Some(format!("{v}!"))),
    }
}

fn processing_error(b: &StreamsBuilder) {
    let s = b.stream(&texts("in"));
    s.to(&texts("side"));
    s.try_map_values(|_, v| boom(v)).to(&texts("out"));
    s.group_by_key().count_with(&N).to_stream().to(&Topic::<String, i64>::of("n"));
}

/// Goes on after an illegal state, and after nothing else.
fn continue_on_illegal_state(failed: &FailedRecord<'_>) -> Verdict {
    if failed.error.cause().is::<IllegalState>() { Verdict::Skip } else { Verdict::Fail }
}

fn processing_error_dlq_raw(b: &StreamsBuilder) {
    b.stream(&texts("in")).select_key(|_, _| "new".to_owned()).try_map_values(|_, v| boom(v)).to(&texts("out"));
}

fn processing_error_in_aggregate(b: &StreamsBuilder) {
    let fail_at_bang = |agg: String, _: &String, v: &String| match v.as_str() {
        "bang" => Err(IllegalArgument("bang")),
        v => Ok(agg + v),
    };
    b.stream(&texts("in"))
        .group_by_key()
        .try_aggregate(&AGG, String::new, fail_at_bang)
        .to_stream()
        .try_map_values(|_, v| match v.as_ref().is_some_and(|v| v.ends_with("boom")) {
            true => Err(IllegalState("boom")),
            false => Ok(v.clone()),
        })
        .to(&Topic::<String, Text>::of("out"));
}

/// Passes records on, and fails at every second punctuation after it has forwarded.
#[derive(Default)]
struct EverySecond(i64);

impl Processor<Text, Option<i64>, Text, Option<i64>> for EverySecond {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("every second", Duration::from_millis(100), PunctuationType::StreamTime)
    }

    fn process(&mut self, r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        ctx.forward(r)
    }

    fn punctuate(&mut self, _: &str, t: Timestamp, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        self.0 += 1;
        ctx.forward(Record::new(&Some("p".to_owned()), &Some(self.0), t))?;
        if self.0 % 2 == 0 { Err(IllegalState("every second").into()) } else { Ok(()) }
    }
}

fn punctuator_error_continue(b: &StreamsBuilder) {
    b.stream(&longs("in")).process(EverySecond::default, &[]).to(&longs("out"));
}

fn deserialization_continue(b: &StreamsBuilder) {
    b.stream(&longs("in")).map_values(|v| v.map(|v| v * 2)).to(&longs("out"));
}

fn deserialization_json_table(b: &StreamsBuilder) {
    let (read, written) = (Topic::<String, Value>::json("in"), Topic::<String, Value>::json("out"));
    b.table_with(&read, &T).to_stream().to(&written);
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

fn serialization_error(b: &StreamsBuilder) {
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
