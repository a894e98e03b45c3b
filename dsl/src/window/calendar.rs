//! Days, weeks and months of a time zone.
//!
//! Rule: a day begins with its first instant in the zone and ends where the next day begins, so days are 23, 24 or 25 hours
//! long, some a little less or more; weeks and months are made of days. Every time lies in one window.

use std::fmt;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use super::{TimeWindows, Window};
use crate::record::Timestamp;

const HOUR: u64 = 3_600;
/// Longer than a day can be beyond 24 hours, wherever clocks are set back.
const SET_BACK_MAX: u64 = 2 * HOUR;

/// The beginning of the year 9999. What comes behind it lies in one window, because the calendar ends with that year.
const BEYOND: i64 = 253_370_764_800_000;

/// The day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// What a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    /// It begins on this day.
    Week(Weekday),
    Month,
}

/// Days, weeks or months of a time zone, one after another. Needs the feature `calendar`.
///
/// Zones are those of the IANA time zone database, which is part of the program: no file of the system is read. Windows begin
/// at midnight, or with the first instant of the day where there is no midnight. One that began before 1970 begins at time 0.
///
/// ```
/// use tidemill_dsl::window::{Calendar, TimeWindows};
///
/// let days = Calendar::days("Europe/Berlin");
/// // 2024-03-31, 12:00 in Berlin: clocks were set forward that night, and the day has 23 hours.
/// let day = days.windows_of(1_711_879_200_000.into()).next().unwrap();
/// assert_eq!(day.start, 1_711_839_600_000.into());
/// assert_eq!(day.end.as_millis() - day.start.as_millis(), 23 * 3_600_000);
/// ```
#[derive(Clone, Debug)]
pub struct Calendar {
    unit: Unit,
    /// The zone, or the name of one that is not known.
    zone: Result<TimeZone, Box<str>>,
    grace: Duration,
}

impl Calendar {
    /// The days of a zone: `Europe/Berlin`, `America/New_York`, `UTC`.
    pub fn days(zone: &str) -> Self {
        Calendar::of(Unit::Day, zone)
    }

    /// The weeks of a zone, from Monday to Sunday.
    pub fn weeks(zone: &str) -> Self {
        Calendar::weeks_from(Weekday::Monday, zone)
    }

    /// The weeks of a zone, which begin on this day.
    pub fn weeks_from(first: Weekday, zone: &str) -> Self {
        Calendar::of(Unit::Week(first), zone)
    }

    /// The months of a zone.
    pub fn months(zone: &str) -> Self {
        Calendar::of(Unit::Month, zone)
    }

    /// Lets windows take records for so long after their end, in record time.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Calendar { grace, ..self }
    }

    fn of(unit: Unit, zone: &str) -> Self {
        let found = jiff::tz::TimeZoneDatabase::bundled().get(zone);
        Calendar { unit, zone: found.map_err(|_| zone.into()), grace: Duration::ZERO }
    }

    /// The window that a time lies in; `None` for a zone that is not known.
    fn window(&self, time: Timestamp) -> Option<Window> {
        let zone = self.zone.as_ref().ok()?;
        let instant = jiff::Timestamp::from_millisecond(time.as_millis()).ok()?;
        let mut first = self.unit.first_date(zone.to_datetime(instant).date()).ok()?;
        // Where clocks are set back over midnight a time may show the date before the one that has begun already.
        while beginning(self.unit.next(first).ok()?, zone)? <= time.as_millis() {
            first = self.unit.next(first).ok()?;
        }
        let end = beginning(self.unit.next(first).ok()?, zone)?.min(BEYOND);
        Some(Window::of_millis(beginning(first, zone)?.max(0), end))
    }
}

impl Unit {
    /// The first date of the window that a date lies in.
    fn first_date(self, date: Date) -> Result<Date, jiff::Error> {
        match self {
            Unit::Day => Ok(date),
            Unit::Week(first) => {
                let days = i64::from(date.weekday().to_monday_zero_offset()) - first as i64;
                date.checked_sub(days.rem_euclid(7).days())
            }
            Unit::Month => Ok(date.first_of_month()),
        }
    }

    /// The first date of the window after the one that begins on `first`.
    fn next(self, first: Date) -> Result<Date, jiff::Error> {
        let length: Span = match self {
            Unit::Day => 1.day(),
            Unit::Week(_) => 1.week(),
            Unit::Month => 1.month(),
        };
        first.checked_add(length)
    }

    /// How many days it has at most.
    fn days_max(self) -> u64 {
        match self {
            Unit::Day => 1,
            Unit::Week(_) => 7,
            Unit::Month => 31,
        }
    }
}

/// The first instant of a date, in milliseconds; that of the next date that there is, where a zone has left one out.
fn beginning(date: Date, zone: &TimeZone) -> Option<i64> {
    Some(date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?.timestamp().as_millisecond())
}

impl TimeWindows for Calendar {
    fn windows_of(&self, time: Timestamp) -> impl Iterator<Item = Window> {
        let rest = Window::of_millis(BEYOND, i64::MAX);
        std::iter::once(if time.as_millis() < BEYOND { self.window(time).unwrap_or(rest) } else { rest })
    }

    fn size(&self) -> Duration {
        Duration::from_secs(self.unit.days_max() * 24 * HOUR + SET_BACK_MAX)
    }

    fn grace(&self) -> Duration {
        self.grace
    }

    fn window_from(&self, start: Timestamp) -> Window {
        self.windows_of(start).next().unwrap_or_default()
    }

    fn last_start(&self, ended: Timestamp) -> Timestamp {
        // All windows before the one that the time lies in have ended.
        Timestamp::from_millis(self.window_from(ended).start.as_millis().saturating_sub(1))
    }

    fn fault(&self) -> Option<String> {
        let zone = self.zone.as_ref().err()?;
        Some(format!("they are of the time zone `{zone}`, which is not in the IANA database"))
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.as_ref().ok().and_then(|zone| zone.iana_name()).unwrap_or("an unknown zone");
        match self.unit {
            Unit::Day => write!(f, "days of {zone}"),
            Unit::Week(first) => write!(f, "weeks of {zone}, from {first:?}"),
            Unit::Month => write!(f, "months of {zone}"),
        }
    }
}
