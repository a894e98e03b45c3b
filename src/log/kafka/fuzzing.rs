//! What the Kafka log keeps beside records, for the fuzz targets.

use tidemill_dsl::record::{BatchBuilder, Headers, Offset, Timestamp};

use super::notes::{NotesTopic, Owner};
use super::offset_metadata::OffsetMetadata;

/// Texts that are committed with offsets.
pub fn offset_metadata(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for text in [text.to_string(), super::base64::encode(bytes)] {
        let metadata = OffsetMetadata::decode(&text, Offset::ZERO);
        if let Ok(text) = metadata.encode(Offset::ZERO, "a fuzzed partition") {
            assert_eq!(OffsetMetadata::decode(&text, Offset::ZERO), metadata, "what was written is read");
        }
    }
}

/// Records of the topic of notes: the first byte says how long the key is.
pub fn notes(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (key, value) = rest.split_at(usize::from(*length).min(rest.len()));
    let mut batch = BatchBuilder::default();
    batch.push(Timestamp::ZERO, Some(key), Some(value), &Headers::NONE);
    batch.push(Timestamp::ZERO, None, Some(value), &Headers::NONE);
    let mut batches = vec![std::sync::Arc::new(batch.finish(Offset::ZERO))];
    let topic = NotesTopic::new("notes".into());
    let notes = topic.of(Owner::Scope("s"), |_, _| Ok(std::mem::take(&mut batches)));
    assert!(notes.is_ok(), "notes of others are no error");
}
