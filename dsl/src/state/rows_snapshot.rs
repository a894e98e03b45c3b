//! Copies of typed rows as canonical bytes: rows in the order of their keys, what the changelog is owed, the cache.

use std::ops::ControlFlow;

use super::cell::Mark;
use super::typed_rows::{TypedRows, WholeRow};
use super::{Direction, KeyRange, StoreError, StoreErrorKind};
use crate::record::{CutOff, Decoder, Encoder};

impl<V: Send + 'static> TypedRows<V> {
    /// Appends rows and debts as canonical bytes: the same whatever lies in memory and what below.
    pub(super) fn write_snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        let values = self.values.clone();
        let (mut failure, has_headers) = (None, self.format.has_headers());
        let floor = self.floor.clone();
        self.walk_whole(&KeyRange::ALL, Direction::Forward, &mut |key, whole| {
            let WholeRow { value, timestamp, headers, entry } = whole;
            // What the bytes below still have of rows that are over is no part of the state.
            if key < floor.as_slice() && entry.is_none() {
                return ControlFlow::Continue(());
            }
            let mut row = Encoder(&mut rows);
            row.bytes(key);
            row.time(timestamp);
            if has_headers {
                row.headers(headers);
            }
            match row.filled(|out| values.write(value, out)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failure {
            return Err(self.unwritable(error));
        }
        let mut out = Encoder(out);
        out.bytes(&rows);
        out.number(self.unlogged.len() as u64);
        for id in &self.unlogged {
            out.bytes(&self.cells.key(*id));
            out.time(self.cells.get(*id).timestamp);
            self.snapshot_headers(*id, &mut out);
        }
        self.snapshot_cache(out.0)
    }

    /// Sets empty rows from what `write_snapshot` wrote.
    pub(super) fn read_snapshot(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut bytes = Decoder::new(bytes);
        let mut rows = Decoder::new(bytes.bytes().map_err(cut_off)?);
        while !rows.is_at_end() {
            let (key, timestamp) = (rows.bytes().map_err(cut_off)?, rows.time().map_err(cut_off)?);
            let id = self.cells.insert(key, None, timestamp);
            self.restore_headers(id, &mut rows)?;
            let value = self.decode_value(rows.bytes().map_err(cut_off)?)?;
            self.cells.get_mut(id).value = Some(value);
            if self.below.is_some() {
                self.cells.get_mut(id).set(Mark::Unflushed);
                self.unflushed.push(id);
            }
        }
        for _ in 0..bytes.number().map_err(cut_off)? {
            let (key, timestamp) = (bytes.bytes().map_err(cut_off)?, bytes.time().map_err(cut_off)?);
            let id = self.claim_bytes(key)?;
            let cell = self.cells.get_mut(id);
            cell.set(Mark::Unlogged);
            cell.timestamp = timestamp;
            self.unlogged.push(id);
            self.restore_headers(id, &mut bytes)?;
        }
        self.restore_cache(&mut bytes)
    }

    /// Appends the headers of a cell's row as canonical bytes, where rows have any.
    pub(super) fn snapshot_headers(&self, id: u32, out: &mut Encoder<'_>) {
        if let Some(headers) = &self.headers {
            out.headers(headers.get(id));
        }
    }

    /// Sets the headers of a cell's row from what `snapshot_headers` wrote.
    pub(super) fn restore_headers(&mut self, id: u32, bytes: &mut Decoder<'_>) -> Result<(), StoreError> {
        if let Some(headers) = &mut self.headers {
            headers.set(id, bytes.headers().map_err(cut_off)?);
        }
        Ok(())
    }
}

/// A snapshot ends too early.
pub(super) fn cut_off(error: CutOff) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "a snapshot of a store cannot be read").with_source(error)
}
