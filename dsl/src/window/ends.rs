//! Where a window ends that begins at a time: no part of the bytes of a key in a window, so the reader has to know it.

use std::fmt;
use std::sync::Arc;

use super::{TimeWindows, Window, millis};
use crate::record::Timestamp;

/// How the end of a window follows from its start.
#[derive(Clone)]
pub(crate) enum WindowEnds {
    /// So many milliseconds after it.
    Size(i64),
    /// As the windows say; `size` is the length of the longest.
    By { size: i64, window: Arc<dyn Fn(Timestamp) -> Window + Send + Sync> },
}

impl WindowEnds {
    /// The ends of windows that lie fixed on the axis of time.
    pub(crate) fn by(windows: impl TimeWindows) -> Self {
        WindowEnds::By { size: millis(windows.size()), window: Arc::new(move |start| windows.window_from(start)) }
    }

    /// The window that begins at `start`.
    pub(crate) fn window(&self, start: i64) -> Window {
        match self {
            WindowEnds::Size(size) => Window::of_millis(start, start.saturating_add(*size)),
            WindowEnds::By { window, .. } => {
                let start = Timestamp::from_millis(start);
                Window { start, end: window(start).end }
            }
        }
    }

    /// The length of the longest window, in milliseconds.
    pub(crate) fn size(&self) -> i64 {
        match self {
            WindowEnds::Size(size) | WindowEnds::By { size, .. } => *size,
        }
    }
}

impl fmt::Debug for WindowEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowEnds({} ms)", self.size())
    }
}
