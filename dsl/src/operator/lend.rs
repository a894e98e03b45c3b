//! Changes a row of a store and lends it to the nodes below, at once or when the store's cache lets go of the change.
//!
//! The store leaves its slot while its row is pushed, so that the row need not be copied. Where a node below uses the same
//! store it stays, and the row is copied by way of its serde.

use crate::processor::{Flow, NodeContext, Outlet, ProcessError, TableOf, TaskState};
use crate::record::{Change, Headers, Timestamp};
use crate::state::{Cause, CellId, Held, KeyValueState, Release};
use crate::topology::{FlushCache, RowSlot};

/// A row: its value, if it is there, and its time.
pub(super) type Row<V> = (Option<V>, Timestamp);

/// Gives `update` the row that is there, stores what it returns, and hands the change to the children. `cause` is what the
/// node was given.
pub(super) fn change_row<'c, K: 'static, V: Send + 'static>(
    slot: &RowSlot<K, V>,
    key: &K,
    cause: impl Into<Cause<'c>>,
    ctx: &mut NodeContext<'_, TableOf<K, V>>,
    update: impl FnOnce(Option<(V, Timestamp)>) -> Result<Row<V>, ProcessError>,
) -> Flow {
    let cause = cause.into();
    let mut store = ctx.task().take_state::<KeyValueState<K, V>>(slot.index);
    if store.rows().is_cached() {
        ctx.task().return_store(slot.index, store);
        return hold_row(slot, key, cause, ctx.task(), update);
    }
    let changed = change(&mut store, slot, key, cause, ctx, update);
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
pub(super) fn store_change<K: 'static, V: Clone + Send + 'static>(
    slot: &RowSlot<K, V>,
    change: Change<'_, K, V>,
    ctx: &mut NodeContext<'_, TableOf<K, V>>,
) -> Flow {
    let (store, changelog) = ctx.task().state::<KeyValueState<K, V>>(slot.index);
    if store.rows().is_cached() {
        let row = |_| Ok((change.new.clone(), change.timestamp));
        return hold_row(slot, change.key, change.into(), ctx.task(), row);
    }
    let row = store.claim(change.key)?;
    store.set(row, change.new.clone(), change.timestamp, &mut changelog.caused_by(change.into()))?;
    ctx.push(change)
}

/// A row's place after a change, and what it was before, if somebody wants to know.
struct Changed<V> {
    row: CellId,
    old: Option<Option<V>>,
    timestamp: Timestamp,
}

fn change<K: 'static, V: Send + 'static>(
    store: &mut KeyValueState<K, V>,
    slot: &RowSlot<K, V>,
    key: &K,
    cause: Cause<'_>,
    ctx: &mut NodeContext<'_, TableOf<K, V>>,
    update: impl FnOnce(Option<(V, Timestamp)>) -> Result<Row<V>, ProcessError>,
) -> Result<Changed<V>, ProcessError> {
    let row = store.claim(key)?;
    // `update` makes the new row from the old one, which is gone then.
    let copy = |row| store.value(row).as_ref().map(|value| store.copy(value)).transpose();
    let old = slot.sends_old.then(|| copy(row)).transpose()?;
    let (value, timestamp) = updated(store, row, update)?;
    store.set(row, value, timestamp, &mut ctx.task().changelog(slot.index).caused_by(cause))?;
    Ok(Changed { row, old, timestamp })
}

/// What `update` makes of the row at a place, which is given to it.
fn updated<K: 'static, V: Send + 'static>(
    store: &mut KeyValueState<K, V>,
    row: CellId,
    update: impl FnOnce(Option<(V, Timestamp)>) -> Result<Row<V>, ProcessError>,
) -> Result<Row<V>, ProcessError> {
    let before = store.mark();
    match update(store.take(row)?) {
        Ok(updated) => Ok(updated),
        Err(error) => {
            // Where the task goes on without the record, the row stays as it was.
            store.undo_to(before)?;
            Err(error)
        }
    }
}

/// Hands a row to the nodes below, and the store back to its slot.
#[inline]
fn push_row<K: 'static, V: Send + 'static>(
    slot: &RowSlot<K, V>,
    key: &K,
    (store, changed): (Box<KeyValueState<K, V>>, Changed<V>),
    headers: &Headers,
    outlet: &Outlet<TableOf<K, V>>,
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
fn hold_row<K: 'static, V: Send + 'static>(
    slot: &RowSlot<K, V>,
    key: &K,
    cause: Cause<'_>,
    task: &mut TaskState,
    update: impl FnOnce(Option<(V, Timestamp)>) -> Result<Row<V>, ProcessError>,
) -> Flow {
    let (store, mut out) = task.state::<KeyValueState<K, V>>(slot.index);
    let row = store.claim(key)?;
    store.rows().touch(row, &mut out)?;
    task.make_room(slot.index)?;
    let (store, out) = task.state::<KeyValueState<K, V>>(slot.index);
    store.rows().note(row)?;
    let (value, timestamp) = updated(store, row, update)?;
    store.set(row, value, timestamp, &mut out.caused_by(cause))?;
    task.make_room(slot.index)
}

/// Tells the nodes below of the changes that a store's cache lets out.
pub(crate) struct RowFlusher<K: 'static, V: 'static> {
    pub(crate) slot: RowSlot<K, V>,
    pub(crate) outlet: Outlet<TableOf<K, V>>,
}

impl<K: 'static, V: Send + 'static> FlushCache for RowFlusher<K, V> {
    fn release(&self, what: Release, task: &mut TaskState) -> Result<bool, ProcessError> {
        let (store, _) = task.state::<KeyValueState<K, V>>(self.slot.index);
        let Some(held) = store.rows().release(what) else { return Ok(false) };
        let rows: Vec<CellId> = held.iter().map(|held| held.row).collect();
        let address = task.address().cloned();
        let told = held.into_iter().try_for_each(|held| self.tell(held, task));
        let at = std::mem::replace(task.address_mut(), address);
        told.map_err(|error| at.iter().fold(error, ProcessError::at_record))?;
        let (store, mut out) = task.state::<KeyValueState<K, V>>(self.slot.index);
        store.rows().told(&rows, &mut out);
        Ok(true)
    }

    fn sends_old(&self) -> bool {
        self.slot.sends_old
    }
}

impl<K: 'static, V: Send + 'static> RowFlusher<K, V> {
    /// Writes a change to the changelog and hands it to the nodes below, as of the record that it came from. A row that
    /// came and went in between is no news.
    fn tell(&self, held: Held<V>, task: &mut TaskState) -> Flow {
        let Held { row, before, cause } = held;
        let slot = self.slot.index;
        let (store, mut out) = task.state::<KeyValueState<K, V>>(slot);
        let row_time = store.row(row).map(|(_, time)| time);
        if row_time.is_none() && before.is_absent() {
            return Ok(());
        }
        store.rows().log_released(row, &mut out)?;
        let key = store.key_at(row)?;
        task.set_address(cause.address);
        let old = self.slot.sends_old.then(|| before.value());
        let changed = Changed { row, old, timestamp: row_time.unwrap_or(cause.timestamp) };
        task.attempt_to_tell(cause.timestamp, |task| {
            let store = task.take_state::<KeyValueState<K, V>>(slot);
            push_row(&self.slot, &key, (store, changed), &cause.headers, &self.outlet, task)
        })
    }
}
