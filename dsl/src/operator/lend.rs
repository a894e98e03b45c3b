//! Changes a row of a store and lends it to the nodes below, at once or when the store's cache lets go of the change.
//!
//! The store leaves its slot while its row is pushed, so that the row need not be copied. Where a node below uses the same
//! store it stays, and the row is copied by way of its serde.

use crate::processor::{Flow, NodeContext, Outlet, ProcessError, TableOf, TaskState};
use crate::record::{Change, Headers, Timestamp};
use crate::state::{Before, Cause, CellId, Held, KeyedRows, Release};
use crate::topology::{FlushCache, StoreSlot};

/// A row: its value, if it is there, and its time.
pub(super) type Row<V> = (Option<V>, Timestamp);

/// Gives `update` the row that is there, stores what it returns, and hands the change to the children. `cause` is what the
/// node was given.
pub(super) fn change_row<'c, S: KeyedRows>(
    slot: &StoreSlot<S>,
    key: &S::Key,
    cause: impl Into<Cause<'c>>,
    ctx: &mut NodeContext<'_, TableOf<S::Key, S::Value>>,
    update: impl FnOnce(Option<(S::Value, Timestamp)>) -> Result<Row<S::Value>, ProcessError>,
) -> Flow {
    let cause = cause.into();
    let mut store = ctx.task().take_state::<S>(slot.index);
    if store.rows().is_cached() {
        ctx.task().return_store(slot.index, store);
        return hold_row(slot, key, cause, ctx.task(), update);
    }
    let changed = change(&mut *store, slot, key, cause, ctx, update);
    let (outlet, task) = ctx.children();
    match changed {
        Ok(changed) => push_row(slot, key, (store, changed), cause.headers, outlet, task),
        Err(error) => {
            task.return_store(slot.index, store);
            Err(error)
        }
    }
}

/// Stores a row that a change brings, and hands that change on with the old row that it has: that of a join is not always the
/// one in the store. A cache tells of the row that it had.
pub(super) fn store_change<S: KeyedRows<Value: Clone>>(
    slot: &StoreSlot<S>,
    change: Change<'_, S::Key, S::Value>,
    ctx: &mut NodeContext<'_, TableOf<S::Key, S::Value>>,
) -> Flow {
    let (store, changelog) = ctx.task().state::<S>(slot.index);
    if store.rows().is_cached() {
        let row = |_| Ok((change.new.clone(), change.timestamp));
        return hold_row(slot, change.key, change.into(), ctx.task(), row);
    }
    let row = store.claim(change.key)?;
    store.set(row, change.new.clone(), change.timestamp, &mut changelog.caused_by(change.into()))?;
    ctx.push(change)
}

/// As [`change_row`], without a word to the children.
pub(super) fn keep_row<'c, S: KeyedRows>(
    slot: &StoreSlot<S>,
    key: &S::Key,
    cause: impl Into<Cause<'c>>,
    ctx: &mut NodeContext<'_, TableOf<S::Key, S::Value>>,
    update: impl FnOnce(Option<(S::Value, Timestamp)>) -> Result<Row<S::Value>, ProcessError>,
) -> Flow {
    let mut store = ctx.task().take_state::<S>(slot.index);
    let changed = change(&mut *store, slot, key, cause.into(), ctx, update);
    ctx.task().return_store(slot.index, store);
    changed.map(|_| ())
}

/// A row's place after a change, and what it was before, if somebody wants to know.
pub(super) struct Changed<V> {
    pub(super) row: CellId,
    pub(super) old: Option<Option<V>>,
    pub(super) timestamp: Timestamp,
}

fn change<S: KeyedRows>(
    store: &mut S,
    slot: &StoreSlot<S>,
    key: &S::Key,
    cause: Cause<'_>,
    ctx: &mut NodeContext<'_, TableOf<S::Key, S::Value>>,
    update: impl FnOnce(Option<(S::Value, Timestamp)>) -> Result<Row<S::Value>, ProcessError>,
) -> Result<Changed<S::Value>, ProcessError> {
    let row = store.claim(key)?;
    // `update` makes the new row from the old one, which is gone then.
    let copy = |row| store.value(row).as_ref().map(|value| store.copy(value)).transpose();
    let old = slot.sends_old.then(|| copy(row)).transpose()?;
    let (value, timestamp) = updated(store, row, update)?;
    store.set(row, value, timestamp, &mut ctx.task().changelog(slot.index).caused_by(cause))?;
    Ok(Changed { row, old, timestamp })
}

/// What `update` makes of the row at a place, which is given to it.
fn updated<S: KeyedRows>(
    store: &mut S,
    row: CellId,
    update: impl FnOnce(Option<(S::Value, Timestamp)>) -> Result<Row<S::Value>, ProcessError>,
) -> Result<Row<S::Value>, ProcessError> {
    let rows = store.rows();
    let before = rows.mark();
    match update(rows.take(row)?) {
        Ok(updated) => Ok(updated),
        Err(error) => {
            // Where the task goes on without the record, the row stays as it was.
            store.rows().undo_to(before)?;
            Err(error)
        }
    }
}

/// Hands a row to the nodes below, and the store back to its slot.
#[inline]
pub(super) fn push_row<S: KeyedRows>(
    slot: &StoreSlot<S>,
    key: &S::Key,
    (store, changed): (Box<S>, Changed<S::Value>),
    headers: &Headers,
    outlet: &Outlet<TableOf<S::Key, S::Value>>,
    task: &mut TaskState,
) -> Flow {
    let Changed { row, old, timestamp } = changed;
    let (new, old) = (store.value(row), old.as_ref());
    if !slot.used_below {
        let flow = outlet.push(Change { key, new, old, timestamp, headers, is_latest: true }, task);
        task.return_store(slot.index, store);
        return flow;
    }
    let copy = new.as_ref().map(|value| store.copy(value)).transpose();
    task.return_store(slot.index, store);
    outlet.push(Change { key, new: &copy?, old, timestamp, headers, is_latest: true }, task)
}

/// Changes a row in a store whose cache holds the change back. Reading and writing make the row the last used one, and each
/// may push others out: in this order, as in Kafka Streams.
#[cold]
fn hold_row<S: KeyedRows>(
    slot: &StoreSlot<S>,
    key: &S::Key,
    cause: Cause<'_>,
    task: &mut TaskState,
    update: impl FnOnce(Option<(S::Value, Timestamp)>) -> Result<Row<S::Value>, ProcessError>,
) -> Flow {
    let (store, mut out) = task.state::<S>(slot.index);
    let row = store.claim(key)?;
    store.rows().touch(row, &mut out)?;
    task.make_room(slot.index)?;
    let (store, out) = task.state::<S>(slot.index);
    store.rows().note_before(row)?;
    let (value, timestamp) = updated(store, row, update)?;
    store.set(row, value, timestamp, &mut out.caused_by(cause))?;
    task.make_room(slot.index)
}

/// Tells the nodes below of the changes that a store's cache lets out.
pub(crate) struct RowFlusher<S: KeyedRows> {
    pub(crate) slot: StoreSlot<S>,
    pub(crate) outlet: Outlet<TableOf<S::Key, S::Value>>,
}

impl<S: KeyedRows> FlushCache for RowFlusher<S> {
    fn release(&self, what: Release, task: &mut TaskState) -> Result<bool, ProcessError> {
        let (store, _) = task.state::<S>(self.slot.index);
        let Some(held) = store.rows().release(what) else { return Ok(false) };
        let rows: Vec<CellId> = held.iter().map(|held| held.row).collect();
        let address = task.address().cloned();
        let told = held.into_iter().try_for_each(|held| self.tell(held, task));
        let at = std::mem::replace(task.address_mut(), address);
        told.map_err(|error| at.iter().fold(error, ProcessError::at_record))?;
        let (store, mut out) = task.state::<S>(self.slot.index);
        store.rows().told(&rows, &mut out);
        Ok(true)
    }

    fn sends_old(&self) -> bool {
        self.slot.sends_old
    }
}

impl<S: KeyedRows> RowFlusher<S> {
    /// Writes a change to the changelog and hands it to the nodes below, as of the record that it came from. A row that
    /// came and went in between is no news.
    fn tell(&self, held: Held<S::Value>, task: &mut TaskState) -> Flow {
        let Held { row, before, cause } = held;
        let slot = self.slot.index;
        let (store, mut out) = task.state::<S>(slot);
        let row_time = store.row(row).map(|(_, time)| time);
        let no_news = |before: &Before<_>| row_time.is_none() && before.is_absent();
        if no_news(&before) {
            return Ok(());
        }
        let before = if store.tell_of(row) { before } else { Before::Absent };
        if no_news(&before) {
            return Ok(());
        }
        store.rows().log_released(row, &mut out)?;
        let key = store.key_at(row)?;
        let timestamp = row_time.unwrap_or_else(|| store.deletion_time(&key, cause.timestamp));
        task.set_address(cause.address);
        let old = self.slot.sends_old.then(|| before.value());
        let changed = Changed { row, old, timestamp };
        task.attempt_to_tell(cause.timestamp, |task| {
            let store = task.take_state::<S>(slot);
            push_row(&self.slot, &key, (store, changed), &cause.headers, &self.outlet, task)
        })
    }
}
