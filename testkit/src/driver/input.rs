//! A topic that a test sends records to.

use tidemill::Topic;
use tidemill::record::{Headers, Timestamp};
use tidemill::serde::Data;

use super::{DriverError, TestDriver};

/// A topic to send typed records to. They have the clock's time unless [`at`](Input::at) says otherwise.
pub struct Input<'d, K: 'static, V: 'static> {
    driver: &'d mut TestDriver,
    topic: Topic<K, V>,
    timestamp: Option<Timestamp>,
    headers: Headers,
}

impl<'d, K: Data, V: Data> Input<'d, K, V> {
    pub(super) fn new(driver: &'d mut TestDriver, topic: Topic<K, V>) -> Self {
        Input { driver, topic, timestamp: None, headers: Headers::NONE }
    }

    /// Sets the time of the records, in milliseconds.
    #[must_use]
    pub fn at(self, timestamp: impl Into<Timestamp>) -> Self {
        Input { timestamp: Some(timestamp.into()), ..self }
    }

    /// Sets the headers of the records.
    #[must_use]
    pub fn headers(self, headers: Headers) -> Self {
        Input { headers, ..self }
    }

    /// Sends a record and processes all that follows from it.
    ///
    /// # Panics
    ///
    /// When the task fails, with its error; [`try_send`](Input::try_send) returns that.
    pub fn send(&mut self, key: impl Into<K>, value: impl Into<V>) -> &mut Self {
        self.try_send(key, value).unwrap_or_else(|error| panic!("{error}"));
        self
    }

    /// Sends several records, one after another.
    pub fn send_all<A: Into<K>, B: Into<V>>(&mut self, records: impl IntoIterator<Item = (A, B)>) -> &mut Self {
        for (key, value) in records {
            self.send(key, value);
        }
        self
    }

    /// As [`send`](Input::send), with the error in place of a panic.
    pub fn try_send(&mut self, key: impl Into<K>, value: impl Into<V>) -> Result<(), DriverError> {
        let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
        let has_key = self.topic.key_serde().write_nullable(&key.into(), &mut key_bytes)?;
        let has_value = self.topic.value_serde().write_nullable(&value.into(), &mut value_bytes)?;
        self.send_bytes(has_key.then_some(&key_bytes[..]), has_value.then_some(&value_bytes[..]))
    }

    /// Sends a record without value: a delete, for a table.
    pub fn send_null(&mut self, key: impl Into<K>) -> &mut Self {
        let mut bytes = Vec::new();
        let sent = self.topic.key_serde().write_nullable(&key.into(), &mut bytes).map_err(DriverError::from);
        sent.and_then(|has_key| self.send_bytes(has_key.then_some(&bytes[..]), None))
            .unwrap_or_else(|error| panic!("{error}"));
        self
    }

    fn send_bytes(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), DriverError> {
        let timestamp = self.timestamp.unwrap_or_else(|| self.driver.now());
        self.driver.send_raw(self.topic.name(), key, value, timestamp, &self.headers)
    }
}
