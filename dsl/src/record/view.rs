//! A record on its way through a topology: key and value are lent, not copied.

use super::{Headers, Timestamp};

/// A record of a stream, lent for the time of a call.
#[derive(Debug)]
pub struct Record<'a, K, V> {
    /// The key.
    pub key: &'a K,
    /// The value.
    pub value: &'a V,
    /// The record's time.
    pub timestamp: Timestamp,
    /// The record's headers.
    pub headers: &'a Headers,
}

impl<K, V> Clone for Record<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for Record<'_, K, V> {}

impl<'a, K, V> Record<'a, K, V> {
    /// A record without headers.
    pub fn new(key: &'a K, value: &'a V, timestamp: Timestamp) -> Self {
        Record { key, value, timestamp, headers: &Headers::NONE }
    }

    /// The same record with another key.
    pub fn with_key<K2>(self, key: &'a K2) -> Record<'a, K2, V> {
        Record { key, value: self.value, timestamp: self.timestamp, headers: self.headers }
    }

    /// The same record with another value.
    pub fn with_value<V2>(self, value: &'a V2) -> Record<'a, K, V2> {
        Record { key: self.key, value, timestamp: self.timestamp, headers: self.headers }
    }

    /// The same record at another time.
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        Record { timestamp, ..self }
    }

    /// The same record with other headers.
    pub fn with_headers(self, headers: &'a Headers) -> Self {
        Record { headers, ..self }
    }
}

/// A change of one row of a table, lent for the time of a call.
#[derive(Debug)]
pub struct Change<'a, K, V> {
    /// The row's key.
    pub key: &'a K,
    /// The row after the change; `None`: the row is gone.
    pub new: &'a Option<V>,
    /// The row before the change, if a node below asked the table for it when it was described; else `None`.
    pub old: Option<&'a Option<V>>,
    /// The time of the change.
    pub timestamp: Timestamp,
    /// The headers of the record that made the change.
    pub headers: &'a Headers,
    /// Whether the row is now the key's latest one. It is not after an out-of-order change of a versioned table; every change
    /// of another table is the latest.
    pub is_latest: bool,
}

impl<K, V> Clone for Change<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for Change<'_, K, V> {}
