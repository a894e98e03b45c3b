//! The versions of a row: what it was from when to when.
//!
//! Rule: versions lie in the order of their times, one per time; each is valid until the next one, the last one for ever. A
//! version without value says that the row was gone.

use std::ops::RangeInclusive;

use crate::record::{Decoder, Encoder, Timestamp};
use crate::serde::{Serde, SerdeError, SerdeRef};

/// A row as it was from a time on.
pub(super) struct Entry<V> {
    pub(super) from: Timestamp,
    pub(super) value: Option<V>,
}

/// The versions of one row, the oldest first. There is at least one.
pub(super) struct History<V>(Vec<Entry<V>>);

/// A version of a row, lent: its value and when it was valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<V> {
    /// The value.
    pub value: V,
    /// From this time on, included.
    pub from: Timestamp,
    /// Up to this time, not included; `None` for the latest version.
    pub to: Option<Timestamp>,
}

impl<V> History<V> {
    pub(super) fn new(from: Timestamp, value: Option<V>) -> Self {
        History(vec![Entry { from, value }])
    }

    /// Sets the version that begins at `from`. Gives where the next one begins.
    pub(super) fn set(&mut self, from: Timestamp, value: Option<V>) -> Option<Timestamp> {
        let place = self.0.partition_point(|entry| entry.from < from);
        match self.0.get_mut(place) {
            Some(there) if there.from == from => there.value = value,
            _ => self.0.insert(place, Entry { from, value }),
        }
        self.0.get(place + 1).map(|next| next.from)
    }

    /// The version that begins at `from`.
    pub(super) fn at(&self, from: Timestamp) -> Option<&Option<V>> {
        let place = self.0.binary_search_by_key(&from, |entry| entry.from).ok()?;
        Some(&self.0[place].value)
    }

    /// The latest version, whether it has a value or not.
    pub(super) fn latest(&self) -> Option<&Entry<V>> {
        self.0.last()
    }

    /// The version that is valid at a time, if the row is there then.
    pub(super) fn as_of(&self, time: Timestamp) -> Option<Version<&V>> {
        let place = self.0.partition_point(|entry| entry.from <= time).checked_sub(1)?;
        let entry = &self.0[place];
        let to = self.0.get(place + 1).map(|next| next.from);
        entry.value.as_ref().map(|value| Version { value, from: entry.from, to })
    }

    /// The versions that are valid at some time in `times`, the oldest first.
    pub(super) fn during(&self, times: &RangeInclusive<Timestamp>) -> impl DoubleEndedIterator<Item = Version<&V>> {
        let first = self.0.partition_point(|entry| entry.from <= *times.start()).saturating_sub(1);
        let behind = self.0.partition_point(|entry| entry.from <= *times.end()).max(first);
        (first..behind).filter_map(|place| {
            let entry = &self.0[place];
            let to = self.0.get(place + 1).map(|next| next.from);
            entry.value.as_ref().map(|value| Version { value, from: entry.from, to })
        })
    }

    /// Drops the versions that ended at or before `time`; gives whether any is left. A row that is gone since then has none.
    pub(super) fn expire(&mut self, time: Timestamp) -> bool {
        let ended = self.0.partition_point(|entry| entry.from <= time).saturating_sub(1);
        self.0.drain(..ended);
        // A version without value says nothing where none is before it.
        if self.0.first().is_some_and(|first| first.value.is_none() && first.from <= time) {
            self.0.remove(0);
        }
        !self.0.is_empty()
    }

    /// When the next version can be dropped: when the oldest one ends, or, without value, begins.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        match self.0.as_slice() {
            [Entry { from, value: None }, ..] => Some(*from),
            [_, next, ..] => Some(next.from),
            _ => None,
        }
    }
}

/// Writes a history: the number of versions, then for each the time from which it is valid and its value.
pub(super) struct HistorySerde<V: 'static>(pub(super) SerdeRef<V>);

impl<V: 'static> Serde<History<V>> for HistorySerde<V> {
    fn write(&self, history: &History<V>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let mut out = Encoder(out);
        out.number(history.0.len() as u64);
        for Entry { from, value } in &history.0 {
            out.time(*from);
            let mut written = Ok(());
            out.option(value.as_ref(), |out, value| written = out.filled(|bytes| self.0.write(value, bytes)));
            written?;
        }
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<History<V>, SerdeError> {
        let cut_off = |cause| SerdeError::new("the bytes of a row's versions are cut off").with_source(cause);
        let mut bytes = Decoder::new(bytes);
        let mut versions = Vec::new();
        for _ in 0..bytes.number().map_err(cut_off)? {
            let from = bytes.time().map_err(cut_off)?;
            let value = bytes.option(Decoder::bytes).map_err(cut_off)?;
            versions.push(Entry { from, value: value.map(|value| self.0.read(value)).transpose()? });
        }
        Ok(History(versions))
    }

    fn name(&self) -> String {
        format!("history of {}", self.0.name())
    }
}
