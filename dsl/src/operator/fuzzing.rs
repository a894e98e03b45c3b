//! What operators keep in their stores, for the fuzz targets.

use super::held_record::HeldRecordSerde;
use super::map_async::HeldCallSerde;
use crate::fuzzing::round_trip;

/// Records that wait for a join.
pub fn held_records(bytes: &[u8]) {
    round_trip(&HeldRecordSerde, bytes);
}

/// Calls that were not answered.
pub fn held_calls(bytes: &[u8]) {
    round_trip(&HeldCallSerde, bytes);
}
