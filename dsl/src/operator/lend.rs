//! Changes a row of a store and lends it to the nodes below.
//!
//! The store leaves its slot while its row is pushed, so that the row need not be copied. Where a node below uses the same
//! store it stays, and the row is copied by way of its serde.

use crate::processor::{Flow, NodeContext, ProcessError, TableOf};
use crate::record::{Change, Headers, Timestamp};
use crate::state::{CellId, KeyValueState};
use crate::topology::RowSlot;

/// A row: its value, if it is there, and its time.
pub(super) type Row<V> = (Option<V>, Timestamp);

/// Gives `update` the row that is there, stores what it returns, and hands the change to the children.
pub(super) fn change_row<K: 'static, V: Send + 'static>(
    slot: &RowSlot<K, V>,
    key: &K,
    headers: &Headers,
    ctx: &mut NodeContext<'_, TableOf<K, V>>,
    update: impl FnOnce(Option<(V, Timestamp)>) -> Result<Row<V>, ProcessError>,
) -> Flow {
    let mut store = ctx.task().take_state::<KeyValueState<K, V>>(slot.index);
    let changed = change(&mut store, slot, key, ctx, update);
    let Changed { row, old, timestamp } = match changed {
        Ok(changed) => changed,
        Err(error) => {
            ctx.task().return_store(slot.index, store);
            return Err(error);
        }
    };
    let (new, old) = (store.value(row), old.as_ref());
    if !slot.used_below {
        let flow = ctx.push(Change { key, new, old, timestamp, headers, is_latest: true });
        ctx.task().return_store(slot.index, store);
        return flow;
    }
    let copy = new.as_ref().map(|value| store.copy(value)).transpose();
    ctx.task().return_store(slot.index, store);
    ctx.push(Change { key, new: &copy?, old, timestamp, headers, is_latest: true })
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
    ctx: &mut NodeContext<'_, TableOf<K, V>>,
    update: impl FnOnce(Option<(V, Timestamp)>) -> Result<Row<V>, ProcessError>,
) -> Result<Changed<V>, ProcessError> {
    let row = store.claim(key)?;
    // `update` makes the new row from the old one, which is gone then.
    let copy = |row| store.value(row).as_ref().map(|value| store.copy(value)).transpose();
    let old = slot.sends_old.then(|| copy(row)).transpose()?;
    let (value, timestamp) = update(store.take(row))?;
    store.set(row, value, timestamp, &mut ctx.task().changelog(slot.index))?;
    Ok(Changed { row, old, timestamp })
}
