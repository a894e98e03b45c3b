//! The formats of rows below stores, for the fuzz targets.

use super::buffered::BufferedSerde;
use super::history::HistorySerde;
use super::row_format::RowFormat;
use crate::fuzzing::round_trip;
use crate::serde::SerdeRef;

/// Rows of versioned stores.
pub fn versions(bytes: &[u8]) {
    round_trip(&HistorySerde(SerdeRef::<String>::of()), bytes);
    round_trip(&HistorySerde(SerdeRef::<i64>::of()), bytes);
}

/// Rows that wait in a buffer of a table.
pub fn buffered(bytes: &[u8]) {
    round_trip(&BufferedSerde(SerdeRef::<String>::of()), bytes);
}

/// Rows with times and headers.
pub fn rows(bytes: &[u8]) {
    let formats = [RowFormat::Plain, RowFormat::Timestamped, RowFormat::WithHeaders, RowFormat::TimestampedWithHeaders];
    for format in formats {
        let (_, _) = (format.split(bytes), format.headers(bytes));
    }
}
