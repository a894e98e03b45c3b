//! Table-table join on one key: a change on one side is joined with the row that the other side has now.
//!
//! Rule: a result is there while every side that must be there is, and one of the two at least. The result's time is the
//! greater of both rows'. A change makes no result when the other side has no row and must have one, and, where neither must,
//! when it deletes a key that neither side has; anything else comes out, also a tombstone for a result that never was. Of a versioned table only what is the
//! latest of its key counts.

use std::sync::Arc;

use super::ReadRow;
use super::TableStore;
use super::read_row::{Fetched, Visit};
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, TableOf, TaskState};
use crate::record::{Change, Timestamp};

/// Which rows must be there for a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Required {
    /// That of the side that the operator or reader is on; of the left one for a reader.
    pub(crate) this: bool,
    /// That of the other side.
    pub(crate) other: bool,
}

impl Required {
    /// Seen from the other side.
    pub(crate) fn turned(self) -> Self {
        Required { this: self.other, other: self.this }
    }

    /// Whether two rows, there or not, make a result.
    fn met(self, this: bool, other: bool) -> bool {
        (this || !self.this) && (other || !self.other) && (this || other)
    }
}

/// One side of a join.
pub(crate) struct JoinSide<K, V2, F> {
    pub(crate) other: Box<dyn ReadRow<K, V2>>,
    pub(crate) required: Required,
    /// Whether a node below wants the result as it was before the change: the old row with what the other side has now.
    pub(crate) sends_old: bool,
    /// Takes the row of this side first.
    pub(crate) join: F,
}

impl<K, V, V2, R, F> Operator<TableOf<K, V>, TableOf<K, R>> for JoinSide<K, V2, F>
where
    K: 'static,
    V: 'static,
    V2: 'static,
    R: 'static,
    F: Fn(&K, Option<&V>, Option<&V2>) -> Result<Option<R>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, R>>) -> Flow {
        if !change.is_latest {
            ctx.drop_record(DropReason::OutOfOrder);
            return Ok(());
        }
        let Change { key, new, headers, is_latest, .. } = change;
        let old = change.old.and_then(Option::as_ref);
        let mut joined = None;
        self.other.read(key, None, ctx.task(), &mut |row| {
            let (other, other_time) = row.unzip();
            if other.is_none() && (self.required.other || (new.is_none() && old.is_none())) {
                return Ok(());
            }
            let result = |this: Option<&V>| match self.required.met(this.is_some(), other.is_some()) {
                true => (self.join)(key, this, other),
                false => Ok(None),
            };
            let time = other_time.map_or(change.timestamp, |time| time.max(change.timestamp));
            joined = Some((result(new.as_ref())?, self.sends_old.then(|| result(old)).transpose()?, time));
            Ok(())
        })?;
        let Some((new, old, timestamp)) = joined else { return Ok(()) };
        ctx.push(Change { key, new: &new, old: old.as_ref(), timestamp, headers, is_latest })
    }
}

/// Keeps the results of both sides.
pub(crate) struct KeepJoined<K: 'static, R: 'static>(pub(crate) TableStore<K, R>);

impl<K: 'static, R: Clone + Send + 'static> Operator<TableOf<K, R>, TableOf<K, R>> for KeepJoined<K, R> {
    fn process(&self, change: Change<'_, K, R>, ctx: &mut NodeContext<'_, TableOf<K, R>>) -> Flow {
        self.0.store(change, ctx)
    }
}

/// The row of a join, joined when it is read.
pub(crate) struct JoinedRow<K, V, V2, F> {
    pub(crate) left: Box<dyn ReadRow<K, V>>,
    pub(crate) right: Box<dyn ReadRow<K, V2>>,
    pub(crate) required: Required,
    pub(crate) join: Arc<F>,
}

impl<K, V, V2, R, F> ReadRow<K, R> for JoinedRow<K, V, V2, F>
where
    F: Fn(&K, Option<&V>, Option<&V2>) -> Result<Option<R>, ProcessError> + Send + Sync,
{
    fn read(
        &self,
        key: &K,
        as_of: Option<Timestamp>,
        task: &mut TaskState,
        visit: Visit<'_, R>,
    ) -> Result<(), ProcessError> {
        let row = self.fetch(key, as_of, task)?;
        visit(row.as_ref().map(|(value, timestamp)| (value, *timestamp)))
    }

    /// A join of versioned tables keeps no versions, so the latest rows are joined whatever the time.
    fn fetch(&self, key: &K, _: Option<Timestamp>, task: &mut TaskState) -> Result<Fetched<R>, ProcessError> {
        let (right, right_time) = self.right.fetch(key, None, task)?.unzip();
        let mut joined = None;
        self.left.read(key, None, task, &mut |row| {
            let (left, left_time) = row.unzip();
            if self.required.met(left.is_some(), right.is_some()) {
                let value = (self.join)(key, left, right.as_ref())?;
                // One of the two is there.
                joined = value.zip(left_time.max(right_time));
            }
            Ok(())
        })?;
        Ok(joined)
    }
}
