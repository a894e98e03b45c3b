//! Windows that lie fixed on the axis of time: tumbling, hopping, unlimited, or your own.

use std::time::Duration;

use super::{Window, millis};
use crate::record::Timestamp;

/// Windows that do not depend on the records: which ones a time lies in, how long they are, how long they wait.
///
/// Implement it for windows of your own. Days, weeks and months of a time zone are there: `Calendar`, with the feature
/// `calendar`.
///
/// ```
/// use std::time::Duration;
/// use tidemill_dsl::record::Timestamp;
/// use tidemill_dsl::window::{TimeWindows, Window};
///
/// /// Days that begin at six in the morning, UTC.
/// struct Shifts;
///
/// const HOUR: i64 = 3_600_000;
///
/// impl TimeWindows for Shifts {
///     fn windows_of(&self, time: Timestamp) -> impl Iterator<Item = Window> {
///         let start = (time.as_millis() - 6 * HOUR).div_euclid(24 * HOUR) * 24 * HOUR + 6 * HOUR;
///         std::iter::once(Window::of_millis(start.max(0), start + 24 * HOUR))
///     }
///
///     fn size(&self) -> Duration {
///         Duration::from_secs(24 * 3600)
///     }
///
///     fn grace(&self) -> Duration {
///         Duration::from_secs(600)
///     }
/// }
///
/// let noon = Timestamp::from_millis(12 * HOUR);
/// assert!(Shifts.windows_of(noon).eq([Window::of_millis(6 * HOUR, 30 * HOUR)]));
/// ```
pub trait TimeWindows: Send + Sync + 'static {
    /// The windows that a record of this time lies in, the earliest first. None begins before time 0, and no two begin at
    /// the same time.
    fn windows_of(&self, time: Timestamp) -> impl Iterator<Item = Window>;

    /// The length of the longest window: what stores add to a window's start to know its end, and what they keep at least.
    fn size(&self) -> Duration;

    /// How long after its end, in record time, a window still takes records.
    fn grace(&self) -> Duration;

    /// The window that begins at `start`, where one does: what readers of keys know its end by. Where windows are not all as long
    /// as [`size`](Self::size), this has to say it.
    fn window_from(&self, start: Timestamp) -> Window {
        Window { start, end: Timestamp::from_millis(start.as_millis().saturating_add(millis(self.size()))) }
    }

    /// A time at or after the starts of all windows that end at `ended` or before, and before those of all others. Where
    /// windows are not all as long as [`size`](Self::size), this has to say it.
    fn last_start(&self, ended: Timestamp) -> Timestamp {
        Timestamp::from_millis(ended.as_millis().saturating_sub(millis(self.size())))
    }

    /// What is wrong with the windows, if anything is; the build reports it.
    fn fault(&self) -> Option<String> {
        None
    }
}

/// Windows of one size, one after another, beginning at time 0.
///
/// ```
/// use std::time::Duration;
/// use tidemill_dsl::window::{TimeWindows, Tumbling, Window};
///
/// let windows = Tumbling::of(Duration::from_millis(100)).with_grace(Duration::from_millis(50));
/// assert!(windows.windows_of(130.into()).eq([Window::of_millis(100, 200)]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    size: Duration,
    grace: Duration,
}

impl Tumbling {
    /// Windows of this size that do not wait: a record is late once the operator has seen the window's end.
    pub const fn of(size: Duration) -> Self {
        Tumbling { size, grace: Duration::ZERO }
    }

    /// Lets windows take records for so long after their end, in record time.
    #[must_use]
    pub const fn with_grace(self, grace: Duration) -> Self {
        Tumbling { grace, ..self }
    }
}

impl TimeWindows for Tumbling {
    fn windows_of(&self, time: Timestamp) -> impl Iterator<Item = Window> {
        hopping(millis(self.size), millis(self.size), time.as_millis())
    }

    fn size(&self) -> Duration {
        self.size
    }

    fn grace(&self) -> Duration {
        self.grace
    }

    fn fault(&self) -> Option<String> {
        Hopping::of(self.size, self.size).fault()
    }
}

/// Windows of one size that begin at the multiples of an advance, and so overlap where that is shorter.
///
/// ```
/// use std::time::Duration;
/// use tidemill_dsl::window::{Hopping, TimeWindows, Window};
///
/// let windows = Hopping::of(Duration::from_millis(100), Duration::from_millis(50));
/// assert!(windows.windows_of(130.into()).eq([Window::of_millis(50, 150), Window::of_millis(100, 200)]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hopping {
    size: Duration,
    advance: Duration,
    grace: Duration,
}

impl Hopping {
    /// Windows of this size, one every `advance`, that do not wait.
    pub const fn of(size: Duration, advance: Duration) -> Self {
        Hopping { size, advance, grace: Duration::ZERO }
    }

    /// Lets windows take records for so long after their end, in record time.
    #[must_use]
    pub const fn with_grace(self, grace: Duration) -> Self {
        Hopping { grace, ..self }
    }
}

impl TimeWindows for Hopping {
    fn windows_of(&self, time: Timestamp) -> impl Iterator<Item = Window> {
        hopping(millis(self.size), millis(self.advance), time.as_millis())
    }

    fn size(&self) -> Duration {
        self.size
    }

    fn grace(&self) -> Duration {
        self.grace
    }

    fn fault(&self) -> Option<String> {
        let (size, advance) = (millis(self.size), millis(self.advance));
        if size == 0 || advance == 0 {
            return Some("they are shorter than a millisecond: give them another length".into());
        }
        (advance > size)
            .then(|| format!("they advance by {advance} ms and are {size} ms long, so records lie between them: let them advance by less"))
    }
}

/// The windows that `time` lies in, in steps of `advance`.
#[inline]
fn hopping(size: i64, advance: i64, time: i64) -> impl Iterator<Item = Window> {
    let first = time.saturating_sub(size).saturating_add(advance).max(0) / advance * advance;
    let starts = std::iter::successors(Some(first), move |start| start.checked_add(advance));
    starts
        .take_while(move |start| *start <= time)
        .map(move |start| Window::of_millis(start, start.saturating_add(size)))
}

/// One window without end; records before its start are in none.
///
/// ```
/// use tidemill_dsl::window::{TimeWindows, Unlimited};
///
/// let windows = Unlimited::from(100.into());
/// assert_eq!(windows.windows_of(99.into()).count(), 0);
/// assert_eq!(windows.windows_of(100.into()).count(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlimited {
    start: Timestamp,
}

impl Unlimited {
    /// The window that begins at `start`.
    pub const fn from(start: Timestamp) -> Self {
        Unlimited { start }
    }
}

impl TimeWindows for Unlimited {
    fn windows_of(&self, time: Timestamp) -> impl Iterator<Item = Window> {
        let window = Window { start: self.start, end: Timestamp::from_millis(i64::MAX) };
        (time >= self.start).then_some(window).into_iter()
    }

    fn size(&self) -> Duration {
        Duration::MAX
    }

    fn grace(&self) -> Duration {
        Duration::ZERO
    }

    fn fault(&self) -> Option<String> {
        (!self.start.is_valid())
            .then(|| format!("they begin at {}, before time 0: begin them there or later", self.start))
    }
}
