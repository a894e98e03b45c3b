//! Keys in windows as bytes, in Kafka's formats.
//!
//! ```text
//! time window   key bytes | start (8)             the end is what the windows say, which the reader has to know
//! session       key bytes | end (8) | start (8)
//! ```
//! Times are milliseconds, big-endian.

use std::time::Duration;

use super::{TimeWindows, Window, WindowEnds, Windowed, millis};
use crate::record::Timestamp;
use crate::serde::{Serde, SerdeError, SerdeRef};

/// The serde of keys in windows of one size: tumbling, hopping and sliding ones.
///
/// ```
/// use std::time::Duration;
/// use tidemill_dsl::serde::{Serde, SerdeRef};
/// use tidemill_dsl::window::{TimeWindowed, Window, Windowed};
///
/// let serde = TimeWindowed::new(SerdeRef::<String>::of(), Duration::from_millis(100));
/// let mut bytes = Vec::new();
/// serde.write(&Windowed { key: "a".into(), window: Window::of_millis(100, 200) }, &mut bytes)?;
/// assert_eq!(bytes, [b'a', 0, 0, 0, 0, 0, 0, 0, 100]);
/// assert_eq!(serde.read(&bytes)?.window, Window::of_millis(100, 200));
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimeWindowed<K: 'static> {
    key: SerdeRef<K>,
    ends: WindowEnds,
}

impl<K> TimeWindowed<K> {
    /// Keys as `key` writes them, in windows that may be of several sizes, such as months.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill_dsl::serde::{Serde, SerdeRef};
    /// use tidemill_dsl::window::{TimeWindowed, Tumbling, Window};
    ///
    /// let serde = TimeWindowed::of(SerdeRef::<String>::of(), Tumbling::of(Duration::from_millis(100)));
    /// assert_eq!(serde.read(&[b'a', 0, 0, 0, 0, 0, 0, 0, 100])?.window, Window::of_millis(100, 200));
    /// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
    /// ```
    pub fn of(key: SerdeRef<K>, windows: impl TimeWindows) -> Self {
        TimeWindowed { key, ends: WindowEnds::by(windows) }
    }

    /// Keys in windows that end so.
    pub(crate) fn ending(key: SerdeRef<K>, ends: WindowEnds) -> SerdeRef<Windowed<K>>
    where
        K: Send,
    {
        SerdeRef::new(TimeWindowed { key, ends })
    }

    /// Keys as `key` writes them, in windows of this size; for sliding windows it is their time difference.
    pub fn new(key: SerdeRef<K>, size: Duration) -> Self {
        TimeWindowed { key, ends: WindowEnds::Size(millis(size)) }
    }

    /// The same as a shared serde.
    pub fn serde(key: SerdeRef<K>, size: Duration) -> SerdeRef<Windowed<K>>
    where
        K: Send,
    {
        SerdeRef::new(TimeWindowed::new(key, size))
    }
}

impl<K: 'static> Serde<Windowed<K>> for TimeWindowed<K> {
    fn write(&self, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        self.key.write(&value.key, out)?;
        out.extend_from_slice(&value.window.start.as_millis().to_be_bytes());
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<Windowed<K>, SerdeError> {
        let (key, start) = split_time(bytes)?;
        Ok(Windowed { key: self.key.read(key)?, window: self.ends.window(start.as_millis()) })
    }

    fn name(&self) -> String {
        format!("windowed<{}>", self.key.name())
    }

    fn placing<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[..bytes.len().saturating_sub(8)]
    }
}

/// The serde of keys in sessions.
///
/// ```
/// use tidemill_dsl::serde::{Serde, SerdeRef};
/// use tidemill_dsl::window::{SessionWindowed, Window, Windowed};
///
/// let serde = SessionWindowed::new(SerdeRef::<String>::of());
/// let session = Windowed { key: "a".to_owned(), window: Window::of_millis(1, 2) };
/// let mut bytes = Vec::new();
/// serde.write(&session, &mut bytes)?;
/// assert_eq!(bytes, [b'a', 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
/// assert_eq!(serde.read(&bytes)?, session);
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionWindowed<K: 'static> {
    key: SerdeRef<K>,
}

impl<K> SessionWindowed<K> {
    /// Keys as `key` writes them.
    pub const fn new(key: SerdeRef<K>) -> Self {
        SessionWindowed { key }
    }

    /// The same as a shared serde.
    pub fn serde(key: SerdeRef<K>) -> SerdeRef<Windowed<K>>
    where
        K: Send,
    {
        SerdeRef::new(SessionWindowed::new(key))
    }
}

impl<K: 'static> Serde<Windowed<K>> for SessionWindowed<K> {
    fn write(&self, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        self.key.write(&value.key, out)?;
        out.extend_from_slice(&value.window.end.as_millis().to_be_bytes());
        out.extend_from_slice(&value.window.start.as_millis().to_be_bytes());
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<Windowed<K>, SerdeError> {
        let (rest, start) = split_time(bytes)?;
        let (key, end) = split_time(rest)?;
        Ok(Windowed { key: self.key.read(key)?, window: Window { start, end } })
    }

    fn name(&self) -> String {
        format!("session-windowed<{}>", self.key.name())
    }

    fn placing<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[..bytes.len().saturating_sub(16)]
    }
}

/// Bytes without the time that ends them, and that time.
fn split_time(bytes: &[u8]) -> Result<(&[u8], Timestamp), SerdeError> {
    let (rest, time) = bytes.split_last_chunk::<8>().ok_or_else(|| {
        SerdeError::new(format!(
            "{} bytes are too few for a key in a window: was it written with another serde?",
            bytes.len()
        ))
    })?;
    Ok((rest, Timestamp::from_millis(i64::from_be_bytes(*time))))
}
