//! Windows: stretches of record time that a stream's aggregations are cut into.
//!
//! Rule: a window is decided by records' times alone. It is closed once the operator has seen a record so late that the
//! window's grace is over; a record that comes after that is late, and is dropped and counted.
//!
//! | windows | a record at `t` lies in | closed when the operator's time is |
//! |---|---|---|
//! | [`Tumbling`] | the one window `[s, s + size)` around it | `end + grace` or more |
//! | [`Hopping`] | every window `[s, s + size)` that contains it | `end + grace` or more |
//! | `Calendar`, feature `calendar` | the day, week or month of a time zone around it | `end + grace` or more |
//! | [`Unlimited`] | `[start, ..)` | never |
//! | [`Sliding`] | every window `[s, s + difference]` of a distinct set of records | more than `end + grace` |
//! | [`Session`] | the session of its key that a pause of more than `gap` ends | more than `end + gap + grace` |

#[cfg(feature = "calendar")]
mod calendar;
mod emit;
mod ends;
mod join;
mod serde;
mod session;
mod sliding;
mod time;
mod windowed;

use std::time::Duration;

pub use self::serde::{SessionWindowed, TimeWindowed};
#[cfg(feature = "calendar")]
pub use calendar::{Calendar, Weekday};
pub use emit::EmitStrategy;
pub(crate) use ends::WindowEnds;
pub use join::JoinWindows;
pub(crate) use join::Reach;
pub use session::Session;
pub use sliding::Sliding;
pub use time::{Hopping, TimeWindows, Tumbling, Unlimited};
pub use windowed::{Window, Windowed};

/// Whole milliseconds; what is longer than the numbers reach is for ever.
pub(crate) const fn millis(duration: Duration) -> i64 {
    let millis = duration.as_millis();
    if millis > i64::MAX as u128 { i64::MAX } else { millis as i64 }
}
