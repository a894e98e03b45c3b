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
        let key = self.topic.key_serde().to_nullable_bytes(&key.into())?;
        let value = self.topic.value_serde().to_nullable_bytes(&value.into())?;
        self.send_bytes(key.as_deref(), value.as_deref())
    }

    /// Sends a record without value: a delete, for a table.
    ///
    /// # Panics
    ///
    /// As [`send`](Input::send).
    pub fn send_null(&mut self, key: impl Into<K>) -> &mut Self {
        let key = self.topic.key_serde().to_nullable_bytes(&key.into()).map_err(DriverError::from);
        key.and_then(|key| self.send_bytes(key.as_deref(), None)).unwrap_or_else(|error| panic!("{error}"));
        self
    }

    fn send_bytes(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), DriverError> {
        let timestamp = self.timestamp.unwrap_or_else(|| self.driver.now());
        self.driver.send_raw(self.topic.name(), key, value, timestamp, &self.headers)
    }
}
