//! What a record that was left out looks like in the topic for dead letters: its own bytes and headers, and headers that say
//! what happened, under the names that Kafka Streams gives them (KIP-1034).

use std::fmt::Write;

use bytes::Bytes;

use super::{DropReason, ErrorSettings, FailedRecord, Flow, Outputs, ProcessError, Verdict};
use crate::record::{Headers, Timestamp, TopicName};

/// The type of the error.
pub const ERROR_TYPE: &str = "__streams.errors.exception";
/// What the error says.
pub const ERROR_MESSAGE: &str = "__streams.errors.message";
/// What the error says with the node, the record and all causes, one a line.
pub const ERROR_CAUSES: &str = "__streams.errors.stacktrace";
/// The topic of the record; absent in a punctuation.
pub const ERROR_TOPIC: &str = "__streams.errors.topic";
/// The partition of the record, as text; `-1` in a punctuation.
pub const ERROR_PARTITION: &str = "__streams.errors.partition";
/// The offset of the record, as text; `-1` in a punctuation.
pub const ERROR_OFFSET: &str = "__streams.errors.offset";

/// A record that is left out: how it is counted, and what is written about it.
pub(super) struct LeftOut {
    pub(super) reason: DropReason,
    letter: Option<Letter>,
}

struct Letter {
    topic: TopicName,
    key: Option<Box<[u8]>>,
    value: Option<Box<[u8]>>,
    timestamp: Timestamp,
    headers: Headers,
    /// What happened, in case that the letter cannot be written either.
    error: String,
}

impl LeftOut {
    /// Asks the handler about a record that failed; `None`: it fails the task.
    pub(super) fn judge(failed: &FailedRecord<'_>, errors: &ErrorSettings) -> Option<LeftOut> {
        let letter = match errors.at(failed.stage).judge(failed) {
            Verdict::Fail => return None,
            Verdict::Skip => None,
            Verdict::DeadLetter(topic) => Some(Letter {
                topic,
                key: failed.key.map(Into::into),
                value: failed.value.map(Into::into),
                timestamp: failed.timestamp,
                headers: headers(failed),
                error: failed.error.to_string(),
            }),
        };
        Some(LeftOut { reason: failed.stage.drop_reason(), letter })
    }

    /// Writes the dead letter, if there is one.
    pub(super) fn write(&self, outputs: &mut Outputs) -> Flow {
        let Some(Letter { topic, key, value, timestamp, headers, error }) = &self.letter else { return Ok(()) };
        let number = outputs.number_of(topic).map_err(|cause| {
            let text = format!("dead letters cannot be written: {}; the record failed with: {error}", cause.cause());
            ProcessError::from(text).never_skipped()
        })?;
        outputs.send_raw(number, key.as_deref(), value.as_deref(), *timestamp, headers);
        Ok(())
    }
}

/// The headers of a dead letter.
fn headers(failed: &FailedRecord<'_>) -> Headers {
    let (mut headers, error) = (failed.headers.clone(), failed.error);
    let mut add = |name, text: Option<String>| headers.add(name, text.map(Bytes::from));
    add(ERROR_TYPE, Some(error.type_name().to_owned()));
    add(ERROR_MESSAGE, Some(error.cause().to_string()));
    add(ERROR_CAUSES, Some(causes(error)));
    add(ERROR_TOPIC, failed.address.map(|address| address.topic.to_string()));
    add(ERROR_PARTITION, Some(failed.address.map_or_else(|| "-1".into(), |address| address.partition.to_string())));
    add(ERROR_OFFSET, Some(failed.address.map_or_else(|| "-1".into(), |address| address.offset.to_string())));
    headers
}

fn causes(error: &ProcessError) -> String {
    let mut text = error.to_string();
    let mut cause = error.cause().source();
    while let Some(error) = cause {
        let _ = write!(text, "\ncaused by: {error}");
        cause = error.source();
    }
    text
}
