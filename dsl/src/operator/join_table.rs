//! Stream-table join: looks the record's key up in the table as it stands at this moment.
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
        let mut joined = None;
        let Some(value) = record.value.plain() else {
            ctx.drop_record(DropReason::NullValue);
            return Ok(());
        };
        let mut visit = |row: Option<(&T, Timestamp)>| {
            let row = row.map(|(row, _)| row);
            if row.is_some() || self.padding == Padding::Pad {
                joined = Some((self.join)(record.key, value, row)?);
            }
            Ok(())
        };
        match record.key.plain() {
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
