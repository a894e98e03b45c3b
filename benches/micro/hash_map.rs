//! What the count is held against: a loop around the standard library's map.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use tidemill::record::Batch;

/// The batch's records, decoded.
pub(crate) fn records(batch: &Arc<Batch>) -> Vec<(u64, u64)> {
    let (mut records, mut decoded) = (batch.records(), Vec::new());
    while let Some(record) = records.peek() {
        let number = |bytes: Option<&[u8]>| u64::from_be_bytes(bytes.unwrap_or_default().try_into().unwrap());
        decoded.push((number(record.key), number(record.value)));
        records.advance();
    }
    decoded
}

/// Counts by key, one update for each record.
pub(crate) fn count(records: &[(u64, u64)]) -> HashMap<u64, i64> {
    let mut counts = HashMap::new();
    for (key, _) in records {
        let count = counts.entry(*key).or_default();
        *count += 1;
        black_box(*count);
    }
    counts
}
