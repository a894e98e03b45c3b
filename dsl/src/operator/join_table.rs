//! Stream-table join: looks a key up in the table as it stands at this moment, the record's own or, for a global table, one
//! made from the record.
//!
//! Only the stream side produces results; they have its time and headers. A record without value is dropped.

use super::ReadRow;
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::{Record, Timestamp};
use crate::serde::Data;

/// What becomes of a record that finds no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// Nothing comes out: inner join.
    Drop,
    /// It comes out without a row, also when it has no key: left join.
    Pad,
}

pub(crate) struct JoinTable<K, T, F> {
    pub(crate) table: Box<dyn ReadRow<K, T>>,
    pub(crate) padding: Padding,
    pub(crate) join: F,
}

impl<K, V, T, R, F> Operator<StreamOf<K, V>, StreamOf<K, R>> for JoinTable<K::Plain, T, F>
where
    K: Data,
    V: Data,
    T: 'static,
    R: 'static,
    F: Fn(&K, &V::Plain, Option<&T>) -> Result<R, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, R>>) -> Flow {
        match record.value.plain() {
            Some(value) => self.join(record, value, record.key.plain(), ctx),
            None => {
                ctx.drop_record(DropReason::NullValue);
                Ok(())
            }
        }
    }
}

impl<TK, T, F> JoinTable<TK, T, F> {
    /// Joins a record with the row of `key`.
    fn join<K, V: Data, R: 'static>(
        &self,
        record: Record<'_, K, V>,
        value: &V::Plain,
        key: Option<&TK>,
        ctx: &mut NodeContext<'_, StreamOf<K, R>>,
    ) -> Flow
    where
        K: 'static,
        F: Fn(&K, &V::Plain, Option<&T>) -> Result<R, ProcessError>,
    {
        let mut joined = None;
        let mut visit = |row: Option<(&T, Timestamp)>| {
            let row = row.map(|(row, _)| row);
            if row.is_some() || self.padding == Padding::Pad {
                joined = Some((self.join)(record.key, value, row)?);
            }
            Ok(())
        };
        match key {
            Some(key) => self.table.read(key, Some(record.timestamp), ctx.task(), &mut visit)?,
            None if self.padding == Padding::Pad => visit(None)?,
            None => ctx.drop_record(DropReason::NullKey),
        }
        match &joined {
            Some(joined) => ctx.forward(record.with_value(joined)),
            None => Ok(()),
        }
    }
}

/// Joins with the row of a key that is made from the record.
pub(crate) struct JoinGlobal<TK, T, S, F> {
    pub(crate) select: S,
    pub(crate) join: JoinTable<TK, T, F>,
}

impl<K, V, TK, T, R, S, F> Operator<StreamOf<K, V>, StreamOf<K, R>> for JoinGlobal<TK, T, S, F>
where
    K: Data,
    V: Data,
    TK: 'static,
    T: 'static,
    R: 'static,
    S: Fn(&K, &V::Plain) -> Option<TK> + Send + Sync + 'static,
    F: Fn(&K, &V::Plain, Option<&T>) -> Result<R, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, R>>) -> Flow {
        match record.value.plain() {
            Some(value) => self.join.join(record, value, (self.select)(record.key, value).as_ref(), ctx),
            None => {
                ctx.drop_record(DropReason::NullValue);
                Ok(())
            }
        }
    }
}
