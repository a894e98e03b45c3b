//! A window, and a key in a window.

use std::fmt;

use crate::record::Timestamp;
use crate::serde::Data;

/// A stretch of record time.
///
/// Windows of [`TimeWindows`](super::TimeWindows) end before `end`; those of [`Sliding`](super::Sliding) and
/// [`Session`](super::Session) contain it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first time that lies in it.
    pub start: Timestamp,
    /// Where it ends.
    pub end: Timestamp,
}

impl Window {
    /// The window from `start` to `end`, in milliseconds.
    pub const fn of_millis(start: i64, end: i64) -> Self {
        Window { start: Timestamp::from_millis(start), end: Timestamp::from_millis(end) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

/// A key in a window: what a windowed aggregation has a row for.
///
/// ```
/// use tidemill_dsl::window::{Window, Windowed};
///
/// let row = Windowed { key: "alice", window: Window::of_millis(0, 100) };
/// assert_eq!(row.to_string(), "alice@0-100");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Windowed<K> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
}

impl<K: fmt::Display> fmt::Display for Windowed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.key, self.window)
    }
}

// It has no serde of its own: the bytes of a time window leave out its end, so the reader has to know the size.
impl<K: Data<Plain = K>> Data for Windowed<K> {
    type Plain = Self;
    const NULLABLE: bool = false;

    fn plain(&self) -> Option<&Self> {
        Some(self)
    }

    fn into_plain(self) -> Option<Self> {
        Some(self)
    }

    fn from_plain(plain: Self) -> Self {
        plain
    }

    fn absent() -> Option<Self> {
        None
    }
}
