//! The versioned store of a task: of each row what it was from when to when, for a time back.
//!
//! Rule: what is older than the retention, counted from the greatest time put, is neither taken nor shown; the latest
//! version of a row stays for ever. The changelog has every version by itself: the row's key, the version's value, and the
//! time from which it is valid as the record's, as in Kafka Streams.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

use super::cells::KeyBytes;
use super::history::{History, HistorySerde};
use super::typed_rows::TypedRows;
use super::{
    Changelog, ChangelogOut, Checkpoint, Direction, Kept, KeyRange, PublishedRows, RowFormat, RowMemory, StateStore,
    StoreError, StoreErrorKind, Version, VersionedStore, VisitBytes,
};
use crate::record::{Decoder, Encoder, Headers, StoredRecord, Timestamp};
use crate::serde::SerdeRef;

/// The row that has the greatest time put, so that it is written, read and taken back like any other.
const TIME_ROW: &[u8] = &[0];
/// What goes before the key of every other row.
const ROW: u8 = 1;

/// What became of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is the row's latest one.
    Latest,
    /// It lies in the past: it is valid until this time.
    Until(Timestamp),
    /// It is older than what the store keeps, and was dropped.
    Dropped,
}

/// Versions of the rows of one store of one task.
pub struct VersionedState<K: 'static, V: 'static> {
    keys: SerdeRef<K>,
    values: SerdeRef<V>,
    /// In milliseconds.
    retention: i64,
    rows: TypedRows<History<V>>,
    /// The rows log nothing; versions are logged here.
    changelog: Changelog,
    /// Versions that the changelog has to get at the next commit, in the order in which they were put.
    unlogged: Vec<(KeyBytes, Timestamp)>,
    /// When something of a row can be dropped. Made from the rows.
    expiries: BTreeSet<(Timestamp, KeyBytes)>,
    journal: Option<Journal>,
    key_buffer: Vec<u8>,
}

/// What the rows' own journal does not know of the current record.
#[derive(Default)]
struct Journal {
    /// How many versions the changelog was owed before.
    unlogged: usize,
    /// What was taken from the expiries.
    expired: Vec<(Timestamp, KeyBytes)>,
}

impl<K: 'static, V: Send + 'static> VersionedState<K, V> {
    /// An empty store, or one over the rows that `kept.below` has.
    pub fn new(name: Arc<str>, store: &VersionedStore<K, V>, kept: Kept) -> Self {
        let (changelog, values) = (kept.changelog, store.value_serde().clone());
        let kept = Kept { changelog: Changelog::Off, cache: None, ..kept };
        let rows = TypedRows::new(name, SerdeRef::new(HistorySerde(values.clone())), RowFormat::Plain, kept);
        VersionedState {
            keys: store.key_serde().clone(),
            values,
            retention: in_millis(store.retention()),
            rows,
            changelog,
            unlogged: Vec::new(),
            expiries: BTreeSet::new(),
            journal: None,
            key_buffer: Vec::new(),
        }
    }

    /// The latest version of a row, if the row is there now.
    pub fn get(&mut self, key: &K) -> Result<Option<Version<&V>>, StoreError> {
        self.encode_key(key)?;
        let history = self.rows.get(&self.key_buffer)?;
        Ok(history.and_then(|(history, _)| latest(history)))
    }

    /// The version of a row that was valid at a time. Of times before the retention only the latest version is known.
    pub fn get_as_of(&mut self, key: &K, time: Timestamp) -> Result<Option<Version<&V>>, StoreError> {
        let known = self.limit()?.is_none_or(|limit| time >= limit);
        self.encode_key(key)?;
        let Some((history, _)) = self.rows.get(&self.key_buffer)? else { return Ok(None) };
        Ok(if known { history.as_of(time) } else { latest(history).filter(|version| version.from <= time) })
    }

    /// Visits the versions of a row that were valid at some time in `times`, in the order of times, until `visit` breaks. Of
    /// times that all lie before the retention only the latest version is known.
    pub(crate) fn walk_versions(
        &mut self,
        key: &K,
        times: &RangeInclusive<Timestamp>,
        direction: Direction,
        visit: &mut dyn FnMut(Version<&V>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let known = self.limit()?.is_none_or(|limit| *times.end() >= limit);
        self.encode_key(key)?;
        let Some((history, _)) = self.rows.get(&self.key_buffer)? else { return Ok(()) };
        let mut versions = history.during(times).filter(|version| known || version.to.is_none());
        // Whoever broke off knows it.
        let _ = match direction {
            Direction::Forward => versions.try_for_each(visit),
            Direction::Backward => versions.rev().try_for_each(visit),
        };
        Ok(())
    }

    /// Sets the version of a row that is valid from `from` on; without value the row is gone from then on.
    pub fn put(
        &mut self,
        key: &K,
        value: Option<V>,
        from: Timestamp,
        out: &mut ChangelogOut<'_>,
    ) -> Result<Put, StoreError> {
        self.encode_key(key)?;
        if self.changelog == Changelog::EveryUpdate {
            // Kafka Streams logs what it then drops as well.
            write_version(&self.values, &self.key_buffer[1..], from, value.as_ref(), out)
                .map_err(|error| self.rows.unwritable(error))?;
        }
        let put = self.write(value, from)?;
        if self.changelog == Changelog::LastPerCommit && put != Put::Dropped {
            self.unlogged.push((self.key_buffer[1..].into(), from));
        }
        Ok(put)
    }

    /// As `get`, copied by way of the value's bytes.
    pub(crate) fn fetch_latest(&mut self, key: &K) -> Result<Option<Version<V>>, StoreError> {
        let copier = self.copier();
        self.get(key)?.map(|version| copier.version(version)).transpose()
    }

    /// As `get_as_of`, copied by way of the value's bytes.
    pub(crate) fn fetch_as_of(&mut self, key: &K, time: Timestamp) -> Result<Option<Version<V>>, StoreError> {
        let copier = self.copier();
        self.get_as_of(key, time)?.map(|version| copier.version(version)).transpose()
    }

    /// As `version`, copied by way of the value's bytes.
    pub(crate) fn fetch_version(&mut self, key: &K, from: Timestamp) -> Result<Option<V>, StoreError> {
        let copier = self.copier();
        self.version(key, from)?.and_then(Option::as_ref).map(|value| copier.value(value)).transpose()
    }

    /// The value of the version that begins at `from`, lent.
    pub(crate) fn version(&mut self, key: &K, from: Timestamp) -> Result<Option<&Option<V>>, StoreError> {
        self.encode_key(key)?;
        Ok(self.rows.get(&self.key_buffer)?.and_then(|(history, _)| history.at(from)))
    }

    fn copier(&self) -> Copier<V> {
        Copier { name: self.rows.name().clone(), values: self.values.clone() }
    }

    fn encode_key(&mut self, key: &K) -> Result<(), StoreError> {
        self.key_buffer.clear();
        self.key_buffer.push(ROW);
        self.keys.write(key, &mut self.key_buffer).map_err(|error| self.rows.unwritable(error))
    }

    /// The greatest time put.
    fn observed(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.rows.get(TIME_ROW)?.and_then(|(history, _)| history.latest().map(|entry| entry.from)))
    }

    /// What ended at or before this time is neither taken nor shown.
    fn limit(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let retention = self.retention;
        Ok(self.observed()?.map(|time| Timestamp::from_millis(time.as_millis().saturating_sub(retention))))
    }

    /// Sets a version of the row whose key lies in the buffer.
    fn write(&mut self, value: Option<V>, from: Timestamp) -> Result<Put, StoreError> {
        if self.limit()?.is_some_and(|limit| from < limit) {
            return Ok(Put::Dropped);
        }
        if self.observed()?.is_none_or(|observed| from > observed) {
            let row = self.rows.claim(TIME_ROW)?;
            self.rows.replace(row, Some(History::new(from, None)), Timestamp::ZERO, &Headers::NONE);
            self.expire()?;
        }
        let row = self.rows.claim(&self.key_buffer)?;
        let (history, next) = match self.rows.take(row)? {
            Some((mut history, _)) => {
                let next = history.set(from, value);
                (history, next)
            }
            None => (History::new(from, value), None),
        };
        let key = KeyBytes::from_slice(&self.key_buffer);
        self.put_history(key, history)?;
        Ok(next.map_or(Put::Latest, Put::Until))
    }

    /// Puts a row's history back, without what can be dropped.
    fn put_history(&mut self, key: KeyBytes, mut history: History<V>) -> Result<(), StoreError> {
        let limit = self.limit()?;
        let row = self.rows.claim(&key)?;
        if limit.is_some_and(|limit| !history.expire(limit)) {
            self.rows.replace(row, None, Timestamp::ZERO, &Headers::NONE);
            return Ok(());
        }
        if let Some(expires) = history.expires() {
            self.expiries.insert((expires, key));
        }
        self.rows.replace(row, Some(history), Timestamp::ZERO, &Headers::NONE);
        Ok(())
    }

    /// Drops what has left the retention.
    fn expire(&mut self) -> Result<(), StoreError> {
        let Some(limit) = self.limit()? else { return Ok(()) };
        while let Some((_, key)) = self.expiries.first().filter(|(time, _)| *time <= limit) {
            let key = key.clone();
            let row = self.rows.claim(&key)?;
            let history = self.rows.take(row)?;
            let expired = self.expiries.pop_first();
            if let Some(journal) = &mut self.journal {
                journal.expired.extend(expired);
            }
            match history {
                Some((history, _)) => self.put_history(key, history)?,
                None => self.rows.replace(row, None, Timestamp::ZERO, &Headers::NONE),
            }
        }
        Ok(())
    }

    /// Finds out again when something of the rows can be dropped.
    fn find_expiries(&mut self) -> Result<(), StoreError> {
        let mut expiries = BTreeSet::new();
        self.rows.walk(&row_range(&KeyRange::ALL), Direction::Forward, &mut |key, history, _| {
            expiries.extend(history.expires().map(|time| (time, KeyBytes::from_slice(key))));
            ControlFlow::Continue(())
        })?;
        self.expiries = expiries;
        Ok(())
    }
}

/// Copies values, while the rows that have them are lent.
struct Copier<V: 'static> {
    name: Arc<str>,
    values: SerdeRef<V>,
}

impl<V: 'static> Copier<V> {
    fn value(&self, value: &V) -> Result<V, StoreError> {
        let mut bytes = Vec::new();
        let copied = self.values.write(value, &mut bytes).and_then(|()| self.values.read(&bytes));
        copied.map_err(|error| {
            let message = format!("store `{}` cannot copy a value by way of its bytes: {error}", self.name);
            StoreError::new(StoreErrorKind::Invalid, message).with_source(error)
        })
    }

    fn version(&self, version: Version<&V>) -> Result<Version<V>, StoreError> {
        Ok(Version { value: self.value(version.value)?, from: version.from, to: version.to })
    }
}

fn in_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn latest<V>(history: &History<V>) -> Option<Version<&V>> {
    let entry = history.latest()?;
    entry.value.as_ref().map(|value| Version { value, from: entry.from, to: None })
}

fn write_version<V: 'static>(
    values: &SerdeRef<V>,
    key: &[u8],
    from: Timestamp,
    value: Option<&V>,
    out: &mut ChangelogOut<'_>,
) -> Result<(), crate::serde::SerdeError> {
    out.write(key, from, &Headers::NONE, |bytes| match value {
        Some(value) => values.write(value, bytes).map(|()| true),
        None => Ok(false),
    })
}

/// A range of keys as one of rows.
fn row_range(range: &KeyRange) -> KeyRange {
    let row = |key: &Vec<u8>| [&[ROW], key.as_slice()].concat();
    KeyRange {
        from: match &range.from {
            Bound::Unbounded => Bound::Included(vec![ROW]),
            bound => bound.as_ref().map(row),
        },
        to: match &range.to {
            Bound::Unbounded => Bound::Excluded(vec![ROW + 1]),
            bound => bound.as_ref().map(row),
        },
    }
}

impl<K: 'static, V: Send + 'static> StateStore for VersionedState<K, V> {
    fn name(&self) -> &Arc<str> {
        self.rows.name()
    }

    fn changelog(&self) -> Changelog {
        self.changelog
    }

    fn log_changes(&mut self, out: &mut ChangelogOut<'_>) -> Result<(), StoreError> {
        let mut logged = BTreeSet::new();
        for (key, from) in std::mem::take(&mut self.unlogged) {
            self.key_buffer.clear();
            self.key_buffer.push(ROW);
            self.key_buffer.extend_from_slice(&key);
            let history = self.rows.get(&self.key_buffer)?;
            // A version that was dropped meanwhile is one that nobody will ask for. But it may have said that the row is
            // gone, which the changelog has to know.
            let value = history.and_then(|(history, _)| history.at(from)).and_then(Option::as_ref);
            if logged.insert((key.clone(), from)) {
                let written = write_version(&self.values, &key, from, value, out);
                written.map_err(|error| self.rows.unwritable(error))?;
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.unlogged = 0;
        }
        self.rows.log_changes(out)
    }

    fn apply(&mut self, record: &StoredRecord<'_>) -> Result<(), StoreError> {
        let name = self.rows.name();
        let key = record.key.ok_or_else(|| {
            let message = format!("the changelog of store `{name}` has a record without a key");
            StoreError::new(StoreErrorKind::Corrupt, message)
        })?;
        self.key_buffer.clear();
        self.key_buffer.push(ROW);
        self.key_buffer.extend_from_slice(key);
        let value = record.value.map(|bytes| self.values.read(bytes)).transpose();
        let value = value.map_err(|error| self.rows.unreadable("a value of its changelog", error))?;
        self.write(value, record.timestamp).map(|_| ())
    }

    fn unflushed(&self) -> usize {
        self.rows.unflushed()
    }

    fn flush(&mut self, at: Checkpoint) -> Result<(), StoreError> {
        self.rows.flush(at)
    }

    fn memory(&self) -> RowMemory {
        self.rows.memory()
    }

    fn shrink(&mut self, bytes: u64) {
        self.rows.shrink(bytes);
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.rows.checkpoint()
    }

    fn journal(&mut self, on: bool) {
        self.rows.journal(on);
        self.journal = on.then(|| Journal { unlogged: self.unlogged.len(), expired: Vec::new() });
    }

    fn keep(&mut self) {
        self.rows.keep();
        if let Some(journal) = &mut self.journal {
            *journal = Journal { unlogged: self.unlogged.len(), expired: Vec::new() };
        }
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        self.rows.undo()?;
        if let Some(journal) = &mut self.journal {
            self.unlogged.truncate(journal.unlogged);
            self.expiries.extend(journal.expired.drain(..));
        }
        Ok(())
    }

    fn wipe(&mut self) -> Result<(), StoreError> {
        self.unlogged.clear();
        self.expiries.clear();
        self.rows.wipe()
    }

    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let mut encoder = Encoder(out);
        encoder.number(self.unlogged.len() as u64);
        for (key, from) in &self.unlogged {
            encoder.bytes(key);
            encoder.time(*from);
        }
        encoder.filled(|out| self.rows.snapshot(out))
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let cut_off =
            |e| StoreError::new(StoreErrorKind::Corrupt, "a snapshot of a store cannot be read").with_source(e);
        let mut decoder = Decoder::new(bytes);
        self.unlogged.clear();
        for _ in 0..decoder.number().map_err(cut_off)? {
            let key = KeyBytes::from_slice(decoder.bytes().map_err(cut_off)?);
            self.unlogged.push((key, decoder.time().map_err(cut_off)?));
        }
        self.rows.restore(decoder.bytes().map_err(cut_off)?)?;
        self.find_expiries()
    }

    fn visit(&mut self, range: &KeyRange, direction: Direction, visit: VisitBytes<'_>) -> Result<(), StoreError> {
        let (values, mut bytes, mut unwritable) = (self.values.clone(), Vec::new(), None);
        self.rows.walk(&row_range(range), direction, &mut |key, history, _| {
            let Some(Version { value, from, .. }) = latest(history) else { return ControlFlow::Continue(()) };
            bytes.clear();
            match values.write(value, &mut bytes) {
                Ok(()) => visit(&key[1..], &bytes, from),
                Err(error) => {
                    unwritable = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        unwritable.map_or(Ok(()), |error| Err(self.rows.unwritable(error)))
    }

    fn publish(&mut self) -> Result<Arc<PublishedRows>, StoreError> {
        self.rows.publish()
    }
}
