//! How values of settings are written.
//!
//! Rule: what is written is read as the same value. A number that would need a unit is refused without one.

use std::marker::PhantomData;
use std::time::Duration;

use tidemill_dsl::processor::{ErrorHandler, PartialEffects, Verdict};
use tidemill_dsl::record::name_fault;
use tidemill_dsl::state::Changelog;
use tidemill_dsl::topology::OffsetReset;

use crate::log::Durability;
use crate::runtime::OnError;
use crate::store::StoreEngine;

/// How the values of one setting are written.
pub(super) trait Notation {
    type Value;

    /// What can be written, in words.
    fn unit() -> String;

    /// The value that a text stands for, or why it stands for none. The reason is shown.
    fn read(text: &str) -> Result<Self::Value, String>;

    fn write(value: &Self::Value) -> String;
}

/// `100ms`, `1min30s`.
pub(super) struct Time;

/// From the longest to the shortest.
const TIME_UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Notation for Time {
    type Value = Duration;

    fn unit() -> String {
        "a duration".into()
    }

    fn read(text: &str) -> Result<Duration, String> {
        let fault = || format!("`{text}` is not a duration: write it as `100ms`, `5s`, `10min`, `2h` or `1min30s`");
        let (mut rest, mut nanos) = (text.trim(), 0_u128);
        if !rest.is_empty() && rest.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(format!("`{rest}` has no unit: write `{rest}ms`, `{rest}s` or another one"));
        }
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
            let number: u128 = rest[..digits].parse().map_err(|_| fault())?;
            let behind = &rest[digits..];
            let letters = behind.len() - behind.trim_start_matches(|letter: char| letter.is_ascii_lowercase()).len();
            let unit = TIME_UNITS.iter().find(|(unit, _)| *unit == &behind[..letters]).ok_or_else(fault)?;
            nanos = number.checked_mul(unit.1).and_then(|more| nanos.checked_add(more)).ok_or_else(fault)?;
            rest = behind[letters..].trim_start();
        }
        let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| fault())?;
        let below = (nanos % 1_000_000_000) as u32;
        if text.trim().is_empty() { Err(fault()) } else { Ok(Duration::new(seconds, below)) }
    }

    fn write(value: &Duration) -> String {
        let (mut nanos, mut text) = (value.as_nanos(), String::new());
        for (unit, size) in TIME_UNITS {
            if nanos >= size {
                text.push_str(&format!("{}{unit}", nanos / size));
                nanos %= size;
            }
        }
        if text.is_empty() { "0s".into() } else { text }
    }
}

/// A duration, or that it does not happen.
pub(super) struct TimeOrOff;

impl Notation for TimeOrOff {
    type Value = Option<Duration>;

    fn unit() -> String {
        "a duration, or `off`".into()
    }

    fn read(text: &str) -> Result<Option<Duration>, String> {
        if text == "off" { Ok(None) } else { Time::read(text).map(Some).map_err(|fault| format!("{fault}, or `off`")) }
    }

    fn write(value: &Option<Duration>) -> String {
        value.as_ref().map_or_else(|| "off".into(), Time::write)
    }
}

/// A number of bytes: `65536`, `64KiB`, `256MiB`.
pub(super) struct Bytes<T>(PhantomData<T>);

const BYTE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl<T: TryFrom<u64> + TryInto<u64> + Copy> Notation for Bytes<T> {
    type Value = T;

    fn unit() -> String {
        "bytes".into()
    }

    fn read(text: &str) -> Result<T, String> {
        let fault = || format!("`{text}` is not a number of bytes: write it as `65536`, `64KiB`, `256MiB` or `1GiB`");
        let (digits, size) = match BYTE_UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size))) {
            Some((digits, size)) => (digits.trim_end(), size),
            None => (text, 1),
        };
        let number = digits.replace('_', "").parse::<u64>().ok().and_then(|number| number.checked_mul(size));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(fault)
    }

    fn write(value: &T) -> String {
        let bytes: u64 = (*value).try_into().unwrap_or(u64::MAX);
        match BYTE_UNITS.iter().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size)) {
            Some((unit, size)) if *size > 1 => format!("{}{unit}", bytes / size),
            _ => bytes.to_string(),
        }
    }
}

/// How many: `4`, `200_000`.
pub(super) struct Count<T>(PhantomData<T>);

impl<T: TryFrom<u64> + TryInto<u64> + Copy> Notation for Count<T> {
    type Value = T;

    fn unit() -> String {
        "a number".into()
    }

    fn read(text: &str) -> Result<T, String> {
        let number = text.replace('_', "").parse::<u64>().ok().and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("`{text}` is not a number from 0 up, or it is too large"))
    }

    fn write(value: &T) -> String {
        let count: u64 = (*value).try_into().unwrap_or(u64::MAX);
        count.to_string()
    }
}

/// A value that has a name.
pub(super) trait Named: Clone + PartialEq + 'static {
    const NAMES: &'static [(&'static str, Self)];
}

/// One of several names.
pub(super) struct Choice<T>(PhantomData<T>);

impl<T: Named> Notation for Choice<T> {
    type Value = T;

    fn unit() -> String {
        one_of(T::NAMES.iter().map(|(name, _)| *name))
    }

    fn read(text: &str) -> Result<T, String> {
        let found = T::NAMES.iter().find(|(name, _)| *name == text).map(|(_, value)| value.clone());
        found.ok_or_else(|| format!("`{text}` is none of its values: write {}", Self::unit()))
    }

    fn write(value: &T) -> String {
        // Those of other features have no name here.
        T::NAMES.iter().find(|(_, named)| named == value).map_or("", |(name, _)| name).into()
    }
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

impl Named for bool {
    const NAMES: &'static [(&'static str, bool)] = &[("true", true), ("false", false)];
}

impl Named for Changelog {
    const NAMES: &'static [(&'static str, Changelog)] = &[
        ("every_update", Changelog::EveryUpdate),
        ("last_per_commit", Changelog::LastPerCommit),
        ("off", Changelog::Off),
    ];
}

impl Named for PartialEffects {
    const NAMES: &'static [(&'static str, PartialEffects)] =
        &[("undo", PartialEffects::Undo), ("keep", PartialEffects::Keep)];
}

impl Named for OnError {
    const NAMES: &'static [(&'static str, OnError)] = &[
        ("stop_client", OnError::StopClient),
        ("replace_workers", OnError::ReplaceWorkers),
        ("stop_application", OnError::StopApplication),
    ];
}

impl Named for StoreEngine {
    const NAMES: &'static [(&'static str, StoreEngine)] = &[
        ("fjall", StoreEngine::Fjall),
        #[cfg(feature = "rocksdb")]
        ("rocksdb", StoreEngine::RocksDb),
    ];
}

/// What keeps stores. One may be a feature that the program was built without.
pub(super) struct Engine;

impl Notation for Engine {
    type Value = StoreEngine;

    fn unit() -> String {
        "`fjall`, or with the feature `rocksdb`".into()
    }

    fn read(text: &str) -> Result<StoreEngine, String> {
        Choice::read(text)
    }

    fn write(value: &StoreEngine) -> String {
        Choice::write(value)
    }
}

/// `never`, `every_commit`, or the interval.
pub(super) struct DiskWait;

impl Notation for DiskWait {
    type Value = Durability;

    fn unit() -> String {
        "a duration, `never` or `every_commit`".into()
    }

    fn read(text: &str) -> Result<Durability, String> {
        match text {
            "never" => Ok(Durability::Never),
            "every_commit" => Ok(Durability::EveryCommit),
            interval => {
                let fault = |fault| format!("{fault}, or `never` or `every_commit`");
                Time::read(interval).map(Durability::Interval).map_err(fault)
            }
        }
    }

    fn write(value: &Durability) -> String {
        match value {
            Durability::Never => "never".into(),
            Durability::EveryCommit => "every_commit".into(),
            Durability::Interval(interval) => Time::write(interval),
        }
    }
}

/// `earliest`, `latest`, `fail`, or how long ago.
pub(super) struct Beginning;

impl Notation for Beginning {
    type Value = OffsetReset;

    fn unit() -> String {
        "`earliest`, `latest`, `fail`, or a duration before now".into()
    }

    fn read(text: &str) -> Result<OffsetReset, String> {
        match text {
            "earliest" => Ok(OffsetReset::Earliest),
            "latest" => Ok(OffsetReset::Latest),
            "fail" => Ok(OffsetReset::Fail),
            ago => {
                let fault = |fault| format!("{fault}, or `earliest`, `latest` or `fail`");
                Time::read(ago).map(OffsetReset::Since).map_err(fault)
            }
        }
    }

    fn write(value: &OffsetReset) -> String {
        match value {
            OffsetReset::Earliest => "earliest".into(),
            OffsetReset::Latest => "latest".into(),
            OffsetReset::Fail => "fail".into(),
            OffsetReset::Since(ago) => Time::write(ago),
        }
    }
}

/// `fail`, `skip`, `dead_letter:<topic>`. A function can be shown only.
pub(super) struct Handler;

impl Notation for Handler {
    type Value = ErrorHandler;

    fn unit() -> String {
        "`fail`, `skip` or `dead_letter:<topic>`".into()
    }

    fn read(text: &str) -> Result<ErrorHandler, String> {
        match (text, text.strip_prefix("dead_letter:")) {
            ("fail", _) => Ok(ErrorHandler::fail()),
            ("skip", _) => Ok(ErrorHandler::skip()),
            (_, Some(topic)) => match name_fault(topic, 249) {
                None => Ok(ErrorHandler::dead_letter(topic)),
                Some(fault) => Err(format!("`{topic}` is no name of a topic: {fault}")),
            },
            _ => Err(format!("`{text}` is none of its values: write {}", Self::unit())),
        }
    }

    fn write(value: &ErrorHandler) -> String {
        match value.verdict() {
            Some(Verdict::Fail) => "fail".into(),
            Some(Verdict::Skip) => "skip".into(),
            Some(Verdict::DeadLetter(topic)) => format!("dead_letter:{topic}"),
            None => "a function of the program".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn same<N: Notation>(value: N::Value, text: &str)
    where
        N::Value: PartialEq + Debug,
    {
        assert_eq!(N::write(&value), text);
        assert_eq!(N::read(text), Ok(value));
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for (nanos, text) in [
            (0, "0s"),
            (50_000_000, "50ms"),
            (90_000_000_000, "1min30s"),
            (300_000_000_000, "5min"),
            (86_400_000_000_000, "1d"),
            (1_001, "1us1ns"),
        ] {
            same::<Time>(Duration::from_nanos(nanos), text);
        }
        same::<Time>(Duration::MAX, &Time::write(&Duration::MAX));
        same::<TimeOrOff>(None, "off");
        same::<TimeOrOff>(Some(Duration::from_secs(5)), "5s");
        for (bytes, text) in [(0, "0"), (1_000, "1000"), (1 << 10, "1KiB"), (256 << 20, "256MiB"), (5 << 30, "5GiB")] {
            same::<Bytes<u64>>(bytes, text);
        }
        same::<Count<usize>>(200_000, "200000");
        same::<Choice<bool>>(false, "false");
        for (durability, text) in [
            (Durability::Never, "never"),
            (Durability::EveryCommit, "every_commit"),
            (Durability::Interval(Duration::from_millis(50)), "50ms"),
        ] {
            same::<DiskWait>(durability, text);
        }
        for (reset, text) in [
            (OffsetReset::Earliest, "earliest"),
            (OffsetReset::Latest, "latest"),
            (OffsetReset::Fail, "fail"),
            (OffsetReset::Since(Duration::from_secs(7_200)), "2h"),
        ] {
            same::<Beginning>(reset, text);
        }
        for text in ["fail", "skip", "dead_letter:unreadable"] {
            assert_eq!(Handler::write(&Handler::read(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_not_clear_is_refused_with_what_to_write() {
        for (fault, part) in [
            (Time::read("100").unwrap_err(), "`100ms`"),
            (Time::read("").unwrap_err(), "`5s`"),
            (Time::read("5 weeks").unwrap_err(), "`5s`"),
            (Time::read("-5s").unwrap_err(), "`5s`"),
            (Time::read("99999999999999999999d").unwrap_err(), "not a duration"),
            (Bytes::<u64>::read("5MB").unwrap_err(), "`256MiB`"),
            (Bytes::<u64>::read("99999999999GiB").unwrap_err(), "not a number of bytes"),
            (Count::<u32>::read("-1").unwrap_err(), "from 0 up"),
            (Choice::<bool>::read("yes").unwrap_err(), "`true` or `false`"),
            (Choice::<Changelog>::read("on").unwrap_err(), "`every_update`, `last_per_commit` or `off`"),
            (DiskWait::read("always").unwrap_err(), "`every_commit`"),
            (Beginning::read("newest").unwrap_err(), "`latest`"),
            (Handler::read("dead_letter:a b").unwrap_err(), "no name of a topic"),
        ] {
            assert!(fault.contains(part), "{fault}");
        }
    }
}
