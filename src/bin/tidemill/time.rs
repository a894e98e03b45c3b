//! Times as people write them: milliseconds, dates in UTC, or so long ago.

use std::time::Duration;

use tidemill::record::Timestamp;

/// A point in time on a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    At(Timestamp),
    Ago(Duration),
}

impl When {
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            When::At(time) => time,
            When::Ago(time) => {
                let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                Timestamp::from_millis(now.as_millis().saturating_sub(millis))
            }
        }
    }
}

impl std::str::FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(millis) = text.parse() {
            return Ok(When::At(Timestamp::from_millis(millis)));
        }
        if let Ok(ago) = duration(text) {
            return Ok(When::Ago(ago));
        }
        date(text).map(|millis| When::At(Timestamp::from_millis(millis))).ok_or_else(|| {
            format!(
                "`{text}` is no time: write milliseconds since 1970, a date in UTC such as `2026-11-22T10:30:00`, or how long \
                 ago, such as `90s`, `15m`, `6h`, `3d`"
            )
        })
    }
}

/// A length of time such as `90s`, `15m`, `6h`, `3d`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[end..] {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let millis = text[..end].parse::<u64>().ok().zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
    let wrong =
        || format!("`{text}` is no length of time: write a number and `ms`, `s`, `m`, `h` or `d`, such as `15m`");
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

/// `YYYY-MM-DD`, with `THH:MM`, `THH:MM:SS` or `THH:MM:SS.mmm` behind it or not, and a `Z` or not.
fn date(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (day, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let parts: Vec<i64> = day.split('-').map(number).collect::<Option<_>>()?;
    let &[year, month, day] = parts.as_slice() else { return None };
    let (clock, millis) = match clock.split_once('.') {
        Some((clock, millis)) if millis.len() == 3 => (clock, number(millis)?),
        Some(_) => return None,
        None => (clock, 0),
    };
    let parts: Vec<i64> = clock.split(':').map(number).collect::<Option<_>>()?;
    let (hour, minute, second) = match *parts.as_slice() {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let days = days_from_civil(year, month, day);
    let fits = civil_from_days(days) == (year, month, day) && hour < 24 && minute < 60 && second < 60;
    fits.then_some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + millis)
}

fn number(digits: &str) -> Option<i64> {
    let is_number = !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// A time in UTC: `2026-11-22T10:30:00.000Z`; milliseconds where a date has no such form.
pub(crate) fn show(time: Timestamp) -> String {
    let millis = time.as_millis();
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    if !(0..=2_932_896).contains(&days) {
        return millis.to_string();
    }
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1_000)
}

/// Days since 1970 of a date in the Gregorian calendar; years are counted from March on, so that a leap day is the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days - era * 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let (day, month) =
        (of_year - (153 * from_march + 2) / 5 + 1, if from_march < 10 { from_march + 3 } else { from_march - 9 });
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        let When::At(time) = text.parse().unwrap() else { panic!("`{text}` is a point in time") };
        time.as_millis()
    }

    #[test]
    fn dates_and_milliseconds_are_the_same_times() {
        for (text, millis) in [
            ("1970-01-01", 0),
            ("2000-02-29T12:00", 951_825_600_000),
            ("2026-11-22T10:30:05Z", 1_795_343_405_000),
            ("2026-11-22 10:30:05.250", 1_795_343_405_250),
            ("1795343405250", 1_795_343_405_250),
        ] {
            assert_eq!(at(text), millis, "{text}");
        }
        for days in (0..2_932_896).step_by(97) {
            let time = Timestamp::from_millis(days * 86_400_000 + 3_723_004);
            assert_eq!(at(&show(time)), time.as_millis());
        }
        assert_eq!(show(Timestamp::from_millis(-1)), "-1");
    }

    #[test]
    fn so_long_ago_is_counted_from_now() {
        let when: When = "15m".parse().unwrap();
        assert_eq!(when.from(Timestamp::from_millis(1_000_000)), Timestamp::from_millis(100_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "now", "2026-13-01", "2026-02-29", "2026-11-22T24:00", "2026-11-22T10", "10x", "5 m"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
